/*
 * rowops_template.h -- what works on each row alone, written once over a
 * vec_*.h: rows of scores, layer norm, RMS norm.
 */
#ifndef DBERT_KERNEL_ROWOPS_TEMPLATE_H
#define DBERT_KERNEL_ROWOPS_TEMPLATE_H

#include "kernel/softmax_template.h"

/* ---- scores ---- */

/* x[n] becomes scale x + y */
static void
scale_and_add(float *x, int n, float scale, const float *y)
{
	for (int j = 0; j < n; j += VL)
		store_first(x + j, n - j, v_fma(v_set(scale), load_filled(x + j, n - j, v_zero()),
										load_filled(y + j, n - j, v_zero())));
}

static void
add(float *x, int n, const float *y)
{
	for (int j = 0; j < n; j += VL)
		store_first(x + j, n - j, v_add(load_filled(x + j, n - j, v_zero()),
										load_filled(y + j, n - j, v_zero())));
}

static void
multiply(float *x, int n, float factor)
{
	for (int j = 0; j < n; j += VL)
		store_first(x + j, n - j, v_mul(load_filled(x + j, n - j, v_zero()), v_set(factor)));
}

/* ---- norms ---- */

/* y = s gamma + beta, which may be NULL */
static inline void
scale_and_shift(float *y, Vec s, const float *gamma, const float *beta, int n)
{
	Vec			shift = beta != NULL ? load_filled(beta, n, v_zero()) : v_zero();

	store_first(y, n, v_fma(s, load_filled(gamma, n, v_zero()), shift));
}

/* Two passes: E[x^2] - E[x]^2 would cancel. */
static void
layer_norm_row(float *y, const float *x, const float *r,
			   const float *gamma, const float *beta, int n, float eps)
{
	Sum			sum = sum_zero(),
				square = sum_zero();
	Vec			mean,
				scale;

	FOR_SUM(j, part, n)
	{
		Vec			s = load_filled(x + j, n - j, v_zero());

		if (r != NULL)
			s = v_add(s, load_filled(r + j, n - j, v_zero()));
		store_first(y + j, n - j, s);
		sum.part[part] = v_add(sum.part[part], s);
	}
	mean = v_set(sum_total(sum) / (float) n);
	FOR_SUM(j, part, n)
	{
		Vec			s = v_sub(load_filled(y + j, n - j, mean), mean);

		square.part[part] = v_fma(s, s, square.part[part]);
	}
	scale = v_set(1 / sqrtf(sum_total(square) / (float) n + eps));
	for (int j = 0; j < n; j += VL)
	{
		Vec			s = v_mul(v_sub(load_filled(y + j, n - j, mean), mean), scale);

		scale_and_shift(y + j, s, gamma + j, beta != NULL ? beta + j : NULL, n - j);
	}
}

static void
layer_norm_rows(float *y, const float *x, const float *r,
				const float *gamma, const float *beta, int m, int n, float eps)
{
	for (size_t i = 0, at = 0; i < (size_t) m; i++, at += n)
		layer_norm_row(y + at, x + at, r != NULL ? r + at : NULL, gamma, beta, n, eps);
}

static void
rms_norm_row(float *y, const float *x, const float *gamma, int n, float eps)
{
	Sum			square = sum_zero();
	Vec			scale;

	FOR_SUM(j, part, n)
	{
		Vec			s = load_filled(x + j, n - j, v_zero());

		square.part[part] = v_fma(s, s, square.part[part]);
	}
	scale = v_set(1 / sqrtf(sum_total(square) / (float) n + eps));
	for (int j = 0; j < n; j += VL)
		store_first(y + j, n - j, v_mul(v_mul(load_filled(x + j, n - j, v_zero()), scale),
										load_filled(gamma + j, n - j, v_zero())));
}

static void
rms_norm_rows(float *y, const float *x, const float *gamma, int m, int n, float eps)
{
	for (size_t i = 0, at = 0; i < (size_t) m; i++, at += n)
		rms_norm_row(y + at, x + at, gamma, n, eps);
}

#endif
