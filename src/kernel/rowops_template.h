/*
 * rowops_template.h -- what works on each row alone, written once over a
 * vec_*.h: the parts of softmax, layer norm, RMS norm.
 *
 * A row is summed in 16 lanes, however many a vector has: number j belongs to
 * lane j % 16, and in the end halves are added to each other.  So vectors of
 * any width give the same bits (DbertKernels.bits).
 */
#ifndef DBERT_KERNEL_ROWOPS_TEMPLATE_H
#define DBERT_KERNEL_ROWOPS_TEMPLATE_H

#include "kernel/activate_template.h"
#include "kernel/hints.h"

/* DbertKernels.bits of tables that are made of the templates. */
#define TEMPLATE_BITS "fma16"

/* ---- sums ---- */

#define SUM_LANES 16
#define SUM_PARTS (SUM_LANES / VL)

typedef struct Sum
{
	Vec			part[SUM_PARTS];
} Sum;

/*
 * The vectors of a row of n, at being where one begins and part its place in a
 * Sum.
 */
#define FOR_SUM(at, part, n) \
	for (int row_ = 0; row_ < (n); row_ += SUM_LANES) \
		UNROLL \
		for (int part = 0, at = row_; part < SUM_PARTS; part++, at += VL) \
			if (part == 0 || at < (n))

static inline Sum
sum_zero(void)
{
	Sum			s;

	UNROLL
	for (int p = 0; p < SUM_PARTS; p++)
		s.part[p] = v_zero();
	return s;
}

static inline float
sum_total(Sum s)
{
	UNROLL
	for (int half = SUM_PARTS / 2; half > 0; half /= 2)
		UNROLL
		for (int p = 0; p < half; p++)
			s.part[p] = v_add(s.part[p], s.part[p + half]);
	return v_sum(s.part[0]);
}

/* ---- softmax ---- */

/* Some x become exp(scale (x - max)); the result is 0 beyond n. */
static inline Vec
exponentiate(float *x, int n, Vec max, float scale)
{
	Vec e = v_mul(v_sub(load_filled(x, n, v_set(-INFINITY)), max), v_set(scale));

	e = v_exp_normal(v_max(v_set(-87), e));
	store_first(x, n, e);
	return n >= VL ? e : v_keep(v_first(n), e);
}

/*
 * x[n] becomes exp(scale (x - max)), scale > 0; returns the sum of these.  What
 * is below e^-87 counts as that: nothing to a sum of 1 or more.
 */
static float
exponentials(float *x, int n, float scale)
{
	Vec			max = v_set(-INFINITY);
	Sum			sum = sum_zero();

	for (int j = 0; j < n; j += VL)
		max = v_max(load_filled(x + j, n - j, v_set(-INFINITY)), max);
	max = v_set(v_greatest(max));
	FOR_SUM(j, part, n)
		sum.part[part] = v_add(sum.part[part], exponentiate(x + j, n - j, max, scale));
	return sum_total(sum);
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
