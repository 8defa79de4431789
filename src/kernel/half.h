/*
 * half.h -- products with weights of 16 bits, as most checkpoints have them:
 * IEEE 754's binary16 (F16) or the upper halves of floats (BF16).
 *
 * Every such number is a float, too.  So weights stay as they are in a pack,
 * where they take half the room, and become floats in registers, as a product
 * reads them: the bits are those of DbertKernels.linear with the same weights
 * as floats.  A text of few tokens waits for its weights to come from memory,
 * and waits half as long.
 *
 * half_scalar.c is the definition.  A table that has none of these gets its
 * weights as floats.
 */
#ifndef DBERT_KERNEL_HALF_H
#define DBERT_KERNEL_HALF_H

#include "kernel/kernel.h"

#include <stdint.h>

/* type is DBERT_WEIGHT_F16 or _BF16 everywhere. */
typedef struct DbertHalfKernels
{
	/*
	 * w [N, K] row-major to dst, packed_linear_size(n, k) numbers, in panels as
	 * pack_linear's; no aliasing
	 */
	void		(*pack) (uint16_t *dst, const uint16_t *w, int n, int k, DbertWeightType type);

	/* DbertKernels.linear with such weights */
	void		(*linear) (float *y, size_t ldy, const float *x, size_t ldx,
						   const uint16_t *wp, DbertWeightType type, const float *b,
						   int m, int n, int k, int act);

	/* to[count] = from[count] as floats */
	void		(*widen) (float *to, const uint16_t *from, size_t count, DbertWeightType type);
} DbertHalfKernels;

/* The definition. */
extern const DbertHalfKernels dbert_half_scalar;

#endif
