/*
 * traintask.c -- see traintask.h.
 */
#include "postgres.h"

#include "pg/bridge/quoted.h"
#include "pg/store/modeltask.h"
#include "pg/train/traintask.h"

/* ---- tasks ---- */

static const char *const embed_losses[] = {"contrastive", "cosent", "cosine", NULL};

/* In the order of messages. */
static const DistilTrainTask tasks[] = {
	{.name = "classify",.learn = DISTIL_LEARN_CLASSES,.chosen = true},
	{
		.name = "sentiment",.learn = DISTIL_LEARN_CLASSES,.chosen = true,.stored = "sentiment",
		.labels_fit = dbert_labels_have_sentiment,
		.misfit = "the labels of the rows are no sentiments",
		.which_labels = DISTIL_SENTIMENT_LABELS "; other labels have the task classify."
	},
	{.name = "regression",.learn = DISTIL_LEARN_NUMBERS,.chosen = true},
	{.name = "entities",.learn = DISTIL_LEARN_SPANS,.chosen = true},
	{
		.name = "embed",.learn = DISTIL_LEARN_PAIRS,.chosen = true,.losses = embed_losses,
		.which_loss = "Losses are contrastive for pairs without numbers, cosent and cosine for "
		"pairs with numbers."
	},
	{.name = "fill_mask",.learn = DISTIL_LEARN_TEXTS}
};

const DistilTrainTask *
distil_train_task(const char *name)
{
	for (int i = 0; i < lengthof(tasks); i++)
	{
		if (strcmp(tasks[i].name, name) == 0)
			return &tasks[i];
	}
	return NULL;
}

const DistilTrainTask *
distil_task_that_learns(DistilLearn learn)
{
	for (int i = 0; i < lengthof(tasks); i++)
	{
		if (tasks[i].learn == learn)
			return &tasks[i];
	}
	elog(ERROR, "no task learns from rows of kind %d", (int) learn);
	return NULL;				/* keep compiler quiet */
}

/* "a, b and c": the names of tasks that fit. */
static const char *
names_of(bool (*fits) (const DistilTrainTask *task))
{
	const char *names[lengthof(tasks)];
	int			n = 0;

	for (int i = 0; i < lengthof(tasks); i++)
	{
		if (fits(&tasks[i]))
			names[n++] = tasks[i].name;
	}
	return distil_joined_list(names, n);
}

static bool
is_chosen(const DistilTrainTask *task)
{
	return task->chosen;
}

static bool
has_losses(const DistilTrainTask *task)
{
	return task->losses != NULL;
}

const DistilTrainTask *
distil_chosen_task(const char *name)
{
	const DistilTrainTask *task = distil_train_task(name);

	if (task == NULL || !task->chosen)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot train for the task \"%s\"", name),
				 errhint("Tasks are %s.", names_of(is_chosen))));
	return task;
}

void
distil_check_loss(const DistilTrainTask *task, const char *loss)
{
	if (task->losses == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the task \"%s\" has no choice of losses", task->name),
				 errhint("Leave argument \"loss\" out; it is for the task %s.",
						 names_of(has_losses))));
	for (int i = 0; task->losses[i] != NULL; i++)
	{
		if (strcmp(task->losses[i], loss) == 0)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no loss \"%s\"", loss),
			 errhint("%s", task->which_loss)));
}

/* ---- kinds of labels ---- */

static const DistilTrainKind kinds[] = {
	[DISTIL_LABEL_ONE] = {
		.learn = DISTIL_LEARN_CLASSES,.head = DBERT_HEAD_SEQUENCE,
		.problem = DBERT_PROBLEM_SINGLE,.texts = 1,.examples = "texts",
		.measure = &distil_measure_class
	},
	[DISTIL_LABEL_MANY] = {
		.learn = DISTIL_LEARN_CLASSES,.head = DBERT_HEAD_SEQUENCE,
		.problem = DBERT_PROBLEM_MULTI,.texts = 1,.examples = "texts",
		.measure = &distil_measure_labels
	},
	[DISTIL_LABEL_NUMBER] = {
		.learn = DISTIL_LEARN_NUMBERS,.head = DBERT_HEAD_SEQUENCE,
		.problem = DBERT_PROBLEM_REGRESSION,.texts = 1,.examples = "texts",
		.measure = &distil_measure_number
	},
	[DISTIL_LABEL_SPANS] = {
		.learn = DISTIL_LEARN_SPANS,.head = DBERT_HEAD_TOKEN,
		.problem = DBERT_PROBLEM_SINGLE,.texts = 1,.examples = "texts",
		.measure = &distil_measure_entities
	},
	[DISTIL_LABEL_NONE] = {
		.learn = DISTIL_LEARN_TEXTS,.head = DBERT_HEAD_MASK,
		.problem = DBERT_PROBLEM_SINGLE,.texts = 1,.examples = "pieces of texts",
		.measure = &distil_measure_masked
	},
	[DISTIL_LABEL_PAIR] = {
		.learn = DISTIL_LEARN_PAIRS,.head = DBERT_HEAD_NONE,
		.problem = DBERT_PROBLEM_SINGLE,.texts = 2,.examples = "pairs",
		.measure = &distil_measure_pairs
	},
	[DISTIL_LABEL_QUESTION] = {
		.learn = DISTIL_LEARN_QUESTIONS,.head = DBERT_HEAD_SPAN,
		.problem = DBERT_PROBLEM_SINGLE,.texts = 1,.examples = "texts",
		.measure = &distil_measure_answers
	}
};

const DistilTrainKind *
distil_train_kind(DistilLabelKind kind)
{
	return &kinds[kind];
}

DistilLabelKind
distil_kind_of_head(DbertHead head, DbertProblem problem)
{
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (kinds[i].head == head && (head != DBERT_HEAD_SEQUENCE || kinds[i].problem == problem))
			return (DistilLabelKind) i;
	}
	elog(ERROR, "no labels for head %d", (int) head);
	return DISTIL_LABEL_ONE;	/* keep compiler quiet */
}
