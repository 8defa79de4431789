/*
 * openblas.c -- products by OpenBLAS, loaded when it is first chosen.
 *
 * OpenBLAS is never linked: its threaded flavours start threads while they are
 * being loaded, unless the environment asks for one thread at that moment.  So
 * the library is opened lazily, with the variables of all its flavours set,
 * and the environment is put back.  It stays open for the life of the process;
 * sgemm's address below is the one mutable global of the core, written once.
 *
 * The rows of one sgemm influence each other's last bits (rows_matter): which
 * tile a row falls into decides how its sum is built.  The encoder therefore
 * calls it text by text, in blocks counted from the text's first row.  The
 * weights are packed anew by every call: right for the portable path, not for
 * a fast one.
 *
 * What works row by row is shared with the scalar table.
 */
#include "kernel/kernel_scalar.h"

#include "kernel/decoding.h"
#include "kernel/int8.h"
#include "kernel/train_scalar.h"
#include "kernel/act.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* The part of cblas.h that is used here; blasint is int in libopenblas.so.0. */
enum
{
	ROW_MAJOR = 101,
	NO_TRANS = 111,
	TRANS = 112
};

typedef void (*SgemmFunction) (int order, int trans_a, int trans_b, int m, int n, int k,
							   float alpha, const float *a, int lda,
							   const float *b, int ldb,
							   float beta, float *c, int ldc);

static SgemmFunction sgemm;

/* ---- loading ---- */

static const char *const one_thread[] = {
	"OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"
};

#define N_VARIABLES ((int) (sizeof(one_thread) / sizeof(one_thread[0])))

/* Back to what they were; saved[i] is NULL for one that was not set. */
static void
restore_environment(char *const *saved)
{
	for (int i = 0; i < N_VARIABLES; i++)
		if (saved[i] != NULL)
			setenv(one_thread[i], saved[i], 1);
		else
			unsetenv(one_thread[i]);
}

/* dlopen while the environment asks for one thread; NULL: see *why. */
static void *
open_with_one_thread(const char **why)
{
	char	   *saved[N_VARIABLES] = {NULL};
	void	   *handle = NULL;
	int			n_set = 0;

	*why = "out of memory";
	for (int i = 0; i < N_VARIABLES; i++)
	{
		const char *value = getenv(one_thread[i]);

		if (value != NULL && (saved[i] = strdup(value)) == NULL)
			goto done;
	}
	while (n_set < N_VARIABLES && setenv(one_thread[n_set], "1", 1) == 0)
		n_set++;
	if (n_set == N_VARIABLES &&
		(handle = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL)) == NULL)
		*why = dlerror();
	restore_environment(saved);
done:
	for (int i = 0; i < N_VARIABLES; i++)
		free(saved[i]);
	return handle;
}

DbertStatus
dbert_openblas_load(DbertError *err)
{
	const char *why;
	void	   *handle;
	void		(*set_threads) (int);
	SgemmFunction found;

	if (sgemm != NULL)
		return DBERT_OK;
	handle = open_with_one_thread(&why);
	if (handle == NULL)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "cannot load OpenBLAS: %s", why);

	/* POSIX: a symbol's address may be stored through a pointer to void *. */
	*(void **) &set_threads = dlsym(handle, "openblas_set_num_threads");
	*(void **) &found = dlsym(handle, "cblas_sgemm");
	if (set_threads == NULL || found == NULL)
	{
		dlclose(handle);
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "cannot load OpenBLAS: it lacks cblas_sgemm");
	}
	/* Somebody else may have loaded it before, with more threads. */
	set_threads(1);
	sgemm = found;
	return DBERT_OK;
}

/* ---- products ---- */

#define QUERIES 64

static bool
empty(int m, int n, int k)
{
	return m <= 0 || n <= 0 || k <= 0;
}

/* The bias goes first and sgemm adds to it: one pass over y. */
static void
linear(float *y, size_t ldy, const float *x, size_t ldx,
	   const float *wp, const float *b, int m, int n, int k, int act)
{
	if (empty(m, n, k))
		return;
	for (int i = 0; b != NULL && i < m; i++)
		memcpy(y + i * ldy, b, (size_t) n * sizeof(float));
	sgemm(ROW_MAJOR, NO_TRANS, TRANS, m, n, k, 1, x, (int) ldx, wp, k,
		  b != NULL ? 1 : 0, y, (int) ldy);
	for (int i = 0; act != DBERT_ACT_NONE && i < m; i++)
		dbert_f32_activate__scalar(y + i * ldy, n, act);
}

/* One call of attention, or a block of its queries. */
typedef struct Attention
{
	const DbertScoring *scoring;
	const float *q;				/* of the block's first query */
	const float *k;				/* of key 0 */
	size_t		ld;
	int			t;
	int			d;
	float	   *scores;			/* [QUERIES, T], rows as many floats apart as the block sees keys */
	float	   *products;		/* with rows of distances, [QUERIES, .] */
} Attention;

/*
 * A row's scores of the keys that the block sees become weights: of those that
 * the row does not see, nothing.
 */
static void
weigh(float *scores, const DbertScoring *scoring, DbertKeys block, int i, int t)
{
	const DbertKeys seen = dbert_scoring_keys(scoring, i, i, t);
	int			before = seen.first - block.first,
				n = seen.end - seen.first;
	const float *bias = scoring->bias;

	if (bias != NULL)
		bias += seen.first - dbert_scoring_key(scoring, i);
	for (int j = 0; bias != NULL && j < n; j++)
		scores[before + j] += bias[j];
	dbert_f32_softmax_rows__scalar(scores + before, n, 1, n);
	memset(scores, 0, before * sizeof(float));
	memset(scores + before + n, 0, (block.end - seen.end) * sizeof(float));
}

/*
 * products[m, n] = scale times x[m, D] and the rows of distances from first on.
 */
static void
meet_distances(const Attention *a, const float *x, int m, const float *rows, int first, int n)
{
	sgemm(ROW_MAJOR, NO_TRANS, TRANS, m, n, a->d, a->scoring->scale, x, (int) a->ld,
		  rows + (size_t) (a->scoring->zero + first) * a->d, a->d, 0, a->products, n);
}

/*
 * Adds what m queries, the first of which stands at key place, have of the
 * vectors for distances to their scores of all keys.
 */
static void
add_distances(const Attention *a, int place, int m)
{
	const DbertScoring *s = a->scoring;
	int			t = a->t;

	if (s->query_rows != NULL)
		meet_distances(a, a->q, m, s->query_rows, 1 - place - m, t + m - 1);
	for (int i = 0; s->query_rows != NULL && i < m; i++)
		for (int j = 0; j < t; j++)
			a->scores[(size_t) i * t + j] += a->products[i * (t + m - 1) + m - 1 - i + j];
	for (int j = 0; s->key_rows != NULL && j < t; j += QUERIES)
	{
		int			keys = t - j < QUERIES ? t - j : QUERIES,
					n = keys + m - 1;

		meet_distances(a, a->k + j * a->ld, keys, s->key_rows, place - j - keys + 1, n);
		for (int i = 0; i < m; i++)
			for (int c = 0; c < keys; c++)
				a->scores[(size_t) i * t + j + c] += a->products[c * n + i + keys - 1 - c];
	}
}

/* QUERIES rows of scores at a time, counted from the first. */
static void
attention(float *out, size_t ldo, const float *q, const float *k, const float *v,
		  size_t ld, int m, int t, int d, const DbertScoring *scoring, float *scratch)
{
	Attention	a = {
		.scoring = scoring, .q = q, .k = k, .ld = ld, .t = t, .d = d, .scores = scratch,
		.products = scratch + (size_t) QUERIES * t
	};
	bool		relative = dbert_scoring_is_relative(scoring);

	for (int i = 0, rows; i < m; i += rows)
	{
		int			run = relative ? dbert_scoring_run(scoring, i, m) : m - i;
		DbertKeys	block;
		int			n;

		rows = run < QUERIES ? run : QUERIES;
		block = dbert_scoring_keys(scoring, i, i + rows - 1, t);
		n = block.end - block.first;
		a.q = q + i * ld;
		sgemm(ROW_MAJOR, NO_TRANS, TRANS, rows, n, d, scoring->scale, a.q, (int) ld,
			  k + block.first * ld, (int) ld, 0, scratch, n);
		if (relative)
			add_distances(&a, dbert_scoring_key(scoring, i), rows);
		for (int r = 0; r < rows; r++)
			weigh(scratch + (size_t) r * n, scoring, block, i + r, t);
		sgemm(ROW_MAJOR, NO_TRANS, NO_TRANS, rows, d, n, 1, scratch, n,
			  v + block.first * ld, (int) ld, 0, out + i * ldo, (int) ldo);
	}
}

/* Training's: both operands are rows of k numbers. */
static void
multiply(float *c, size_t ldc, const float *left, const float *right, const float *bias, bool add,
		 int m, int n, int k)
{
	if (empty(m, n, k))
		return;
	for (int i = 0; bias != NULL && i < m; i++)
		for (int j = 0; j < n; j++)
			c[i * ldc + j] = bias[j] + (add ? c[i * ldc + j] : 0);
	sgemm(ROW_MAJOR, NO_TRANS, TRANS, m, n, k, 1, left, k, right, k, bias != NULL || add ? 1 : 0, c,
		  (int) ldc);
}

const DbertTrainKernels dbert_train_openblas = {
	.multiply = multiply,
	DBERT_TRAIN_SCALAR
};

const DbertKernels dbert_kernels_openblas = {
	.name = "openblas",
	.layout = "f32-rowmajor",
	.bits = "",
	.rows_matter = true,
	.block_work = 64 * 3072 * 768,	/* 64 rows in DistilBERT-base: 4 ms at 77 GFLOP/s */
	.packed_linear_size = dbert_f32_packed_size__rowmajor,
	.panel = 1,
	.pack_linear = dbert_f32_pack__rowmajor,
	.linear = linear,
	.attention = attention,
	.layer_norm_rows = dbert_f32_layer_norm_rows__scalar,
	.rms_norm_rows = dbert_f32_rms_norm_rows__scalar,
	.gate_rows = dbert_f32_gate_rows__scalar,
	.int8 = &dbert_int8_scalar,
	.int7 = &dbert_int7_scalar,
	.decoding = &dbert_decoding_scalar,
	.train = &dbert_train_openblas,
};
