/*
 * trainkernels.h -- the kernels of training: products of two matrices that
 * both change from step to step, what works on rows, the optimizer.
 *
 * A table of kernels has them as its train; train_scalar.c is the definition,
 * against which test/test_train_ops.c holds the others.  Unless the table's
 * rows_matter is true, a row of any result depends on that row's inputs alone,
 * an element of a product on its row and column.
 */
#ifndef DBERT_KERNEL_TRAINKERNELS_H
#define DBERT_KERNEL_TRAINKERNELS_H

#include "kernel/kernel.h"

#include <stdint.h>

/*
 * The dropout mask of a row: element j is kept unless a hash of start + j and
 * mix is below the threshold.  train/random.h gives each row its numbers.
 */
typedef struct DbertDropRow
{
	uint32_t	start;
	uint32_t	mix;
	uint32_t	threshold;		/* p in units of 2^-31 */
	float		scale;			/* of what is kept: 1 / (1 - p) */
} DbertDropRow;

#define DBERT_DROP_MULTIPLIER1 0x7feb352du
#define DBERT_DROP_MULTIPLIER2 0x846ca68bu

/*
 * 0, or the scale.  Two rounds of multiplication by Wellons' "lowbias32"
 * constants, in 32 bits since AVX2 has no wider product.
 */
static inline float
dbert_drop_factor(const DbertDropRow *row, uint32_t j)
{
	uint32_t	x = row->start + j;

	x = (x ^ x >> 16) * DBERT_DROP_MULTIPLIER1 ^ row->mix;
	x = (x ^ x >> 15) * DBERT_DROP_MULTIPLIER2;
	return x >> 1 < row->threshold ? 0 : row->scale;
}

/* One step of AdamW for some parameters. */
typedef struct DbertAdamW
{
	float		clip;			/* factor of the gradients */
	float		beta1,
				beta2;
	float		shrink;			/* 1 - learning rate times decay */
	float		rate;			/* learning rate / (1 - beta1^step) */
	float		root;			/* 1 / sqrt(1 - beta2^step) */
	float		eps;
} DbertAdamW;

/* drop NULL: nothing is dropped.  Rows have n elements without gaps. */
typedef struct DbertTrainKernels
{
	/*
	 * Operands are packed first: rows of the left and columns of the right one
	 * in panels of so many lanes.  Lanes from j on, a multiple of the width,
	 * are a packed operand of their own that starts j k floats in.
	 */
	int			left_lanes,
				right_lanes;

	/*
	 * lanes of k numbers each, k the depth of the product, to dst: as many
	 * floats as the next multiple of the panel's lanes has.  Number p of lane
	 * j is src[j ld + p] or, across, src[p ld + j].
	 */
	void (*pack_left)(float *dst, const float *src, size_t ld, bool across, int lanes, int k);
	void (*pack_right)(float *dst, const float *src, size_t ld, bool across, int lanes, int k);

	/*
	 * sum[lanes] = the sum of each lane of a packed left operand, plus sum
	 * where add
	 */
	void		(*sum_left) (float *sum, const float *left, int lanes, int k, bool add);

	/* c[M,N] = left right, plus bias[N] unless NULL, plus c where add */
	void (*multiply)(float *c, size_t ldc, const float *left, const float *right, const float *bias,
					 bool add, int m, int n, int k);

	/* y = act(x), act a DbertAct; y may be x */
	void		(*activate) (float *y, const float *x, size_t count, int act);

	/* dx = dy act'(x), x and y being input and output; dx may be any of them */
	void (*activate_backward)(float *dx, const float *x, const float *y, const float *dy,
							  size_t count, int act);

	/* y = x, dropped out; y may be x */
	void		(*dropout) (float *y, const float *x, int n, const DbertDropRow *drop);

	/*
	 * s = dropout(x) + r (NULL: 0), xhat = (s - mean) rstd, y = xhat gamma +
	 * beta (NULL: 0); returns rstd.  xhat may be x or r; y aliases neither xhat
	 * nor x.
	 */
	float (*norm)(float *xhat, float *y, const float *x, const float *r, const DbertDropRow *drop,
				  const float *gamma, const float *beta, int n, float eps);

	/* ds from dy; dx = ds dropped out, unless dx is NULL.  ds may be dy. */
	void (*norm_backward)(float *ds, float *dx, const float *xhat, float rstd, const float *dy,
						  const DbertDropRow *drop, const float *gamma, int n);

	/*
	 * p = softmax(scale p), scale > 0; dropped = p dropped out, unless drop is
	 * NULL
	 */
	void		(*softmax) (float *p, float *dropped, int n, float scale, const DbertDropRow *drop);

	/*
	 * dp, the derivative by dropped, becomes that by the argument before the
	 * scale
	 */
	void (*softmax_backward)(float *dp, const float *p, int n, float scale,
							 const DbertDropRow *drop);

	/*
	 * sum[j] = x[i,j] over the m rows, dot[j] = x[i,j] y[i,j] (either NULL: not
	 * wanted); rows are ld apart
	 */
	void (*sum_columns)(float *sum, float *dot, const float *x, const float *y, size_t ld, int m,
						int n);

	double		(*sum_squares) (const float *x, size_t count);

	/* w, mean, square from the gradients g */
	void		(*adamw) (float *w, const float *g, float *mean, float *square, size_t count,
						  const DbertAdamW *step);
} DbertTrainKernels;

/* Columns that sum_columns takes at once at most. */
#define DBERT_SUM_COLUMNS 128

/* The definition, and the same with OpenBLAS's products. */
extern const DbertTrainKernels dbert_train_scalar;
extern const DbertTrainKernels dbert_train_openblas;

#endif
