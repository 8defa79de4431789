/*
 * rowops_template.h -- what works on each row alone, written once over a
 * vec_*.h: the parts of softmax, layer norm.
 */
#ifndef DBERT_KERNEL_ROWOPS_TEMPLATE_H
#define DBERT_KERNEL_ROWOPS_TEMPLATE_H

#include "kernel/activate_template.h"

/*
 * x[n] becomes exp(scale (x - max)), scale > 0; returns the sum of these.  What
 * is below e^-87, beyond n, too, counts as that: nothing to a sum of 1 or more.
 */
static float
exponentials(float *x, int n, float scale)
{
	const Vec	least = v_set(-INFINITY);
	Vec			max = least,
				sum = v_zero();

	for (int j = 0; j < n; j += VL)
		max = v_max(load_filled(x + j, n - j, least), max);
	max = v_set(v_greatest(max));
	for (int j = 0; j < n; j += VL)
	{
		Vec			e = v_mul(v_sub(load_filled(x + j, n - j, least), max), v_set(scale));

		e = v_exp_normal(v_max(v_set(-87), e));
		store_first(x + j, n - j, e);
		sum = v_add(sum, e);
	}
	return v_sum(sum);
}

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
	Vec			sum = v_zero(),
				square = v_zero(),
				mean,
				scale;

	for (int j = 0; j < n; j += VL)
	{
		Vec			s = load_filled(x + j, n - j, v_zero());

		if (r != NULL)
			s = v_add(s, load_filled(r + j, n - j, v_zero()));
		store_first(y + j, n - j, s);
		sum = v_add(sum, s);
	}
	mean = v_set(v_sum(sum) / (float) n);
	for (int j = 0; j < n; j += VL)
	{
		Vec			s = v_sub(load_filled(y + j, n - j, mean), mean);

		square = v_fma(s, s, square);
	}
	scale = v_set(1 / sqrtf(v_sum(square) / (float) n + eps));
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
	Vec			square = v_zero(),
				scale;

	for (int j = 0; j < n; j += VL)
	{
		Vec			s = load_filled(x + j, n - j, v_zero());

		square = v_fma(s, s, square);
	}
	scale = v_set(1 / sqrtf(v_sum(square) / (float) n + eps));
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
