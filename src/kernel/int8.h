/*
 * int8.h -- products of 8-bit integers: the scheme, and what its
 * implementations share.
 *
 *   y[m,n] = act((float) sum_k q(x)[m,k] q(W)[n,k] * (sx[m] * sw[n]) + b[n])
 *
 * Each row of W and each row of x has a scale of its own, its largest
 * magnitude over 127, and becomes whole numbers -127 .. 127, to the nearest,
 * ties to even: symmetric, per output channel and per token; the latter at run
 * time, so that nothing has to be calibrated.  (Jacob et al. 2017,
 * arXiv:1712.05877, section 2; Zafrir et al. 2019, arXiv:1910.06188, for BERT.)
 *
 * Every implementation gives the bits of int8_scalar.c up to the activation:
 * the sums are exact, and the few operations on floats are fixed: max / 127,
 * 127 / max, x * that, the sum to float, sx * sw, the product, the sum with b
 * (or 0), each rounded once, no fused multiply-add.  The activation is that of
 * the table of the same instructions.
 *
 * A row with NaN or infinity anywhere gives NaN everywhere (the encoder's fp32
 * products do nearly the same); a row below 2^-100 everywhere counts as zeros.
 */
#ifndef DBERT_KERNEL_INT8_H
#define DBERT_KERNEL_INT8_H

#include "kernel/kernel.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Magnitudes compare as floats do, NaN above all. */
#define DBERT_I8_MAGNITUDE 0x7fffffff
#define DBERT_I8_LEAST 0x1p-100f

typedef struct DbertI8Scale
{
	float		scale;			/* a whole number times this is the value; NaN: nothing is */
	float		inverse;		/* a value times this, rounded, is the whole number */
} DbertI8Scale;

/* bits: of the largest magnitude in a row */
static inline DbertI8Scale
dbert_i8_scale(uint32_t bits)
{
	float		max;

	memcpy(&max, &bits, sizeof(max));
	if (!(max <= FLT_MAX))
		return (DbertI8Scale) {NAN, 0};
	if (max < DBERT_I8_LEAST)
		return (DbertI8Scale) {0, 0};
	return (DbertI8Scale) {max / 127, 127 / max};
}

/* A row's scale; NaN with inverse 0 where x is not finite throughout. */
extern DbertI8Scale dbert_i8_row_scale(const float *x, int k);

/* q[k] = x[k] in whole numbers of this scale */
extern void dbert_i8_round(int8_t *q, const float *x, int k, DbertI8Scale scale);

/* The definition; its layout: scales [N], then rows [N,K]. */
extern const DbertInt8Kernels dbert_int8_scalar;

#if defined(__x86_64__)
extern const DbertInt8Kernels dbert_int8_avx2;
extern const DbertInt8Kernels dbert_int8_avx2_vnni;
extern const DbertInt8Kernels dbert_int8_avx512;
extern const DbertInt8Kernels dbert_int8_avx512_vnni;
#endif

#endif
