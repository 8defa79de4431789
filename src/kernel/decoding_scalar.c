/*
 * decoding_scalar.c -- the definition of a decoder's kernels, in plain loops.
 * Sums are kept in double and rounded once.
 */
#include "kernel/decoding.h"

#include <math.h>

static float
score(const float *q, const float *k, int d, float scale)
{
	double		sum = 0;

	for (int i = 0; i < d; i++)
		sum += (double) q[i] * k[i];
	return (float) (scale * sum);
}

/* x becomes e^(x - the greatest); the sum of these. */
static double
weigh(float *x, int n)
{
	float		max = x[0];
	double		sum = 0;

	for (int j = 1; j < n; j++)
		max = x[j] > max ? x[j] : max;
	for (int j = 0; j < n; j++)
		sum += x[j] = expf(x[j] - max);
	return sum;
}

static void
attend(float *out, const float *q, const float *const *keys, size_t values, int t, int heads,
	   int d, float scale, float *scratch)
{
	for (int h = 0; h < heads * d; h += d)
	{
		double		all;

		for (int j = 0; j < t; j++)
			scratch[j] = score(q + h, keys[j] + h, d, scale);
		all = weigh(scratch, t);
		for (int i = h; i < h + d; i++)
		{
			double		sum = 0;

			for (int j = 0; j < t; j++)
				sum += (double) scratch[j] * keys[j][values + i];
			out[i] = (float) (sum / all);
		}
	}
}

static bool
maxima(float *most, const float *x, int n)
{
	bool		finite = true;

	for (int j = 0; j < n; j++)
	{
		float	   *block = &most[j / DBERT_MAXIMA_BLOCK];

		if (j % DBERT_MAXIMA_BLOCK == 0 || x[j] > *block)
			*block = x[j];
		finite &= isfinite(x[j]) != 0;
	}
	return finite;
}

static float
exp_sum(const float *x, int n, float max)
{
	double		sum = 0;

	for (int j = 0; j < n; j++)
		sum += expf(x[j] - max);
	return (float) sum;
}

const DbertDecodingKernels dbert_decoding_scalar = {
	.attend = attend,
	.maxima = maxima,
	.exp_sum = exp_sum,
};
