/*
 * kernel_scalar.h -- entries of the scalar table that other tables share.
 *
 * The contracts are those of DbertKernels (kernel.h).
 */
#ifndef DBERT_KERNEL_SCALAR_H
#define DBERT_KERNEL_SCALAR_H

#include "kernel/kernel.h"

#include <stdint.h>
#include <string.h>

/* The layout "f32-rowmajor": a weight as PyTorch stores it. */
extern size_t dbert_f32_packed_size__rowmajor(int n, int k);
extern void dbert_f32_pack__rowmajor(float *dst, const float *w, int n, int k);

extern void dbert_f32_softmax_rows__scalar(float *x, size_t ldx, int m, int n);
extern void dbert_f32_layer_norm_rows__scalar(float *y, const float *x, const float *r,
											  const float *gamma, const float *beta,
											  int m, int n, float eps);
extern void dbert_f32_activate__scalar(float *x, size_t count, int act);

extern const DbertTrainKernels dbert_train_scalar;

/*
 * exp(x) for x <= 0, within 2 ulp, without branches, for compilers to make vectors of
 * it: 2^n e^r, n the nearest integer to x / ln 2 (Cody and Waite 1980).
 */
static inline float
dbert_exp_negative(float x)
{
	float		at = x < -87 ? -87 : x,
				shifted = at * 1.44269504f + 12582912.0f,	/* 1.5 * 2^23: rounds */
				n = shifted - 12582912.0f,
				r = at - n * 0.693359375f + n * 2.12194440e-4f,
				p = 1.9875691500e-4f,
				power;
	int32_t		bits = ((int32_t) n + 127) * (1 << 23);

	p = p * r + 1.3981999507e-3f;
	p = p * r + 8.3334519073e-3f;
	p = p * r + 4.1665795894e-2f;
	p = p * r + 1.6666665459e-1f;
	p = p * r + 5.0000001201e-1f;
	memcpy(&power, &bits, sizeof(power));
	return (p * r * r + r + 1) * power;
}

#endif
