/*
 * test_failures.c -- memory that ends once, at every allocation in turn: over
 * reading a model, tokenising, running, answering, training and distilling.
 *
 * Each job first runs without a failure, which tells how many allocations it
 * makes and what its result is.  Then it runs again and again, another
 * allocation failing each time: it must say E_NOMEM, or have the same result,
 * and nothing may be lost.
 *
 * DBERT_FAILURES=all: every allocation; else so many of a job at most as keep
 * this short, evenly spread.
 */
#include "test/support/counting.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"
#include "test/support/trainfixture.h"

#include "dbert.h"

/* Runs of a job, where not all are wanted. */
#define MOST 150

/* ---- results ---- */

/* Of all that a job computed, one number. */
static void
result_add(uint64_t *result, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		*result = (*result ^ bytes[i]) * UINT64_C(1099511628211);
}

/* What is to be done, and what came of it. */
typedef struct Job
{
	int			kind;			/* a family and a head */
	DbertPrecision precision;
	const DbertAllocator *alloc;
	uint64_t	result;
	DbertError	err;
} Job;

typedef DbertStatus (*JobRun) (Job *job);

static int	runs;				/* of all jobs */

static void
job_model(const Job *job, MemModel *m)
{
	mem_model_kind(m, (unsigned) job->kind);
	if (job->kind / 2 == 4)
		put_modules(m, false, true);
}

/* Does the job with every allocation failing in turn. */
static void
fail_each(const char *what, JobRun run, int kind, DbertPrecision precision)
{
	const char *wish = getenv("DBERT_FAILURES");
	bool		all = wish != NULL && strcmp(wish, "all") == 0;
	Counter		memory = {0};
	DbertAllocator alloc = counting(&memory);
	Job			clean = {.kind = kind, .precision = precision, .alloc = &alloc, .result = 1};
	DbertStatus status = run(&clean);
	int			calls = (int) memory.calls,
				step = all || calls <= MOST ? 1 : (calls + MOST - 1) / MOST;

	CHECK_MSG(status == DBERT_OK, "%s %d: %s", what, kind, clean.err.msg);
	CHECK_MSG(memory.live == 0, "%s %d: %ld allocations are lost", what, kind, memory.live);
	for (int n = 0; n < calls; n += step)
	{
		Job			job = {.kind = kind, .precision = precision, .alloc = &alloc, .result = 1};

		runs++;
		memory = (Counter) {.fail_at = n + 1};
		status = run(&job);
		CHECK_MSG(status == DBERT_E_NOMEM || status == DBERT_OK, "%s %d, allocation %d: %s", what,
				  kind, n, job.err.msg);
		CHECK_MSG(status != DBERT_OK || job.result == clean.result,
				  "%s %d, allocation %d: another result", what, kind, n);
		CHECK_MSG(memory.live == 0, "%s %d, allocation %d: %ld are lost", what, kind, n,
				  memory.live);
	}
}

/* ---- reading a model ---- */

static DbertStatus
write_image(Job *job, DbertPack *pack, void **image, size_t *size)
{
	*size = dbert_pack_size(pack);
	if (posix_memalign(image, 64, *size) != 0)
		abort();
	memset(*image, 0, *size);
	DBERT_TRY(dbert_pack_write(pack, *image, NULL, &job->err));
	result_add(&job->result, *image, *size);
	return DBERT_OK;
}

static DbertStatus
load(Job *job, void **image, size_t *size)
{
	MemModel	m;
	DbertSource source = mem_source(&m);
	DbertPack  *pack;
	DbertStatus status;

	*image = NULL;
	job_model(job, &m);
	status = dbert_pack_begin(&source, NULL, job->precision, &dbert_kernels_scalar, job->alloc,
							  NULL, &pack, &job->err);
	if (status == DBERT_OK)
	{
		status = write_image(job, pack, image, size);
		dbert_pack_end(pack);
	}
	mem_free(&m);
	return status;
}

static DbertStatus
run_load(Job *job)
{
	void	   *image;
	size_t		size;
	DbertModel *model;
	DbertStatus status = load(job, &image, &size);

	if (status == DBERT_OK)
		status = dbert_model_open(image, size, &dbert_kernels_scalar, job->alloc, &model,
								  &job->err);
	if (status == DBERT_OK)
		dbert_model_close(model);
	free(image);
	return status;
}

static void
test_load(void)
{
	for (int kind = 0; kind < MEM_KINDS; kind++)
	{
		fail_each("load", run_load, kind, DBERT_PRECISION_FP32);
		fail_each("load in int8", run_load, kind, DBERT_PRECISION_INT8);
	}
}

/* ---- answers ---- */

static DbertStatus
answer_entities(Job *job, const DbertBatch *batch)
{
	DbertEntity *entities;
	int			count;

	DBERT_TRY(
		dbert_batch_entities(batch, 0, DBERT_AGGREGATE_AVERAGE, 0, &entities, &count, &job->err));
	for (int k = 0; k < count; k++)
	{
		result_add(&job->result, &entities[k].score, sizeof(float));
		result_add(&job->result, &entities[k].start, sizeof(int32_t));
	}
	dbert_free(job->alloc, entities);
	return DBERT_OK;
}

static DbertStatus
answer_span(Job *job, const DbertBatch *batch, const char *context)
{
	DbertAnswerOptions options = {.top_k = 3, .no_answer = true, .max_tokens = 5};
	DbertAnswer *answers;
	int			count;

	DBERT_TRY(dbert_batch_answers(batch, 1, context, strlen(context), &options, NULL, &answers,
								  &count, &job->err));
	for (int k = 0; k < count; k++)
	{
		result_add(&job->result, &answers[k].score, sizeof(float));
		result_add(&job->result, &answers[k].start, sizeof(int32_t));
	}
	dbert_free(job->alloc, answers);
	return DBERT_OK;
}

static DbertStatus
answer_mask(Job *job, const DbertBatch *batch)
{
	DbertFill  *fills;
	char	   *text;
	size_t		len;
	int			count;
	DbertStatus status;

	DBERT_TRY(dbert_batch_fills(batch, 0, 0, 2, NULL, 0, &fills, &count, &job->err));
	status = dbert_batch_filled(batch, 0, 0, fills[0].id, &text, &len, &job->err);
	dbert_free(job->alloc, fills);
	DBERT_TRY(status);
	result_add(&job->result, text, len);
	dbert_free(job->alloc, text);
	return DBERT_OK;
}

static DbertStatus
answer(Job *job, const DbertBatch *batch, const DbertModel *model, const char *context)
{
	int			rows;

	switch ((DbertHead) model->config.head)
	{
		case DBERT_HEAD_SEQUENCE:
			result_add(&job->result, dbert_batch_logits(batch, 0, &rows),
					   (size_t) model->config.n_labels * sizeof(float));
			return DBERT_OK;
		case DBERT_HEAD_TOKEN:
			return answer_entities(job, batch);
		case DBERT_HEAD_SPAN:
			return answer_span(job, batch, context);
		case DBERT_HEAD_MASK:
			return answer_mask(job, batch);
		default:
			result_add(&job->result, dbert_batch_embedding(batch, 0),
					   (size_t) model->config.embedding * sizeof(float));
			return DBERT_OK;
	}
}

/* What failed for want of memory works when it is tried again. */
#define TWICE(call) \
	do { \
		DbertStatus tried = (call); \
		if (tried == DBERT_E_NOMEM) \
			tried = (call); \
		DBERT_TRY(tried); \
	} while (0)

static DbertStatus
run_batch(Job *job, DbertBatch *batch, const DbertModel *model)
{
	const char *text = "hello worldly [MASK] fine",
			   *context = "hello fine a b hello worldly fine a b a b hello hello a b fine fine a";
	bool		pairs = model->config.head != DBERT_HEAD_TOKEN;

	TWICE(dbert_batch_add(batch, text, strlen(text), NULL, 0, DBERT_LONG_TRUNCATE, NULL,
						  &job->err));
	if (pairs)
		TWICE(dbert_batch_add(batch, "a b", 3, context, strlen(context), DBERT_LONG_WINDOW, NULL,
							  &job->err));
	TWICE(dbert_batch_add(batch, context, strlen(context), NULL, 0, DBERT_LONG_WINDOW, NULL,
						  &job->err));
	CHECK(dbert_batch_count(batch) == 2 + pairs);
	TWICE(dbert_batch_run(batch, NULL, &job->err));
	TWICE(answer(job, batch, model, context));
	return DBERT_OK;
}

static DbertStatus
run_answer(Job *job)
{
	Built		b;
	DbertModel *model;
	DbertBatch *batch;
	DbertStatus status;
	MemModel	m;
	DbertSource source = mem_source(&m);
	int			want;

	job_model(job, &m);
	CHECK(build_precision(&source, NULL, job->precision, &dbert_kernels_scalar, &b, &job->err) ==
		  DBERT_OK);
	mem_free(&m);
	status = dbert_model_open(b.image, b.size, &dbert_kernels_scalar, job->alloc, &model,
							  &job->err);
	if (status == DBERT_OK)
	{
		want = model->config.head == DBERT_HEAD_NONE ? DBERT_WANT_EMBEDDING : DBERT_WANT_LOGITS;
		status = dbert_batch_create(model, want, job->alloc, &batch, &job->err);
		if (status == DBERT_OK)
		{
			status = run_batch(job, batch, model);
			dbert_batch_free(batch);
		}
		dbert_model_close(model);
	}
	release(&b);
	return status;
}

static void
test_answer(void)
{
	for (int kind = 0; kind < MEM_KINDS; kind++)
	{
		fail_each("answer", run_answer, kind, DBERT_PRECISION_FP32);
		fail_each("answer in int8", run_answer, kind, DBERT_PRECISION_INT8);
	}
}

/* ---- chunks ---- */

static DbertStatus
run_count(Job *job)
{
	static const char text[] = "hello worldly fine a b, hello [MASK] \xc3\xa9\xcc\x81 ab abb!";
	MemModel	m;
	Built		b;
	DbertModel *model;
	DbertStatus status;
	DbertTokenList tokens = {0};
	int64_t		count;
	bool		truncated;

	job_model(job, &m);
	CHECK(built(&m, NULL, &b));
	mem_free(&m);
	model = b.model;
	status = dbert_count_tokens(&model->tokenizer, text, sizeof(text) - 1, job->alloc, NULL,
								&count, &job->err);
	if (status == DBERT_OK)
		status = dbert_tokenize(&model->tokenizer, text, sizeof(text) - 1, text, 20,
								DBERT_NO_LIMIT, job->alloc, NULL, &tokens, &truncated, &job->err);
	for (size_t i = 0; status == DBERT_OK && i < tokens.count; i++)
		result_add(&job->result, &tokens.items[i].id, sizeof(int32_t));
	dbert_token_list_free(&tokens, job->alloc);
	release(&b);
	return status;
}

static void
test_tokenize(void)
{
	for (int kind = 0; kind < 2; kind++)
		fail_each("tokenise", run_count, kind, DBERT_PRECISION_FP32);
}

/* ---- training ---- */

static DbertStatus
train_steps(Job *job, DbertTrainer *t, const DbertTrainOptions *o)
{
	DbertTrainBatch batch = tiny_batch(o);
	const float *logits;
	double		loss,
				weight;
	DbertTrainedFiles *files;
	DbertTrainBase *base;
	DbertStatus status;

	for (int i = 0; i < 2; i++)
	{
		DBERT_TRY(dbert_trainer_step(t, &batch, NULL, &loss, &job->err));
		result_add(&job->result, &loss, sizeof(loss));
	}
	DBERT_TRY(dbert_trainer_keep(t, NULL, &job->err));
	DBERT_TRY(dbert_trainer_evaluate(t, &batch, NULL, &logits, &loss, &weight, &job->err));
	result_add(&job->result, &loss, sizeof(loss));
	DBERT_TRY(dbert_trainer_files(t, job->alloc, NULL, &files, &job->err));
	status = dbert_trainbase_open(dbert_trained_source(files), NULL, job->alloc, NULL, &base, &job->err);
	if (status == DBERT_OK)
		dbert_trainbase_close(base);
	dbert_trained_free(files);
	return status;
}

static DbertStatus
train_base(Job *job, DbertTrainBase *base, const DbertTrainOptions *o)
{
	DbertTrainer *t;
	DbertStatus status;

	DBERT_TRY(dbert_trainer_create(base, o, job->alloc, NULL, &t, &job->err));
	status = train_steps(job, t, o);
	dbert_trainer_free(t);
	return status;
}

static DbertTrainOptions
train_options(const Job *job)
{
	static const DbertHead heads[] = { DBERT_HEAD_SEQUENCE, DBERT_HEAD_TOKEN, DBERT_HEAD_SEQUENCE,
									   DBERT_HEAD_MASK, DBERT_HEAD_NONE };
	DbertTrainOptions o = tiny_options(heads[job->kind / 2],
									   job->kind / 2 == 2 ? DBERT_PROBLEM_MULTI
														  : DBERT_PROBLEM_SINGLE);

	if (o.head == DBERT_HEAD_MASK || o.head == DBERT_HEAD_NONE)
		o.n_labels = 0;
	o.keep_best = true;
	return o;
}

static DbertStatus
run_train(Job *job)
{
	DbertTrainOptions o = train_options(job);
	MemModel	m;
	DbertSource source = mem_source(&m);
	DbertTrainBase *base;
	DbertStatus status;

	job_model(job, &m);
	status = dbert_trainbase_open(&source, NULL, job->alloc, NULL, &base, &job->err);
	if (status == DBERT_OK)
	{
		status = train_base(job, base, &o);
		dbert_trainbase_close(base);
	}
	mem_free(&m);
	return status;
}

static void
test_train(void)
{
	for (int kind = 0; kind < MEM_KINDS; kind++)
		fail_each("train", run_train, kind, DBERT_PRECISION_FP32);
}

/* ---- distilling ---- */

static DbertStatus
ask(Job *job, const DbertModel *model)
{
	DbertTrainOptions o = train_options(job);
	DbertTrainBatch batch = tiny_batch(&o);
	DbertTeacherOptions wants = {
		.max_texts = 8, .max_tokens = 24, .max_text_tokens = REF_T, .threads = 1, .n_states = 1,
		.attention = true, .top = 2, .temperature = 2
	};
	DbertTeacher *teacher;
	DbertStatus status;

	if (batch.n_masked == 0)
		batch.masked = NULL;
	DBERT_TRY(dbert_teacher_create(model, &wants, job->alloc, &teacher, &job->err));
	status = ask_teacher(teacher, &batch, &job->err);
	if (status == DBERT_OK)
		result_add(&job->result, dbert_teacher_outputs(teacher), sizeof(float));
	dbert_teacher_free(teacher);
	return status;
}

/* A student of one layer and half the width. */
static DbertStatus
train_student(Job *job, DbertTrainBase *model)
{
	static const DbertDistill distill = {
		.temperature = 2, .soft = 1, .hard = 1, .cosine = 1, .hidden = 1,
		.teacher_hidden = TEACHER_C, .top = 2
	};
	DbertTrainOptions o = train_options(job);
	DbertStudent *student;
	DbertTrainBase *base;
	DbertStatus status;

	o.distill = &distill;
	fill_teacher(false);
	DBERT_TRY(dbert_student_open(model, 1, MEM_C / 2, 7, job->alloc, NULL, &student, &job->err));
	status = dbert_trainbase_open(dbert_student_source(student), NULL, job->alloc, NULL, &base,
								  &job->err);
	if (status == DBERT_OK)
	{
		status = train_base(job, base, &o);
		dbert_trainbase_close(base);
	}
	dbert_student_free(student);
	return status;
}

static DbertStatus
run_distill(Job *job)
{
	MemModel	m;
	DbertSource source = mem_source(&m);
	DbertTrainBase *model;
	Built		b;
	DbertStatus status;

	job_model(job, &m);
	CHECK(built(&m, NULL, &b));
	status = ask(job, b.model);
	if (status == DBERT_OK)
		status = dbert_trainbase_open(&source, NULL, job->alloc, NULL, &model, &job->err);
	if (status == DBERT_OK)
	{
		status = train_student(job, model);
		dbert_trainbase_close(model);
	}
	release(&b);
	mem_free(&m);
	return status;
}

static void
test_distill(void)
{
	for (int kind = 0; kind < MEM_KINDS; kind++)
		if (kind / 2 != 2)		/* spans are taught, but not by labels */
			fail_each("distil", run_distill, kind, DBERT_PRECISION_FP32);
}

int
main(void)
{
	RUN(test_load);
	RUN(test_tokenize);
	RUN(test_answer);
	RUN(test_train);
	RUN(test_distill);
	printf("# %d runs\n", runs);
	return tests_end();
}
