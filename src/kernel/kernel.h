/*
 * kernel.h -- the table of kernels, one constant instance per implementation.
 *
 * kernel_scalar.c is the definition: plain loops that say what each entry
 * computes.  Every other table is tested against it (test/test_kernel.c).
 *
 * Two rules for every implementation:
 *  - batch invariance: a row of the result depends on that row's inputs alone,
 *    or, for "rows_matter" tables (OpenBLAS), on the rows of the same call,
 *    which the encoder then makes text by text, never across texts;
 *  - nothing is touched but the outputs: no allocation, no globals, MXCSR and
 *    the number of threads as before.
 *
 * Letters M, N, K are used here only: rows, columns, depth of a product.
 */
#ifndef DBERT_KERNEL_KERNEL_H
#define DBERT_KERNEL_KERNEL_H

#include "base/status.h"
#include "kernel/scoring.h"

#include <stdbool.h>

/* What weights are stored as. */
typedef enum DbertWeightType
{
	DBERT_WEIGHT_F32 = 1,
	DBERT_WEIGHT_F16,
	DBERT_WEIGHT_BF16,
	DBERT_WEIGHT_I8				/* with a float scale for each row */
} DbertWeightType;

/*
 * Products with weights of 8 bits, or of sums that fit 16 bits (int7); the
 * schemes and their rules stand in int8.h.
 */
typedef struct DbertInt8Kernels
{
	/*
	 * Names the layout of a pack with such weights, the fp32 ones in it
	 * included.
	 */
	const char *layout;

	size_t		block_work;		/* as below */

	/* bytes that pack writes for a weight of [n, k] */
	size_t		(*packed_size) (int n, int k);
	int			panel;			/* as below, in bytes of packed_size */

	/* w [N, K] row-major, finite, to dst, 64-byte aligned; no aliasing */
	void		(*pack) (void *dst, const float *w, int n, int k);

	/*
	 * y[M,N] = act(x[M,K] W^T + b), see DbertKernels.linear; scratch holds
	 * dbert_int8_scratch(m, k) floats, 64-byte aligned.
	 */
	void		(*linear) (float *y, size_t ldy, const float *x, size_t ldx,
						   const void *wp, const float *b, int m, int n, int k, int act,
						   void *scratch);

	/*
	 * DbertKernels.attention in whole numbers, where a score has a scale and no
	 * more terms; t is at most DBERT_INT8_MAX_KEYS.
	 */
	void		(*attention) (float *out, size_t ldo, const float *q, const float *k,
							  const float *v, size_t ld, int m, int t, int d, float scale,
							  float *scratch);
} DbertInt8Kernels;

typedef struct DbertKernels
{
	const char *name;			/* "scalar", "avx2", ... */

	/*
	 * Names the layout of packed weights; part of a pack file's name, so that
	 * a pack made for other kernels is rebuilt, never misread.
	 */
	const char *layout;

	/*
	 * Names how results are rounded: tables of one name give the same bits, but
	 * for training, on every processor that they run on.  What is stored or
	 * indexed outlives a move between these.  Whoever changes a bit changes the
	 * name (test/test_kernel_bits.c).  "": not even two processors agree.
	 */
	const char *bits;

	/* true: linear's rows may influence each other's last bits */
	bool		rows_matter;

	/*
	 * Multiply-adds that take a few milliseconds: a caller that must stay
	 * interruptible asks for no more at once (dbert_block_rows in nn/run.h).
	 */
	size_t		block_work;

	/* floats that pack_linear writes for a weight of [N, K] */
	size_t		(*packed_linear_size) (int n, int k);

	/*
	 * Columns of y that lie together in the packed weight: those from j on, a
	 * multiple of panel, are a packed weight of their own that starts
	 * packed_linear_size(j, k) floats into it (dbert_linear_columns in
	 * nn/run.h).
	 */
	int			panel;

	/* w [N, K] row-major to dst in this layout; no aliasing */
	void		(*pack_linear) (float *dst, const float *w, int n, int k);

	/*
	 * y[M,N] = act(x[M,K] W^T + b).  wp is packed, b may be NULL; ldx, ldy are
	 * the distances of rows in floats; y aliases nothing; act is a DbertAct
	 * (kernel/act.h) passed as int.
	 */
	void		(*linear) (float *y, size_t ldy, const float *x, size_t ldx,
						   const float *wp, const float *b, int m, int n, int k, int act);

	/*
	 * out[M,D] = softmax(scores) v: M queries of one head against the T keys of
	 * one text, as scoring.h says.  q is [M,D], k and v are [T,D], rows ld
	 * apart; scratch holds dbert_attention_scratch(t, d) floats, 64-byte
	 * aligned; out aliases nothing.
	 */
	void (*attention)(float *out, size_t ldo, const float *q, const float *k, const float *v,
					  size_t ld, int m, int t, int d, const DbertScoring *scoring,
					  float *scratch);

	/*
	 * y = (x + r - mean) / sqrt(variance + eps) * gamma + beta, per row of
	 * [M,N]; r is the residual or NULL; y may be x or r; beta NULL is 0.
	 */
	void		(*layer_norm_rows) (float *y, const float *x, const float *r,
									const float *gamma, const float *beta,
									int m, int n, float eps);

	/* y = x / sqrt(mean of x^2 + eps) * gamma, per row of [M,N]; y may be x. */
	void		(*rms_norm_rows) (float *y, const float *x, const float *gamma,
								  int m, int n, float eps);

	/*
	 * y[M,N] = act(a) b, element by element; rows of all three are ld apart; y
	 * may be a.
	 */
	void		(*gate_rows) (float *y, const float *a, const float *b, size_t ld,
							  int m, int n, int act);

	const DbertInt8Kernels *int8;
	const DbertInt8Kernels *int7;
	const struct DbertHalfKernels *half;	/* half.h; NULL: weights are floats */
	const struct DbertDecodingKernels *decoding;	/* decoding.h */
	const struct DbertTrainKernels *train;	/* trainkernels.h */
} DbertKernels;

/*
 * Enough scratch for any table's attention: the scores of some queries, keys
 * and values packed, products with vectors for distances.
 */
static inline size_t
dbert_attention_scratch(int t, int d)
{
	return ((size_t) t + 64) * 2 * ((size_t) d + 96) + 8192;
}

/*
 * Enough scratch for any table's int8->linear: rows in 16 bits, their scales,
 * gaps.
 */
static inline size_t
dbert_int8_scratch(int m, int k)
{
	return 256 + (size_t) m * ((size_t) k / 2 + 48);
}

/* So that no sum of int8->attention exceeds 32 bits, nor a weight vanishes. */
#define DBERT_INT8_MAX_KEYS 32768

/* The definition. */
extern const DbertKernels dbert_kernels_scalar;

/*
 * Products by cblas_sgemm; usable only after dbert_openblas_load has succeeded.
 */
extern const DbertKernels dbert_kernels_openblas;

/*
 * Load libopenblas.so.0 with one thread, once per process; E_UNSUPPORTED when
 * it is not installed.  Not to be called by two threads at once.
 */
extern DbertStatus dbert_openblas_load(DbertError *err);

/*
 * The table for this machine: name NULL picks the best, a name forces that
 * one (E_UNSUPPORTED when it cannot run here).  OpenBLAS is loaded at the
 * first call that picks it, with one thread.
 */
extern DbertStatus dbert_kernels_choose(const char *name, const DbertKernels **out,
										DbertError *err);

/*
 * The i-th table that was built, in the order in which the best is looked for,
 * whether or not it can run here; NULL beyond the last.
 */
extern const DbertKernels *dbert_kernels_at(int i);

#endif
