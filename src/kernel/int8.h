/*
 * int8.h -- products of 8-bit integers: the scheme, and what its
 * implementations share.
 *
 *   y[m,n] = act((float) sum_k q(x)[m,k] q(W)[n,k] * (sx[m] * sw[n]) + b[n])
 *
 * Each row of W has a scale of its own, its largest magnitude over 127, and
 * becomes whole numbers -127 .. 127 (symmetric, per output channel).  Each row
 * of x has one, too, at run time, so that nothing has to be calibrated: its
 * span, from the lowest to the highest value and 0 among them, over 254, so
 * that its whole numbers take 256 values at most.  The span, not the largest
 * magnitude: a few channels of BERT's hidden states stand far out, most of
 * them to one side, and GELU has next to no negative values; measured on
 * MiniLM, it halves the error.  Numbers go to the nearest, ties to even.
 * (Jacob et al. 2017, arXiv:1712.05877, section 2; Zafrir et al. 2019,
 * arXiv:1910.06188, for BERT; Bondarenko et al. 2021, arXiv:2109.12948, on the
 * outliers.)
 *
 * Every implementation gives the bits of int8_scalar.c up to the activation:
 * the sums are exact, and the few operations on floats are fixed: the span,
 * span / 254, 254 / span, x * that, the sum to float, sx * sw, the product,
 * the sum with b (or 0), each rounded once, no fused multiply-add.  The
 * activation is that of the table of the same instructions.
 *
 * int7.  The same, with weights whose sums of products fit 16 bits, so that
 * vpmaddubsw, which multiplies bytes and saturates, can add four products of a
 * column before they are widened.  The four are k = 0, 1, 4, 5 or 2, 3, 6, 7
 * of each 8, as they fall into a lane.  A row's numbers are 0 .. 255, counted
 * from its lowest; so a column's scale is such that in every four the numbers
 * of either sign sum to 128 at most: 255 * 128 < 2^15.  It is the largest such
 * sum of the weights over 126, as rounding adds 2 at most.  Weights still take
 * up to 253 values; against int8, whose scale follows the largest weight alone,
 * some half a bit is lost.
 *
 * Attention.  A head's scores are such products of queries and keys: queries
 * are rows, each key has a scale of its own, its largest magnitude.  Softmax is
 * fp32's.  The weights of a row, which sum to 1, and the values, each column
 * with a scale of its own, become whole numbers of 16 bits, and their products
 * are summed exactly, too: with 8 bits the many small weights of a long text
 * would be lost.  In int7 queries have 126 steps and keys 63.  No text's result
 * depends on its company, since all scales are the text's own.
 *
 * A row with NaN or infinity anywhere, or a span beyond the largest float,
 * gives NaN everywhere; a span below 2^-100 counts as zeros.
 */
#ifndef DBERT_KERNEL_INT8_H
#define DBERT_KERNEL_INT8_H

#include "kernel/kernel.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define DBERT_I8_WEIGHT_STEPS 127	/* of a magnitude */
#define DBERT_I8_ROW_STEPS 254	/* of a span: both its ends may round outwards */
#define DBERT_I8_LEAST 0x1p-100f
#define DBERT_I7_SUM_STEPS 126	/* of a sum of four */

#define DBERT_I8_KEY_STEPS 127	/* of a magnitude */
#define DBERT_I7_QUERY_STEPS 126	/* of a span: 4 * 127 * 63 < 2^15 */
#define DBERT_I7_KEY_STEPS 63
#define DBERT_I8_WEIGHT16_STEPS 32767	/* of 1 */
#define DBERT_I8_VALUE_STEPS 16383	/* of a magnitude: sums of 100000 tokens fit 32 bits */

typedef struct DbertI8Scale
{
	float		scale;			/* a whole number times this is the value; NaN: nothing is */
	float		inverse;		/* a value times this, rounded, is the whole number; or 0 */
} DbertI8Scale;

static inline DbertI8Scale
dbert_i8_scale(float span, int steps)
{
	if (!(span <= FLT_MAX))
		return (DbertI8Scale) {NAN, 0};
	if (span < DBERT_I8_LEAST)
		return (DbertI8Scale) {0, 0};
	return (DbertI8Scale) {span / (float) steps, (float) steps / span};
}

/* The scale of a row of weights, which are finite: int8's and int7's. */
extern DbertI8Scale dbert_i8_weight_scale(const float *w, int k);
extern DbertI8Scale dbert_i7_weight_scale(const float *w, int k);

typedef DbertI8Scale (*DbertI8WeightScale) (const float *w, int k);

/* q[k] = w[k] in whole numbers of this scale */
extern void dbert_i8_round(int8_t *q, const float *w, int k, DbertI8Scale scale);

/* The definitions; their layout: rows, each a scale and its K numbers. */
extern const DbertInt8Kernels dbert_int8_scalar;
extern const DbertInt8Kernels dbert_int7_scalar;

#endif
