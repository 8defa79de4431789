/*
 * trainteacher.c -- see trainteacher.h.
 *
 * Teacher and student see the same tokens if their tokenizers are the same;
 * hidden states are compared only then.  Else the teacher has its own cut of
 * the texts, the twin of the student's, and there are only its answers to
 * learn.
 *
 * Memory is of the training's context, but for the twin's, which goes when the
 * teacher has read it.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/train/trainlabels.h"
#include "pg/train/trainsettings.h"
#include "pg/train/trainteacher.h"

/* ---- opening ---- */

DistilTeacher *
distil_teacher_for_call(FmgrInfo *flinfo, const char *name)
{
	DistilTeacher *t = palloc0(sizeof(DistilTeacher));
	const DbertConfig *config;

	t->model = distil_model_for_call(flinfo, name);
	config = distil_teacher_config(t);
	if (config->n_steps > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" cannot teach", name),
				 errdetail("Its vectors go through Dense or LayerNorm modules.")));
	t->columns = config->head == DBERT_HEAD_NONE ? config->dimensions : config->n_labels;
	return t;
}

static DbertTrainBase *
open_base(DistilTrainJob *job, const DbertSource *source)
{
	DbertTrainBase *base;

	if (dbert_trainbase_open(source, job->source.task, &job->allocator, distil_poll(), &base,
							 &job->err) != DBERT_OK)
		distil_raise(&job->err, psprintf("could not read model \"%s\"", job->args.base));
	return base;
}

/*
 * Layers of the student: as told, half of the teacher's, or all of the base's.
 */
static int
student_layers(const DistilTrainJob *job, bool of_teacher)
{
	int			most = dbert_trainbase_config(job->teacher->from)->layers;

	if (job->args.layers > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the student cannot have %d layers", job->args.layers),
				 errdetail("Model \"%s\", of which it is made, has %d.", job->args.base, most)));
	if (job->args.layers > 0)
		return job->args.layers;
	return of_teacher ? Max(most / 2, 1) : most;
}

static void
check_width(const DistilTrainJob *job)
{
	const DbertConfig *c = dbert_trainbase_config(job->teacher->from);
	int			hidden = job->args.hidden;

	if (hidden > 0 && c->head == DBERT_HEAD_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("students of embeddings are as wide as their teacher"),
				 errhint("Leave out \"hidden\", or begin with a narrower model: base => ...")));
	if (hidden > c->hidden || (hidden % c->heads != 0 && hidden % (c->hidden / c->heads) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the student cannot be %d wide", hidden),
				 errhint("Give \"hidden\" a multiple of %d (heads as many as the teacher's) or of "
						 "%d (heads as wide), up to %d.",
						 c->heads, c->hidden / c->heads, c->hidden)));
}

void
distil_teacher_open_student(DistilTrainJob *job)
{
	DistilTeacher *t = job->teacher;
	bool		of_teacher = job->args.base == NULL;
	int			layers;

	if (of_teacher)
		job->args.base = job->args.teacher;
	job->source = distil_model_source(job->args.base, CurrentMemoryContext);
	t->from = job->base = open_base(job, job->source.source);
	layers = student_layers(job, of_teacher);
	check_width(job);
	if (layers == dbert_trainbase_config(t->from)->layers && job->args.hidden == 0)
		return;
	distil_train_must(job,
					  dbert_student_open(t->from, layers, job->args.hidden, (uint64) job->args.seed,
										 &job->allocator, distil_poll(), &t->student, &job->err));
	job->base = open_base(job, dbert_student_source(t->student));
}

/* ---- rows and labels ---- */

/* The labels of its rows.  Of embeddings there are none: any kind will do. */
static DistilLabelKind
kind_of(const DistilTeacher *t)
{
	const DbertConfig *config = distil_teacher_config(t);

	if (config->head == DBERT_HEAD_NONE)
		return DISTIL_LABEL_ONE;
	return distil_kind_of_head(config->head, config->problem);
}

DistilLearn
distil_teacher_learn(const DistilTeacher *teacher)
{
	DistilLearn learn = distil_train_kind(kind_of(teacher))->learn;

	if (learn == DISTIL_LEARN_TEXTS || learn == DISTIL_LEARN_QUESTIONS)
		return learn;
	return learn | DISTIL_LEARN_OPTIONAL;
}

void
distil_teacher_begin_set(DistilTrainJob *job)
{
	DistilTeacher *t = job->teacher;
	const DbertModel *core = t->model->core;
	const DbertTokenizer *tokenizer = dbert_trainbase_tokenizer(job->base);
	int64		limit = distil_train_memory_limit();
	int32		most = Min(job->args.max_tokens, core->config.max_tokens);
	MemoryContext context;

	job->set = distil_trainset_create(tokenizer, dbert_trainbase_config(job->base), most, limit);
	t->set = job->set;
	if (dbert_tokenizer_same(tokenizer, &core->tokenizer))
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "distilbert texts of the teacher",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	t->set = job->set->twin = distil_trainset_create(&core->tokenizer, &core->config, most, limit);
	MemoryContextSwitchTo(MemoryContextGetParent(context));
}

static void
check_labels(const DistilTrainJob *job, DistilLabelKind kind)
{
	static const char *const expected[] = {
		[DISTIL_LABEL_ONE] = "The teacher gives a text one label: the last column must not be an "
		"array.",
		[DISTIL_LABEL_MANY] = "The teacher gives a text several labels: the last column must be "
		"text[]."
	};

	if (job->set->kind != kind)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the labels of the rows are of another kind than the teacher's"),
				 errdetail_internal("%s", expected[kind])));
	if (kind == DISTIL_LABEL_NUMBER && job->n_labels != 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the teacher gives a text %d numbers, the rows have one", job->n_labels),
				 errhint("Leave out the column of labels.")));
}

void
distil_teacher_choose_labels(DistilTrainJob *job)
{
	const DbertModel *core = job->teacher->model->core;
	DistilLabelKind kind = kind_of(job->teacher);

	job->head = core->config.head;
	job->problem = distil_train_kind(kind)->problem;
	job->measure = job->head == DBERT_HEAD_NONE ? &distil_measure_vectors
												: distil_train_kind(kind)->measure;
	job->labels = core->labels;
	job->n_labels = core->config.n_labels;
	if (job->head == DBERT_HEAD_MASK || job->head == DBERT_HEAD_SPAN)
		return;
	if (job->set->n_unlabelled == job->set->n)
	{
		job->set->kind = kind;
		return;
	}
	if (job->head == DBERT_HEAD_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the rows have labels, but the teacher gives embeddings"),
				 errhint("Write the query as SELECT text FROM ...")));
	check_labels(job, kind);
	distil_train_place_labels(job);
}

/* ---- the plan ---- */

/* Does validation have labels to be measured by? */
static bool
validation_has_labels(const DistilTrainJob *job)
{
	for (int i = 0; i < job->n_validation; i++)
		if (!job->set->texts[job->validation[i]].unlabelled)
			return true;
	return false;
}

/*
 * Whether student and teacher answer for the same tokens: of a MASK head its
 * columns, too.
 */
static bool
same_answers(const DistilTrainJob *job)
{
	return distil_teacher_same_tokens(job) &&
		   (!distil_teacher_fills_masks(job->teacher) ||
			dbert_trainbase_config(job->base)->vocab == distil_teacher_config(job->teacher)->vocab);
}

static void
check_tokens(const DistilTrainJob *job, const DbertDistill *d)
{
	bool		by_token = dbert_head_of_tokens(job->head) || job->head == DBERT_HEAD_MASK;

	if (!same_answers(job) && (d->cosine > 0 || d->hidden > 0 || d->attention > 0 || by_token))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the tokens of \"%s\" are not those of \"%s\"", job->args.base,
						job->args.teacher),
				 errdetail("Their vocabularies differ, so there is nothing to compare token by "
						   "token."),
				 by_token ?
				 errhint("Take a base model with the teacher's vocabulary, or none.") :
				 errhint("Set alpha_cosine, alpha_hidden and alpha_attention to 0; the answers for "
						 "whole texts can be learnt.")));
}

/* The student's last layers have states of the teacher's to learn from. */
static void
check_states(const DistilTrainJob *job, const DistilTeacher *t)
{
	int			heads = distil_teacher_config(t)->heads;

	if (t->n_states > distil_teacher_config(t)->layers)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the student has %d layers, more than the teacher's %d", t->n_states,
						distil_teacher_config(t)->layers),
				 errhint("With alpha_hidden or alpha_attention each layer of the student needs one "
						 "of the teacher's: give layers, or leave them 0.")));
	if (t->distill.attention > 0 && dbert_trainbase_config(job->base)->heads != heads)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the student's layers have %d heads, the teacher's %d",
						dbert_trainbase_config(job->base)->heads, heads),
				 errhint("With alpha_attention they must be as many: give \"hidden\" a multiple of "
						 "%d, or leave alpha_attention 0.",
						 heads)));
}

/* What counts of the loss, as the arguments say and the rows allow. */
static void
plan_loss(const DistilTrainJob *job, DbertDistill *d)
{
	check_tokens(job, d);
	if (d->cosine < 0)
		d->cosine = distil_teacher_same_tokens(job) ? 1 : 0;
	if (job->set->n_unlabelled == job->set->n)
		d->hard = 0;
	if (d->soft + d->hard + d->cosine + d->hidden + d->attention == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is nothing to learn from rows without labels"),
				 errhint("Give alpha_soft a positive number.")));
}

void
distil_teacher_plan(DistilTrainJob *job)
{
	DistilTeacher *t = job->teacher;
	DbertDistill *d = &t->distill;

	*d = job->args.distill;
	d->teacher_hidden = distil_teacher_config(t)->hidden;
	d->top = Min(DBERT_DISTILL_TOP, distil_teacher_config(t)->vocab);
	plan_loss(job, d);
	if (d->hidden > 0 || d->attention > 0)
		t->n_states = dbert_trainbase_config(job->base)->layers;
	else
		t->n_states = d->cosine > 0 ? 1 : 0;
	check_states(job, t);
	t->by_labels = validation_has_labels(job);
	job->options.distill = d;
}
