/*
 * test_threads.c -- the pool by itself, and the encoder with it: any number of
 * threads gives the bits of one.
 */
#include "base/parallel.h"
#include "dbert.h"
#include "test/support/dirsource.h"
#include "test/support/kerneltables.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

#include <signal.h>

/* ---- the pool ---- */

#define PARTS 1000

typedef struct Marks
{
	int			count[PARTS];
	int			of_worker[DBERT_MAX_THREADS];
	int			fail_at;
} Marks;

static DbertStatus
mark(void *ctx, int i, int worker)
{
	Marks	   *marks = ctx;

	__atomic_fetch_add(&marks->count[i], 1, __ATOMIC_RELAXED);
	marks->of_worker[worker]++;
	return i == marks->fail_at ? DBERT_E_INTERNAL : DBERT_OK;
}

static DbertThreads *
new_pool(int threads)
{
	DbertThreads  *pool = NULL;
	DbertError	err = {0};

	if (threads > 1)
		CHECK_MSG(dbert_threads_create(threads, &dbert_malloc_allocator, &pool, &err) == DBERT_OK,
				  "%s", err.msg);
	CHECK(dbert_threads_count(pool) == threads);
	return pool;
}

/*
 * Each part once, by a worker that exists; loops of many lengths on one pool.
 */
static void
test_parts(void)
{
	for (int threads = 1; threads <= 5; threads++)
	{
		DbertThreads  *pool = new_pool(threads);

		for (int n = 0; n <= PARTS; n = n * 3 + 1)
		{
			Marks		marks = {.fail_at = -1};
			int			sum = 0;

			CHECK(dbert_parallel_for(pool, n / 3, n, mark, &marks) == DBERT_OK);
			for (int i = 0; i < PARTS; i++)
				CHECK(marks.count[i] == (i >= n / 3 && i < n));
			for (int w = 0; w < DBERT_MAX_THREADS; w++)
			{
				CHECK(w < threads || marks.of_worker[w] == 0);
				sum += marks.of_worker[w];
			}
			CHECK(sum == n - n / 3);
		}
		dbert_threads_free(pool);
	}
}

/*
 * Many short loops, one after another: nobody is left behind in the last one.
 */
static void
test_many_loops(void)
{
	DbertThreads  *pool = new_pool(4);

	for (int i = 0; i < 2000; i++)
	{
		Marks		marks = {.fail_at = -1};

		CHECK(dbert_parallel_for(pool, 0, 3, mark, &marks) == DBERT_OK);
		CHECK(marks.count[0] == 1 && marks.count[1] == 1 && marks.count[2] == 1);
	}
	dbert_threads_free(pool);
}

/* A failure comes back, ends the loop, and is forgotten by the next. */
static void
test_failure(void)
{
	for (int threads = 1; threads <= 4; threads++)
	{
		DbertThreads  *pool = new_pool(threads);
		Marks		marks = {.fail_at = 5};

		CHECK(dbert_parallel_for(pool, 0, PARTS, mark, &marks) == DBERT_E_INTERNAL);
		CHECK(marks.count[5] == 1);
		CHECK(threads > 1 || marks.count[6] == 0);
		marks.fail_at = -1;
		CHECK(dbert_parallel_for(pool, 0, PARTS, mark, &marks) == DBERT_OK);
		dbert_threads_free(pool);
	}
}

/* Every worker sees all signals blocked, the owner its own mask. */
static DbertStatus
look_at_mask(void *ctx, int i, int worker)
{
	sigset_t	set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	if (worker > 0 && !(sigismember(&set, SIGINT) && sigismember(&set, SIGTERM) &&
						sigismember(&set, SIGALRM) && sigismember(&set, SIGUSR1)))
		return DBERT_E_INTERNAL;
	return worker == 0 && sigismember(&set, SIGINT) ? DBERT_E_INVALID : DBERT_OK;
}

static void
test_signals(void)
{
	DbertThreads  *pool = new_pool(3);

	CHECK(dbert_parallel_for(pool, 0, 100000, look_at_mask, NULL) == DBERT_OK);
	dbert_threads_free(pool);
}

static void
test_refusals(void)
{
	DbertThreads  *pool = NULL;
	DbertError	err;

	CHECK(dbert_threads_create(1, &dbert_malloc_allocator, &pool, &err) == DBERT_E_INVALID &&
		  pool == NULL);
	CHECK(dbert_threads_create(DBERT_MAX_THREADS + 1, &dbert_malloc_allocator, &pool, &err) ==
		  DBERT_E_INVALID);
	dbert_threads_free(NULL);
}

/* ---- models ---- */

typedef struct Answers
{
	float	   *floats;
	size_t		count;
} Answers;

static void
keep(Answers *a, const float *x, size_t count)
{
	if (count == 0)
		return;
	a->floats = realloc(a->floats, (a->count + count) * sizeof(float));
	memcpy(a->floats + a->count, x, count * sizeof(float));
	a->count += count;
}

/* Texts of one word to as many as fit, with mask tokens here and there. */
static void
add_texts(DbertBatch *batch)
{
	char		text[4000];
	DbertError	err = {0};

	for (int i = 0; i < 40; i++)
	{
		size_t		len = 0;
		int			words = i * i * 7 % 90 + 1;

		for (int w = 0; w < words; w++)
			len += snprintf(text + len, sizeof(text) - len, "%s ",
							(w * 5 + i) % 11 == 3 ? "[MASK]"
							: (w + i) % 3         ? "film"
												  : "wonderfully");
		CHECK_MSG(dbert_batch_add(batch, text, len, NULL, 0, true, NULL, &err) == DBERT_OK, "%s",
				  err.msg);
	}
}

/* Logits or embeddings, as wanted, or both, of the texts of one batch. */
static Answers
ask(const DbertModel *model, int want, int keep_what, int threads)
{
	DbertBatch *batch = NULL;
	DbertThreads  *pool = new_pool(threads);
	DbertError	err = {0};
	Answers		answers = {0};

	CHECK(dbert_batch_create(model, want, &dbert_malloc_allocator, &batch, &err) == DBERT_OK);
	dbert_batch_set_threads(batch, pool);
	add_texts(batch);
	CHECK_MSG(dbert_batch_run(batch, NULL, &err) == DBERT_OK, "%s", err.msg);
	for (int i = 0; i < dbert_batch_count(batch); i++)
	{
		int			rows;
		const float *logits = dbert_batch_logits(batch, i, &rows);

		if (keep_what & DBERT_WANT_EMBEDDING)
			keep(&answers, dbert_batch_embedding(batch, i), model->config.hidden);
		if (keep_what & DBERT_WANT_LOGITS)
			keep(&answers, logits, (size_t) rows * model->weights.head_out.n);
	}
	dbert_batch_free(batch);
	dbert_threads_free(pool);
	return answers;
}

static void
compare(const char *what, const DbertModel *model, Answers *want, Answers got, bool bits)
{
	double		worst = 0;

	CHECK(want->count == got.count && got.count > 0);
	for (size_t i = 0; i < want->count && i < got.count; i++)
		if (!(fabs((double) want->floats[i] - got.floats[i]) <= worst))
			worst = fabs((double) want->floats[i] - got.floats[i]);
	CHECK_MSG(bits ? worst == 0 : worst <= 1e-5, "%s, %s: differs by %g", model->kernels->name,
			  what, worst);
	free(got.floats);
}

static void
same_answers(const DbertModel *model, const char *fixture)
{
	const bool	head = model->config.head != DBERT_HEAD_NONE;
	const int	both = DBERT_WANT_EMBEDDING | (head ? DBERT_WANT_LOGITS : 0);
	Answers		all = ask(model, both, both, 1),
				vectors = ask(model, both, DBERT_WANT_EMBEDDING, 1),
				logits = {0};

	for (int threads = 2; threads <= 4; threads++)
		compare(fixture, model, &all, ask(model, both, both, threads), true);

	/* what else is wanted decides how much of the last layer is computed */
	for (int threads = 1; threads <= 3; threads += 2)
	{
		const bool	bits = !model->kernels->rows_matter;

		compare("embeddings alone", model, &vectors,
				ask(model, DBERT_WANT_EMBEDDING, DBERT_WANT_EMBEDDING, threads), bits);
		if (!head)
			continue;
		if (logits.floats == NULL)
			logits = ask(model, both, DBERT_WANT_LOGITS, 1);
		compare("logits alone", model, &logits,
				ask(model, DBERT_WANT_LOGITS, DBERT_WANT_LOGITS, threads), bits);
	}
	free(all.floats);
	free(vectors.floats);
	free(logits.floats);
}

static void
fixture_case(const char *fixture, DbertPrecision precision, const DbertKernels *kernels)
{
	char		path[200];
	DbertSource source;
	DbertError	err = {0};
	Built		b;

	snprintf(path, sizeof(path), "test/fixtures/%s", fixture);
	source = dir_source(path);
	if (build_precision(&source, NULL, precision, kernels, &b, &err) != DBERT_OK ||
		dbert_model_open(b.image, b.size, kernels, &dbert_malloc_allocator, &b.model, &err) !=
			DBERT_OK)
	{
		CHECK_MSG(false, "%s: %s", path, err.msg);
		free(b.image);
		return;
	}
	same_answers(b.model, fixture);
	release(&b);
}

/* The fixtures, packed for each table that runs here, in both precisions. */
static void
test_fixtures(void)
{
	static const char *const fixtures[] = {
		"distilbert-sentiment", "distilbert-ner-io", "distilbert-qa", "distilbert-mlm",
		"bert-sentiment3", "bert-mlm", "bert-sentence", "mpnet-ner", "mpnet-sentiment", "deberta-base",
		"deberta-mlm", "deberta-nli"
	};
	const DbertKernels *kernels;

	for (int at = 0; (kernels = kernels_next(&at, KERNELS_FP32)) != NULL;)
		for (int i = 0; i < (int) (sizeof(fixtures) / sizeof(fixtures[0])); i++)
		{
			fixture_case(fixtures[i], DBERT_PRECISION_FP32, kernels);
			fixture_case(fixtures[i], DBERT_PRECISION_INT8, kernels);
		}
}

int
main(void)
{
	RUN(test_parts);
	RUN(test_many_loops);
	RUN(test_failure);
	RUN(test_signals);
	RUN(test_refusals);
	RUN(test_fixtures);
	return tests_end();
}
