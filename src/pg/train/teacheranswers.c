/*
 * teacheranswers.c -- see teacheranswers.h.
 *
 * Temporary files are read in the order of the batches, which is random; each
 * text's part is in one piece, so a text costs one seek.
 */
#include "postgres.h"

#include <math.h>

#include "commands/tablespace.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/threads.h"
#include "pg/train/teacheranswers.h"

/* ---- memory ---- */

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
	return (size_t) distil_teacher_config(t)->hidden * (t->distill.attention > 0 ? 3 : 1);
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
distil_teacher_bytes(const DistilTrainJob *job)
{
	const DistilTeacher *t = job->teacher;
	DbertTeacherOptions o = reading_options(job);
	DistilTeacherBytes b = {0};
	uint64		tokens = job->options.max_batch_tokens;
	uint64		wide = kept_columns(t);
	size_t		bytes;

	if (!dbert_teacher_bytes(t->model->core, &o, &bytes))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the teacher needs more memory than can be addressed")));
	b.reading = bytes + (distil_teacher_same_tokens(job) ? 0 : distil_trainset_bytes(t->set));
	b.kept = (output_rows(job) + tokens) * t->columns * sizeof(float);
	if (distil_teacher_fills_masks(t))
	{
		b.kept = tokens * answer_columns(t) * sizeof(float) +
			((uint64) job->set->n + 1) * sizeof(int64);
		b.disk = expected_answers(job) * answer_columns(t) * sizeof(float);
	}
	if (t->n_states > 0)
	{
		b.kept += tokens * t->n_states * wide * sizeof(float) +
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
	bool		tokens = dbert_head_of_tokens(job->head);
	size_t		rows = tokens ? job->options.max_batch_tokens : job->options.max_texts;

	t->outputs = huge_array(output_rows(job), t->columns, sizeof(float));
	t->soft = huge_array(rows, t->columns, sizeof(float));
}

static void
begin_states(DistilTrainJob *job)
{
	DistilTeacher *t = job->teacher;
	size_t		tokens = job->options.max_batch_tokens,
				wide = distil_teacher_config(t)->hidden;
	int			layers = dbert_trainbase_config(job->base)->layers;

	t->file = BufFileCreateTemp(false);
	t->halves = huge_array(job->options.max_text_tokens, 2 * wide, sizeof(uint16));
	t->states = palloc(sizeof(float *) * t->n_states);
	t->queries_keys = t->distill.attention > 0 ? palloc(sizeof(float *) * t->n_states) : NULL;
	t->by_layer = palloc0(sizeof(float *) * layers);
	for (int i = 0; i < t->n_states; i++)
	{
		t->states[i] = huge_array(tokens, wide, sizeof(float));
		if (t->queries_keys != NULL)
			t->queries_keys[i] = huge_array(tokens, 2 * wide, sizeof(float));
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
	size_t		wide = distil_teacher_config(t)->hidden;

	for (int b = 0; b < batch->n_texts; b++)
	{
		size_t		first = batch->cu[b] * wide,
					count = (batch->cu[b + 1] - batch->cu[b]) * wide;

		for (int i = 0; i < t->n_states; i++)
		{
			write_floats(t, dbert_teacher_states(core, i) + first, count);
			if (t->queries_keys != NULL)
				write_floats(t, dbert_teacher_queries_keys(core, i) + 2 * first, 2 * count);
		}
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

	if (distil_teacher_fills_masks(t))
		write_answers(t, core, &batch->core, first);
	else
		memcpy(t->outputs + row * t->columns, dbert_teacher_outputs(core),
			   rows * t->columns * sizeof(float));
	write_states(t, core, &batch->core);
}

/* What does the model say of a batch? */
static void
ask(DistilTrainJob *job, DbertTeacher *core, const DbertTrainBatch *batch)
{
	DbertTeacherBatch asked = {
		.n_texts = batch->n_texts,
		.cu = batch->cu,
		.ids = batch->ids,
		.types = batch->types,
		.masked = batch->masked,
		.n_masked = batch->n_masked
	};

	distil_train_must(job, dbert_teacher_run(core, &asked, distil_threads(), distil_poll(),
											 &job->err));
}

static void
read_texts(DistilTrainJob *job, DbertTeacher *core, const DbertTeacherOptions *o)
{
	DistilTrainSet *set = job->teacher->set;
	DistilTrainBatch *batch = distil_trainbatch_create(set, o->max_texts, o->max_tokens,
													   job->n_labels);
	int32	   *order = huge_array(set->n, 1, sizeof(int32));

	for (int i = 0; i < set->n; i++)
		order[i] = i;
	batch->tag_labels = job->tag_labels;
	for (int first = 0, n; first < set->n; first += n)
	{
		n = distil_trainbatch_fill(batch, set, order, first, set->n);
		if (job->masker != NULL)
			distil_mask_batch(job->masker, batch, order + first, 0);
		ask(job, core, &batch->core);
		keep_outputs(job, core, batch, first, n);
	}
	pfree(order);
}

/* The twin's texts are of no more use. */
static void
forget_twin(DistilTrainJob *job)
{
	if (distil_teacher_same_tokens(job))
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
	PrepareTempTablespaces();
	if (distil_teacher_fills_masks(t))
		begin_answers(job);
	else
		begin_outputs(job);
	if (t->n_states > 0)
		begin_states(job);
	distil_train_must(job,
					  dbert_teacher_create(t->model->core, &o, &job->allocator, &core, &job->err));
	read_texts(job, core, &o);
	dbert_teacher_free(core);
	forget_twin(job);
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
	size_t		wide = distil_teacher_config(t)->hidden,
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

		if (distil_teacher_fills_masks(t))
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
distil_teacher_end(DistilTeacher *teacher)
{
	if (teacher->file != NULL)
		BufFileClose(teacher->file);
	if (teacher->answers != NULL)
		BufFileClose(teacher->answers);
}
