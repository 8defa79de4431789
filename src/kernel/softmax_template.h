/*
 * softmax_template.h -- sums of a row, and softmax's exponentials, written once
 * over a vec_*.h.
 *
 * A row is summed in 16 lanes, however many a vector has: number j belongs to
 * lane j % 16, and in the end halves are added to each other.  So vectors of
 * any width give the same bits (DbertKernels.bits).
 */
#ifndef DBERT_KERNEL_SOFTMAX_TEMPLATE_H
#define DBERT_KERNEL_SOFTMAX_TEMPLATE_H

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

static float
greatest(const float *x, int n)
{
	const Vec	least = v_set(-INFINITY);
	Vec			even = least,	/* two, which do not wait for each other */
				odd = least;

	for (int j = 0; j < n; j += 2 * VL)
	{
		even = v_max(load_filled(x + j, n - j, least), even);
		odd = v_max(load_filled(x + j + VL, n - j - VL, least), odd);
	}
	return v_greatest(v_max(even, odd));
}

/*
 * x[n], of which max is the greatest, becomes exp(scale (x - max)), scale > 0;
 * returns the sum of these.  What is below e^-87 counts as that: nothing to a
 * sum of 1 or more.
 */
static float
exponentials_below(float *x, int n, float max, float scale)
{
	Sum			sum = sum_zero();

	FOR_SUM(j, part, n)
		sum.part[part] = v_add(sum.part[part], exponentiate(x + j, n - j, v_set(max), scale));
	return sum_total(sum);
}

static inline float
exponentials(float *x, int n, float scale)
{
	return exponentials_below(x, n, greatest(x, n), scale);
}

#endif
