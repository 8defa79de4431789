/*
 * decoding_template.h -- a decoder's kernels (decoding.h), written once over a
 * vec_*.h.
 *
 * Keys and values of a token lie side by side, of all heads, and tokens
 * anywhere: so the scores of all heads are taken key by key, each row of keys
 * read from its begin to its end, and its values are fetched meanwhile.  Then
 * the values' sums are taken head by head, in registers.
 *
 * Sums over a row are in 16 lanes (softmax_template.h), those of values in the
 * order of the keys: the same bits with vectors of any width.
 */
#ifndef DBERT_KERNEL_DECODING_TEMPLATE_H
#define DBERT_KERNEL_DECODING_TEMPLATE_H

#include "kernel/decoding.h"
#include "kernel/rowops_template.h"

#define SIDE 64					/* columns of values that are summed side by side */
#define SIDE_PARTS (SIDE / VL)

static inline float
dot_of_rows(const float *a, const float *b, int n)
{
	Sum			sum = sum_zero();

	FOR_SUM(j, part, n)
		sum.part[part] = v_fma(load_filled(a + j, n - j, v_zero()),
							   load_filled(b + j, n - j, v_zero()), sum.part[part]);
	return sum_total(sum);
}

/* scores[H, T] */
static void
score_keys(float *scores, const float *q, const float *const *keys, size_t values, int t,
		   int heads, int d)
{
	for (int j = 0; j < t; j++)
	{
		const float *k = keys[j];

		for (int i = 0; i < heads * d; i += 64 / (int) sizeof(float))
			v_prefetch_far(k + values + i);
		for (int h = 0; h < heads; h++)
			scores[(size_t) h * t + j] = dot_of_rows(q + h * d, k + h * d, d);
	}
}

/* out[n] = factor (weights[T] times n columns of values, from column at on) */
static inline __attribute__((always_inline)) void
sum_side(float *out, const float *weights, const float *const *keys, size_t at, int t, int n,
		 float factor)
{
	Vec			sum[SIDE_PARTS];

	UNROLL
	for (int p = 0; p < SIDE_PARTS; p++)
		sum[p] = v_zero();
	for (int j = 0; j < t; j++)
	{
		const float *v = keys[j] + at;
		Vec			weight = v_set(weights[j]);

		UNROLL
		for (int p = 0; p < SIDE_PARTS; p++)
			if (p * VL < n)
				sum[p] = v_fma(weight, load_filled(v + p * VL, n - p * VL, v_zero()), sum[p]);
	}
	UNROLL
	for (int p = 0; p < SIDE_PARTS; p++)
		if (p * VL < n)
			store_first(out + p * VL, n - p * VL, v_mul(sum[p], v_set(factor)));
}

static void
sum_head(float *out, const float *weights, const float *const *keys, size_t at, int t, int d,
		 float factor)
{
	for (int i = 0; i < d; i += SIDE)
		if (d - i >= SIDE)
			sum_side(out + i, weights, keys, at + i, t, SIDE, factor);
		else
			sum_side(out + i, weights, keys, at + i, t, d - i, factor);
}

static void
attend(float *out, const float *q, const float *const *keys, size_t values, int t, int heads,
	   int d, float scale, float *scratch)
{
	score_keys(scratch, q, keys, values, t, heads, d);
	for (int h = 0; h < heads; h++)
	{
		float	   *weights = scratch + (size_t) h * t,
					sum = exponentials(weights, t, scale);

		sum_head(out + h * d, weights, keys, values + h * d, t, d, 1 / sum);
	}
}

static bool
maxima(float *most, const float *x, int n)
{
	Vec			poison = v_zero();	/* NaN as soon as a number is not finite */

	for (int first = 0; first < n; first += DBERT_MAXIMA_BLOCK)
	{
		Vec			max = v_set(-INFINITY);

		for (int j = first; j < first + DBERT_MAXIMA_BLOCK && j < n; j += VL)
		{
			Vec			v = load_filled(x + j, n - j, v_set(x[first]));

			max = v_max(v, max);
			poison = v_fma(v, v_zero(), poison);
		}
		most[first / DBERT_MAXIMA_BLOCK] = v_greatest(max);
	}
	return v_sum(poison) == 0;
}

static float
exp_sum(const float *x, int n, float max)
{
	Sum			sum = sum_zero();

	FOR_SUM(j, part, n)
	{
		Vec			e = v_sub(load_filled(x + j, n - j, v_set(-INFINITY)), v_set(max));

		e = v_exp_normal(v_max(v_set(-87), e));
		sum.part[part] = v_add(sum.part[part], n - j >= VL ? e : v_keep(v_first(n - j), e));
	}
	return sum_total(sum);
}

static const DbertDecodingKernels decoding_kernels = {
	.attend = attend,
	.maxima = maxima,
	.exp_sum = exp_sum,
};

#endif
