/*
 * trainteacher.c -- see trainteacher.h.
 *
 * Teacher and student see the same tokens if their tokenizers are the same;
 * hidden states are compared only then.  Else the teacher has its own cut of
 * the texts, the twin of the student's, and there are only its answers to
 * learn.
 *
 * Memory is of the training's context, but for the twin, which goes when the
 * teacher has read it.
 */
#include "postgres.h"

#include <math.h>

#include "commands/tablespace.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/threads.h"
#include "pg/train/trainjob.h"
#include "pg/train/trainsettings.h"
#include "pg/train/trainteacher.h"

/* Does the student read what the teacher reads? */
static bool
same_tokens(const DistilTrainJob *job)
{
	return job->teacher->set == job->set;
}

static const DbertConfig *
config_of(const DistilTeacher *t)
{
	return &t->model->core->config;
}

static bool
fills_masks(const DistilTeacher *t)
{
	return config_of(t)->head == DBERT_HEAD_MASK;
}

/* ---- opening ---- */

DistilTeacher *
distil_teacher_for_call(FmgrInfo *flinfo, const char *name)
{
	DistilTeacher *t = palloc0(sizeof(DistilTeacher));

	t->model = distil_model_for_call(flinfo, name);
	if (config_of(t)->head == DBERT_HEAD_NONE && config_of(t)->dense)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" cannot teach", name),
				 errdetail("Its embeddings go through a Dense module.")));
	t->columns =
		config_of(t)->head == DBERT_HEAD_NONE ? config_of(t)->embedding : config_of(t)->n_labels;
	return t;
}

static DbertTrainBase *
open_base(DistilTrainJob *job, const DbertSource *source)
{
	DbertTrainBase *base;

	if (dbert_trainbase_open(source, &job->allocator, distil_poll(), &base, &job->err) != DBERT_OK)
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
						 c->heads,
						 c->hidden / c->heads,
						 c->hidden)));
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

DistilLearn
distil_teacher_wants(const DistilTeacher *teacher)
{
	const DbertConfig *config = config_of(teacher);

	if (config->head == DBERT_HEAD_MASK)
		return DISTIL_LEARN_TEXTS;
	if (config->head == DBERT_HEAD_SPAN)
		return DISTIL_LEARN_QUESTIONS;
	if (config->head == DBERT_HEAD_TOKEN)
		return DISTIL_LEARN_SPANS | DISTIL_LEARN_OPTIONAL;
	return (config->problem == DBERT_PROBLEM_REGRESSION ? DISTIL_LEARN_NUMBERS
														: DISTIL_LEARN_CLASSES) |
		   DISTIL_LEARN_OPTIONAL;
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

	job->set = t->set =
		distil_trainset_create(tokenizer, dbert_trainbase_config(job->base), most, limit);
	if (dbert_tokenizer_same(tokenizer, &core->tokenizer))
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "distilbert texts of the teacher",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	t->set = job->set->twin = distil_trainset_create(&core->tokenizer, &core->config, most, limit);
	MemoryContextSwitchTo(MemoryContextGetParent(context));
}

static DistilLabelKind
kind_of_head(const DbertConfig *config)
{
	if (config->head == DBERT_HEAD_TOKEN)
		return DISTIL_LABEL_SPANS;
	return config->problem == DBERT_PROBLEM_SINGLE ? DISTIL_LABEL_ONE :
		config->problem == DBERT_PROBLEM_MULTI ? DISTIL_LABEL_MANY : DISTIL_LABEL_NUMBER;
}

static void
check_labels(const DistilTrainJob *job, DistilLabelKind kind)
{
	const char *const expected[] = {
		[DISTIL_LABEL_ONE] =
			"The teacher gives a text one label: the last column must not be an array.",
		[DISTIL_LABEL_MANY] =
			"The teacher gives a text several labels: the last column must be text[]."
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
	DistilLabelKind kind = kind_of_head(&core->config);

	job->head = core->config.head;
	job->problem = job->head == DBERT_HEAD_SEQUENCE ? core->config.problem : DBERT_PROBLEM_SINGLE;
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
	return same_tokens(job) &&
		   (!fills_masks(job->teacher) ||
			dbert_trainbase_config(job->base)->vocab == config_of(job->teacher)->vocab);
}

static void
check_tokens(const DistilTrainJob *job, const DbertDistill *d)
{
	bool		by_token = dbert_head_of_tokens(job->head) || job->head == DBERT_HEAD_MASK;

	if (!same_answers(job) && (d->cosine > 0 || d->hidden > 0 || d->attention > 0 || by_token))
		ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg(
				 "the tokens of \"%s\" are not those of \"%s\"", job->args.base, job->args.teacher),
			 errdetail("Their vocabularies differ, so there is nothing to compare token by token."),
			 by_token ? errhint("Take a base model with the teacher's vocabulary, or none.")
					  : errhint("Set alpha_cosine, alpha_hidden and alpha_attention to 0; the "
								"answers for whole texts can be learnt.")));
}

void
distil_teacher_plan(DistilTrainJob *job)
{
	DistilTeacher *t = job->teacher;
	DbertDistill *d = &t->distill;

	*d = job->args.distill;
	d->teacher_hidden = config_of(t)->hidden;
	d->top = Min(DBERT_DISTILL_TOP, config_of(t)->vocab);
	check_tokens(job, d);
	if (d->cosine < 0)
		d->cosine = same_tokens(job) ? 1 : 0;
	if (job->set->n_unlabelled == job->set->n)
		d->hard = 0;
	if (d->soft + d->hard + d->cosine + d->hidden + d->attention == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is nothing to learn from rows without labels"),
				 errhint("Give alpha_soft a positive number.")));
	t->n_states = d->hidden > 0 || d->attention > 0 ? dbert_trainbase_config(job->base)->layers
				  : d->cosine > 0                   ? 1
													: 0;
	if (t->n_states > config_of(t)->layers)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the student has %d layers, more than the teacher's %d",
						t->n_states,
						config_of(t)->layers),
				 errhint("With alpha_hidden or alpha_attention each layer of the student needs one "
						 "of the teacher's: give layers, or leave them 0.")));
	if (d->attention > 0 && dbert_trainbase_config(job->base)->heads != config_of(t)->heads)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the student's layers have %d heads, the teacher's %d",
						dbert_trainbase_config(job->base)->heads,
						config_of(t)->heads),
				 errhint("With alpha_attention they must be as many: give \"hidden\" a multiple of "
						 "%d, or leave alpha_attention 0.",
						 config_of(t)->heads)));
	t->by_labels = validation_has_labels(job);
	job->options.distill = d;
}

static DbertTeacherOptions
reading_options(const DistilTrainJob *job)
{
	DbertTeacherOptions o = {
		.max_texts = job->options.max_texts,.max_tokens = job->options.max_batch_tokens,
		.threads = dbert_threads_count(distil_threads()),.n_states = job->teacher->n_states,
		.attention = job->teacher->distill.attention > 0,.top = job->teacher->distill.top,
		.temperature = job->teacher->distill.temperature
	};

	o.max_text_tokens = distil_trainset_longest(job->teacher->set);
	o.max_tokens = Max(o.max_tokens, o.max_text_tokens);
	return o;
}

/* Numbers of a token that are kept of each layer. */
static size_t
kept_columns(const DistilTeacher *t)
{
	return (size_t) config_of(t)->hidden * (t->distill.attention > 0 ? 3 : 1);
}

/* Numbers of an answer for a masked token. */
static size_t
answer_columns(const DistilTeacher *t)
{
	return 2 * (size_t) t->distill.top + 1;
}

/* Masked tokens of all texts, about. */
static uint64
expected_answers(const DistilTrainJob *job)
{
	return (uint64) ceil((double) job->set->n_ids * job->args.mask_share);
}

/* Rows of logits, of all texts. */
static size_t
output_rows(const DistilTrainJob *job)
{
	return dbert_head_of_tokens(job->head) ? job->set->n_ids : job->set->n;
}

DistilTeacherBytes
distil_teacher_bytes(DistilTrainJob *job)
{
	const DistilTeacher *t = job->teacher;
	DbertTeacherOptions o = reading_options(job);
	DistilTeacherBytes b = {0};
	uint64		wide = kept_columns(t);
	size_t		bytes;

	if (!dbert_teacher_bytes(t->model->core, &o, &bytes))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the teacher needs more memory than can be addressed")));
	b.reading = bytes + (same_tokens(job) ? 0 : distil_trainset_bytes(t->set));
	b.kept =
		(output_rows(job) + (uint64) job->options.max_batch_tokens) * t->columns * sizeof(float);
	if (fills_masks(t))
	{
		b.kept = (uint64) job->options.max_batch_tokens * answer_columns(t) * sizeof(float) +
			((uint64) job->set->n + 1) * sizeof(int64);
		b.disk = expected_answers(job) * answer_columns(t) * sizeof(float);
	}
	if (t->n_states > 0)
	{
		b.kept += (uint64) job->options.max_batch_tokens * t->n_states * wide * sizeof(float) +
			job->options.max_text_tokens * wide * sizeof(uint16);
		b.disk += (uint64) job->set->n_ids * t->n_states * wide * sizeof(uint16);
	}
	return b;
}

/* ---- reading ---- */

static void *
huge_array(size_t rows, size_t columns, size_t size)
{
	return palloc_extended(rows * columns * size, MCXT_ALLOC_HUGE);
}

static void
begin_answers(DistilTrainJob *job)
{
	DistilTeacher *t = job->teacher;

	t->answers = BufFileCreateTemp(false);
	t->first_answer = huge_array((size_t) job->set->n + 1, 1, sizeof(int64));
	t->first_answer[0] = 0;
	t->soft = huge_array(job->options.max_batch_tokens, (size_t) t->distill.top + 1, sizeof(float));
	t->soft_ids = huge_array(job->options.max_batch_tokens, t->distill.top, sizeof(int32));
}

static void
begin_outputs(DistilTrainJob *job)
{
	DistilTeacher *t = job->teacher;
	int			layers = dbert_trainbase_config(job->base)->layers,
				wide = config_of(t)->hidden;

	PrepareTempTablespaces();
	if (fills_masks(t))
		begin_answers(job);
	else
	{
		t->outputs = huge_array(output_rows(job), t->columns, sizeof(float));
		t->soft = huge_array(dbert_head_of_tokens(job->head) ? job->options.max_batch_tokens
															 : job->options.max_texts,
							 t->columns, sizeof(float));
	}
	if (t->n_states == 0)
		return;
	t->file = BufFileCreateTemp(false);
	t->halves = huge_array(job->options.max_text_tokens, 2 * (size_t) wide, sizeof(uint16));
	t->states = palloc(sizeof(float *) * t->n_states);
	t->queries_keys = t->distill.attention > 0 ? palloc(sizeof(float *) * t->n_states) : NULL;
	t->by_layer = palloc0(sizeof(float *) * layers);
	for (int i = 0; i < t->n_states; i++)
	{
		t->states[i] = huge_array(job->options.max_batch_tokens, wide, sizeof(float));
		if (t->queries_keys != NULL)
			t->queries_keys[i] =
				huge_array(job->options.max_batch_tokens, 2 * (size_t) wide, sizeof(float));
		t->by_layer[layers - t->n_states + i] = t->states[i];
	}
}

static void
write_floats(DistilTeacher *t, const float *x, size_t count)
{
	CHECK_FOR_INTERRUPTS();
	for (size_t j = 0; j < count; j++)
		t->halves[j] = dbert_f16_of_float(x[j]);
	BufFileWrite(t->file, t->halves, count * sizeof(uint16));
}

/* What is kept of the batch's tokens, one text after the other. */
static void
write_states(DistilTeacher *t, const DbertTeacher *core, const DbertTrainBatch *batch)
{
	size_t		wide = config_of(t)->hidden;

	for (int b = 0; b < batch->n_texts; b++)
		for (int i = 0; i < t->n_states; i++)
		{
			size_t		first = batch->cu[b] * wide,
						count = (batch->cu[b + 1] - batch->cu[b]) * wide;

			write_floats(t, dbert_teacher_states(core, i) + first, count);
			if (t->queries_keys != NULL)
				write_floats(t, dbert_teacher_queries_keys(core, i) + 2 * first, 2 * count);
		}
}

/* What is said of the masked tokens of the n texts from the first on. */
static void
write_answers(DistilTeacher *t, const DbertTeacher *core, const DbertTrainBatch *batch, int first)
{
	size_t		top = t->distill.top;
	int			row = 0;

	for (int b = 0; b < batch->n_texts; b++)
	{
		CHECK_FOR_INTERRUPTS();
		t->first_answer[first + b + 1] = t->first_answer[first + b];
		for (; row < batch->n_masked && batch->masked[row] < batch->cu[b + 1]; row++)
		{
			BufFileWrite(t->answers, (void *) (dbert_teacher_ids(core) + row * top),
						 top * sizeof(int32));
			BufFileWrite(t->answers, (void *) (dbert_teacher_outputs(core) + row * (top + 1)),
						 (top + 1) * sizeof(float));
			t->first_answer[first + b + 1]++;
		}
	}
}

static void
keep_outputs(DistilTrainJob *job, const DbertTeacher *core, const DistilTrainBatch *batch,
			 int first, int n)
{
	DistilTeacher *t = job->teacher;
	bool		tokens = dbert_head_of_tokens(job->head);
	size_t		row = tokens ? t->set->texts[first].token : first,
				rows = tokens ? batch->cu[n] : n;

	if (fills_masks(t))
		write_answers(t, core, &batch->core, first);
	else
		memcpy(t->outputs + row * t->columns, dbert_teacher_outputs(core),
			   rows * t->columns * sizeof(float));
	write_states(t, core, &batch->core);
}

static void
read_texts(DistilTrainJob *job, DbertTeacher *core, const DbertTeacherOptions *o)
{
	DistilTrainSet *set = job->teacher->set;
	DistilTrainBatch *batch =
		distil_trainbatch_create(set, o->max_texts, o->max_tokens, job->n_labels);
	int32	   *order = huge_array(set->n, 1, sizeof(int32));

	for (int i = 0; i < set->n; i++)
		order[i] = i;
	batch->tag_labels = job->tag_labels;
	for (int first = 0, n; first < set->n; first += n)
	{
		n = distil_trainbatch_fill(batch, set, order, first, set->n);
		if (job->masker != NULL)
			distil_mask_batch(job->masker, batch, order + first, 0);
		distil_train_must(job, dbert_teacher_run(core, &batch->core, distil_threads(),
												 distil_poll(), &job->err));
		keep_outputs(job, core, batch, first, n);
	}
	pfree(order);
}

/* The twin's texts are of no more use. */
static void
forget_twin(DistilTrainJob *job)
{
	if (same_tokens(job))
		return;
	MemoryContextDelete(job->teacher->set->context);
	job->set->twin = NULL;
	job->teacher->set = NULL;
}

void
distil_teacher_read(DistilTrainJob *job)
{
	DistilTeacher *t = job->teacher;
	DbertTeacherOptions o = reading_options(job);
	DbertTeacher *core;

	distil_progress_phase(job->progress, DISTIL_PHASE_TEACHER);
	begin_outputs(job);
	distil_train_must(job,
					  dbert_teacher_create(t->model->core, &o, &job->allocator, &core, &job->err));
	read_texts(job, core, &o);
	dbert_teacher_free(core);
	forget_twin(job);
	if (job->n_validation > 0)
		t->value = distil_train_measure_teacher(job);
}

/* ---- teaching ---- */

static void
read_exactly(BufFile *file, void *buf, size_t len)
{
#if PG_VERSION_NUM >= 160000
	BufFileReadExact(file, buf, len);
#else
	if (BufFileRead(file, buf, len) != len)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read what the teacher said from a temporary file")));
#endif
}

static void
read_floats(const DistilTeacher *t, float *x, size_t count)
{
	CHECK_FOR_INTERRUPTS();
	read_exactly(t->file, t->halves, count * sizeof(uint16));
	for (size_t j = 0; j < count; j++)
		x[j] = dbert_float_of_f16(t->halves[j]);
}

/* Of one text, whose masked tokens follow the batch's first *row ones. */
static void
read_answers(const DistilTeacher *t, int text, int *row)
{
	size_t		top = t->distill.top;

	if (BufFileSeek(t->answers, 0,
					(off_t) (t->first_answer[text] * answer_columns(t) * sizeof(float)),
					SEEK_SET) != 0)
		elog(ERROR, "could not seek in a temporary file");
	CHECK_FOR_INTERRUPTS();
	for (int64 i = t->first_answer[text]; i < t->first_answer[text + 1]; i++, ++*row)
	{
		read_exactly(t->answers, t->soft_ids + *row * top, top * sizeof(int32));
		read_exactly(t->answers, t->soft + *row * (top + 1), (top + 1) * sizeof(float));
	}
}

/* Of one text, which is row b of the batch. */
static void
read_states(const DistilTrainJob *job, const DistilTrainText *text, int b)
{
	const DistilTeacher *t = job->teacher;
	size_t		wide = config_of(t)->hidden,
				count = text->n_tokens * wide,
				first = job->batch->cu[b] * wide;

	if (BufFileSeek(t->file, 0,
					(off_t) (text->token * t->n_states * kept_columns(t) * sizeof(uint16)),
					SEEK_SET) != 0)
		elog(ERROR, "could not seek in a temporary file");
	for (int i = 0; i < t->n_states; i++)
	{
		read_floats(t, t->states[i] + first, count);
		if (t->queries_keys != NULL)
			read_floats(t, t->queries_keys[i] + 2 * first, 2 * count);
	}
}

void
distil_teacher_fill(const DistilTrainJob *job, const int32 *order, int n)
{
	const DistilTeacher *t = job->teacher;
	bool		tokens = dbert_head_of_tokens(job->head);
	int			answers = 0;

	for (int b = 0; b < n; b++)
	{
		const DistilTrainText *text = &job->set->texts[order[b]];
		size_t		from = tokens ? text->token : order[b],
					to = tokens ? job->batch->cu[b] : b,
					rows = tokens ? text->n_tokens : 1;

		if (fills_masks(t))
			read_answers(t, order[b], &answers);
		else
			memcpy(t->soft + to * t->columns, t->outputs + from * t->columns,
				   rows * t->columns * sizeof(float));
		if (t->n_states > 0)
			read_states(job, text, b);
	}
	job->batch->core.soft = t->soft;
	job->batch->core.soft_ids = t->soft_ids;
	job->batch->core.states = t->by_layer;
	job->batch->core.queries_keys = (const float *const *) t->queries_keys;
}

void
distil_teacher_answer(const DistilTrainJob *job)
{
	const DistilTeacher *t = job->teacher;
	DistilTrainBatch *batch = job->batch;
	int			n = batch->core.n_texts,
				rows = job->head == DBERT_HEAD_TOKEN ? batch->cu[n] : n;

	for (int i = 0; i < rows && batch->targets == NULL; i++)
		batch->classes[i] = distil_best_of(t->soft + (Size) i * job->n_labels, job->n_labels, 1);
	for (Size i = 0; batch->targets != NULL && i < (Size) rows * job->n_labels; i++)
		batch->targets[i] = job->problem == DBERT_PROBLEM_MULTI ? t->soft[i] > 0 : t->soft[i];
	for (int b = 0; job->head == DBERT_HEAD_TOKEN && b < n; b++)
		batch->classes[batch->cu[b]] = batch->classes[batch->cu[b + 1] - 1] = -1;
}

/* ---- judging ---- */

/*
 * The student's share of the teacher's metric; of errors the inverse.  NaN:
 * there is none.
 */
static double
quality_of(const DistilTrainJob *job, double student)
{
	double		teacher = job->teacher->value;
	bool		error = strcmp(distil_train_metric(job), "rmse") == 0;

	return error ? teacher / student : student / teacher;
}

void
distil_teacher_judge(DistilTrainJob *job)
{
	const DbertConfig *c = dbert_trainbase_config(job->base);
	const DistilTeacher *t = job->teacher;
	double		value,
				quality;

	ereport(NOTICE,
			(errmsg("the student has %d layers, the teacher %d; its parameters are %.1f %% of the "
					"teacher's",
					c->layers,
					config_of(t)->layers,
					100 * (double) c->parameters / (double) config_of(t)->parameters)));
	if (job->n_validation == 0)
		return;
	value = distil_train_evaluate(job).value;
	quality = quality_of(job, value);
	if (job->args.min_quality > 0 && !(quality >= job->args.min_quality))
		ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("the student \"%s\" is not good enough: its quality is %.3f, min_quality %.3f",
					job->args.name,
					quality,
					job->args.min_quality),
			 errdetail("On %d rows of validation its %s is %.4f, the teacher's %.4f.",
					   job->n_validation,
					   distil_train_metric(job),
					   value,
					   t->value),
			 errhint("Train for more epochs or on more rows, keep more layers, or accept a lower "
					 "min_quality.")));
	ereport(NOTICE,
			(errmsg("quality %.3f: its %s is %.4f, the teacher's %.4f",
					quality,
					distil_train_metric(job),
					value,
					t->value)));
}

void
distil_teacher_end(DistilTeacher *teacher)
{
	if (teacher->file != NULL)
		BufFileClose(teacher->file);
	if (teacher->answers != NULL)
		BufFileClose(teacher->answers);
}
