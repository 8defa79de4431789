/*
 * test_static_train.c -- static embeddings made of a teacher: principal
 * components, vectors of tokens, the table and its files.
 */
#include "dbert.h"
#include "test/support/counting.h"
#include "test/support/memsource.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"
#include "train/principal.h"

/* Numbers of about -1 to 1. */
static float
noise(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (float) ((int32_t) (*state >> 8 & 0xffff) - 0x8000) / 0x8000;
}

/* ---- principal components ---- */

/* n vectors, component k of them times scale[k], plus 3 in each. */
static float *
make_vectors(size_t n, int d, const double *scale)
{
	float	   *x = malloc(sizeof(float) * n * d);
	uint32_t	state = 1;

	for (size_t i = 0; i < n * d; i++)
		x[i] = (float) (noise(&state) * scale[i % d] + 3);
	return x;
}

static double
product(const double *a, const double *b, int d)
{
	double		sum = 0;

	for (int j = 0; j < d; j++)
		sum += a[j] * b[j];
	return sum;
}

/* Each axis is an eigenvector of the covariance, which is computed plainly. */
static void
check_axes(const DbertPrincipal *p, const float *x, size_t n)
{
	int			d = p->d;

	for (int a = 0; a < d; a++)
	{
		const double *axis = p->axes + (size_t) a * d;

		CHECK(a == 0 || p->variance[a] <= p->variance[a - 1]);
		for (int b = 0; b <= a; b++)
			CHECK_NEAR(product(axis, p->axes + (size_t) b * d, d), a == b, 1e-7);
		for (int j = 0; j < d; j++)
		{
			double		sum = 0;

			for (size_t i = 0; i < n; i++)
			{
				double		along = 0;

				for (int k = 0; k < d; k++)
					along += (x[i * d + k] - p->mean[k]) * axis[k];
				sum += along * (x[i * d + j] - p->mean[j]);
			}
			CHECK_NEAR(sum, p->variance[a] * axis[j], 1e-7 * p->variance[0]);
		}
	}
}

static void
test_principal(void)
{
	enum {D = 13, N = 200};
	double		scale[D],
				along[D],
				square = 0;
	float	   *x;
	DbertPrincipal p;
	DbertError	err = {0};

	for (int j = 0; j < D; j++)
		scale[j] = j == 5 ? 9 : 1.0 / (1 + j);
	x = make_vectors(N, D, scale);
	CHECK(dbert_principal_find(x, N, D, &dbert_malloc_allocator, NULL, &p, &err) == DBERT_OK);
	check_axes(&p, x, N);
	CHECK(fabs(p.axes[5]) > 0.99);
	/* a vector is as long on all axes as it was */
	dbert_principal_project(&p, x, 0, D, along);
	for (int j = 0; j < D; j++)
		square += (x[j] - p.mean[j]) * (x[j] - p.mean[j]);
	CHECK_NEAR(product(along, along, D), square, 1e-6 * square);
	dbert_principal_free(&p);
	free(x);
}

/* Vectors without variance in most directions, or in none. */
static void
test_flat(void)
{
	enum {D = 6, N = 40};
	double		scale[D] = {0, 0, 2, 0, 0, 0};

	for (int some = 1; some >= 0; some--)
	{
		float	   *x;
		double		along[D];
		DbertPrincipal p;
		DbertError	err = {0};

		scale[2] *= some;
		x = make_vectors(N, D, scale);
		CHECK(dbert_principal_find(x, N, D, &dbert_malloc_allocator, NULL, &p, &err) == DBERT_OK);
		CHECK_NEAR(fabs(p.axes[2]), some, 1e-9);
		CHECK((p.variance[0] > 1) == some);
		for (int j = 1; j < D; j++)
			CHECK_NEAR(p.variance[j], 0, 1e-9);
		dbert_principal_project(&p, x, 0, D, along);
		for (int j = 0; j < D; j++)
			CHECK(isfinite(along[j]));
		dbert_principal_free(&p);
		free(x);
	}
}

/* ---- vectors of tokens ---- */

static bool
never(void *ctx)
{
	(void) ctx;
	return false;
}

static bool
at_once(void *ctx)
{
	return --*(int *) ctx < 0;
}

/* The embedding of a text that is one token is that token's vector. */
static void
test_token_vectors(void)
{
	MemModel	m;
	Built		b;
	float		out[MEM_V * MEM_C];
	DbertError	err = {0};
	DbertPoll	poll = {.stop = never};

	mem_model_bert(&m, "Model", "", 0);
	if (!built(&m, NULL, &b))
		return;
	CHECK_MSG(dbert_token_vectors(b.model, 0, MEM_V, NULL, &dbert_malloc_allocator, &poll, out,
								  &err) == DBERT_OK, "%s", err.msg);
	for (int32_t id = 5; id < 13; id++)
	{
		size_t		len;
		const char *text = dbert_token_text(&b.model->tokenizer, id, &len);
		DbertBatch *batch;
		float		one[MEM_C];

		CHECK(dbert_token_vectors(b.model, id, 1, NULL, &dbert_malloc_allocator, NULL, one,
								  &err) == DBERT_OK);
		CHECK(memcmp(one, out + id * MEM_C, sizeof(one)) == 0);
		if (text[0] == '#')
			continue;
		CHECK(dbert_batch_create(b.model, DBERT_WANT_EMBEDDING, &dbert_malloc_allocator, &batch,
								 &err) == DBERT_OK);
		CHECK(dbert_batch_add(batch, text, len, NULL, 0, DBERT_LONG_ERROR, NULL, &err) == DBERT_OK);
		CHECK(dbert_batch_run(batch, NULL, &err) == DBERT_OK);
		CHECK(memcmp(one, dbert_batch_embedding(batch, 0), sizeof(one)) == 0);
		dbert_batch_free(batch);
	}
	release(&b);
	mem_free(&m);
}

/* ---- the table ---- */

#define WIDTH 8
#define DIMENSIONS 5

/* A table of mem_vocab's tokens, out of any vectors. */
static DbertStatus
fill_table(const DbertAllocator *alloc, const int64_t *counts, const DbertPoll *poll,
		   DbertStaticTable **table, double *kept, DbertError *err)
{
	float		x[MEM_V * WIDTH];
	uint32_t	state = 7;

	for (int i = 0; i < MEM_V * WIDTH; i++)
		x[i] = noise(&state) * (1 + i % WIDTH);
	DBERT_TRY(dbert_static_create(MEM_V, WIDTH, DIMENSIONS, alloc, table, err));
	return dbert_static_fill(*table, x, counts, poll, kept, err);
}

/* The squared lengths of tokens' rows, as the model has them. */
static void
row_squares(const DbertModel *model, double *squares)
{
	for (int i = 0; i < MEM_V; i++)
	{
		squares[i] = 0;
		for (int j = 0; j < DIMENSIONS; j++)
			squares[i] += pow(model->weights.word[i * DIMENSIONS + j], 2);
	}
}

static void
read_table(const DbertStaticTable *table, MemModel *teacher, double *squares)
{
	DbertSource source = mem_source(teacher);
	DbertTrainedFiles *files;
	DbertError	err = {0};
	Built		b;

	CHECK_MSG(dbert_static_files(table, &source, &dbert_malloc_allocator, NULL, &files, &err) ==
			  DBERT_OK, "%s", err.msg);
	/* kernels that have the rows as floats */
	CHECK_MSG(build(dbert_trained_source(files), NULL, &dbert_kernels_openblas, &b, &err) ==
			  DBERT_OK, "%s", err.msg);
	CHECK(b.model->config.layers == 0 && b.model->config.normalize == 1 &&
		  b.model->config.dimensions == DIMENSIONS && b.model->config.skip_unknown == 1);
	CHECK(dbert_token_id(&b.model->tokenizer, "hello", 5) == 5);
	row_squares(b.model, squares);
	release(&b);
	dbert_trained_free(files);
}

/* Its files are a model; a token that is seen often is shorter. */
static void
test_table(void)
{
	MemModel	teacher;
	int64_t		counts[MEM_V] = {0};
	double		plain[MEM_V],
				counted[MEM_V],
				kept = 0;
	DbertStaticTable *table;
	DbertError	err = {0};

	mem_model_bert(&teacher, "Model", "", 0);
	CHECK(fill_table(&dbert_malloc_allocator, counts, NULL, &table, &kept, &err) == DBERT_OK);
	CHECK(kept > 0.7 && kept < 1);
	read_table(table, &teacher, plain);
	dbert_static_free(table);
	counts[6] = 1000000;
	CHECK(fill_table(&dbert_malloc_allocator, counts, NULL, &table, &kept, &err) == DBERT_OK);
	read_table(table, &teacher, counted);
	dbert_static_free(table);
	for (int i = 0; i < MEM_V; i++)
		CHECK(i == 6 ? counted[i] < plain[i] / 10 : counted[i] > plain[i]);
	mem_free(&teacher);
}

static void
test_refused(void)
{
	int64_t		counts[MEM_V] = {0};
	float		x[MEM_V * WIDTH] = {0};
	DbertStaticTable *table;
	DbertError	err = {0};
	double		kept;
	int			left = 1;
	DbertPoll	poll = {.stop = at_once,.ctx = &left};

	CHECK(dbert_static_most(8) == 8 && dbert_static_most(384) == 381);
	CHECK(dbert_static_create(MEM_V, WIDTH, WIDTH + 1, &dbert_malloc_allocator, &table, &err) ==
		  DBERT_E_INVALID && strstr(err.msg, "1 to 8 dimensions, not 9") != NULL);
	CHECK(dbert_static_create(MEM_V, WIDTH, 0, &dbert_malloc_allocator, &table, &err) ==
		  DBERT_E_INVALID);
	CHECK(dbert_static_create(MEM_V, WIDTH, WIDTH, &dbert_malloc_allocator, &table, &err) ==
		  DBERT_OK);
	/* vectors that are all the same */
	CHECK(dbert_static_fill(table, x, counts, NULL, &kept, &err) == DBERT_OK && kept == 1);
	x[9] = NAN;
	CHECK(dbert_static_fill(table, x, counts, NULL, &kept, &err) == DBERT_E_NOT_FINITE);
	dbert_static_free(table);
	CHECK(fill_table(&dbert_malloc_allocator, counts, &poll, &table, &kept, &err) ==
		  DBERT_E_CANCELLED);
	dbert_static_free(table);
}

/* Each allocation of making a table and its files may fail. */
static void
test_out_of_memory(void)
{
	int64_t		counts[MEM_V] = {0};
	DbertStatus status = DBERT_E_NOMEM;

	for (long fail = 1; status == DBERT_E_NOMEM && fail < 1000; fail++)
	{
		Counter		counter = {.fail_at = fail};
		DbertAllocator alloc = counting(&counter);
		MemModel	teacher;
		DbertSource source = mem_source(&teacher);
		DbertStaticTable *table = NULL;
		DbertTrainedFiles *files = NULL;
		DbertError	err = {0};
		double		kept;

		mem_model_bert(&teacher, "Model", "", 0);
		status = fill_table(&alloc, counts, NULL, &table, &kept, &err);
		if (status == DBERT_OK)
			status = dbert_static_files(table, &source, &alloc, NULL, &files, &err);
		CHECK_MSG(status == DBERT_OK || status == DBERT_E_NOMEM, "%ld: %s", fail, err.msg);
		dbert_trained_free(files);
		dbert_static_free(table);
		CHECK(counter.live == 0);
		mem_free(&teacher);
	}
	CHECK(status == DBERT_OK);
}

int
main(void)
{
	RUN(test_principal);
	RUN(test_flat);
	RUN(test_token_vectors);
	RUN(test_table);
	RUN(test_refused);
	RUN(test_out_of_memory);
	return tests_end();
}
