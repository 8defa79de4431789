/*
 * trainlabels.c -- see trainlabels.h.
 *
 * Classes are those that the rows have, sorted; but if the base has them all,
 * with a head of the same kind, its labels stay as they are, and its head with
 * them.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "pg/eval/spans.h"
#include "pg/train/trainlabels.h"

/*
 * places[n]: where each of n names is among the labels.  Stops at the first
 * that is not, and returns its number; n if all are.
 */
static int
find_places(const char *const *names, int n, const char *const *labels, int n_labels, int32 *places)
{
	int			found = 0;

	for (int i = 0; i < n && found == i; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < n_labels && found == i; j++)
		{
			if (strcmp(labels[j], names[i]) == 0)
				places[found++] = j;
		}
	}
	return found;
}

static const char *const *
all_base_labels(const DistilTrainJob *job)
{
	int			n = dbert_trainbase_config(job->base)->n_labels;
	const char **labels = palloc(sizeof(char *) * n);

	for (int i = 0; i < n; i++)
		labels[i] = dbert_trainbase_label(job->base, i);
	return labels;
}

/*
 * Where the base has each of the labels; NULL if it lacks one, or has another
 * head.
 */
static int32 *
places_in_base(const DistilTrainJob *job, const char *const *names, int n)
{
	const DbertConfig *config = dbert_trainbase_config(job->base);
	int32	   *places = palloc(sizeof(int32) * Max(n, 1));

	if (config->head != (int32_t) job->head ||
		(job->head == DBERT_HEAD_SEQUENCE && config->problem != (int32_t) job->problem))
		return NULL;
	if (find_places(names, n, all_base_labels(job), config->n_labels, places) < n)
		return NULL;
	return places;
}

/* "O", then "B-x" and "I-x" for each type: in the order of the tags. */
static const char **
tag_names(const DistilTrainSet *set)
{
	const char **names = palloc(sizeof(char *) * (1 + 2 * set->n_names));

	names[DISTIL_TAG_O] = "O";
	for (int i = 0; i < set->n_names; i++)
	{
		names[DISTIL_TAG_B(i)] = psprintf("B-%s", set->names[i]);
		names[DISTIL_TAG_I(i)] = psprintf("I-%s", set->names[i]);
	}
	return names;
}

static void
choose_tags(DistilTrainJob *job)
{
	int			n = 1 + 2 * job->set->n_names;

	if (job->set->n_names == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no row has an entity")));
	if (n > DBERT_MAX_LABELS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the query gives %d types of entities, too many", job->set->n_names)));
	distil_trainset_sort_names(job->set);
	job->labels = tag_names(job->set);
	job->n_labels = n;
	job->tag_labels = places_in_base(job, job->labels, n);
	if (job->tag_labels == NULL)
		return;
	job->labels = all_base_labels(job);
	job->n_labels = dbert_trainbase_config(job->base)->n_labels;
}

static void
raise_one_class(const DistilTrainJob *job)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 job->set->n_names == 0 ? errmsg("no row has a label") :
			 errmsg("all rows have the label \"%s\"",
					pg_any_to_server(job->set->names[0], strlen(job->set->names[0]), PG_UTF8)),
			 errhint("There must be at least two classes to tell apart.")));
}

static void
check_fit(const DistilTrainTask *task, const DistilTrainJob *job)
{
	if (task->labels_fit != NULL && !task->labels_fit(job->labels, job->n_labels))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg_internal("%s", task->misfit),
				 errhint("%s", task->which_labels)));
}

/* With a class for each of several texts there must be two at least. */
static void
choose_classes(DistilTrainJob *job, int least)
{
	DistilTrainSet *set = job->set;

	if (set->n_names < least)
		raise_one_class(job);
	if (places_in_base(job, set->names, set->n_names) != NULL)
		distil_trainset_renumber(set, all_base_labels(job),
								 dbert_trainbase_config(job->base)->n_labels);
	else
		distil_trainset_sort_names(set);
	job->labels = set->names;
	job->n_labels = set->n_names;
	check_fit(job->args.task, job);
}

void
distil_train_choose_labels(DistilTrainJob *job)
{
	static const char *const number[] = {"LABEL_0"};
	const DistilTrainKind *kind = distil_train_kind(job->set->kind);

	job->head = kind->head;
	job->problem = kind->problem;
	job->measure = kind->measure;
	switch (job->set->kind)
	{
		case DISTIL_LABEL_ONE:
			choose_classes(job, 2);
			break;
		case DISTIL_LABEL_MANY:
			choose_classes(job, 1);
			break;
		case DISTIL_LABEL_NUMBER:
			job->labels = number;
			job->n_labels = 1;
			break;
		case DISTIL_LABEL_SPANS:
			choose_tags(job);
			break;
		case DISTIL_LABEL_NONE:
		case DISTIL_LABEL_PAIR:
		case DISTIL_LABEL_QUESTION:
		case DISTIL_LABEL_REFERENCE:
			break;				/* no labels */
	}
}

void
distil_train_place_labels(DistilTrainJob *job)
{
	bool		tags = job->set->kind == DISTIL_LABEL_SPANS;
	const char **names = tags ? tag_names(job->set) : job->set->names;
	int			n = tags ? 1 + 2 * job->set->n_names : job->set->n_names,
				found;
	int32	   *places = palloc(sizeof(int32) * Max(n, 1));

	if (job->set->kind == DISTIL_LABEL_NUMBER)
		return;
	found = find_places(names, n, job->labels, job->n_labels, places);
	if (found < n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the teacher has no label \"%s\"",
						pg_any_to_server(names[found], strlen(names[found]), PG_UTF8)),
				 errhint("The view distil_models lists the labels of each model.")));
	if (tags)
		job->tag_labels = places;
	else
		distil_trainset_renumber(job->set, job->labels, job->n_labels);
}
