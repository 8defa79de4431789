/*
 * kernel_scalar.c -- the definition of every kernel, in plain loops.
 *
 * This is what the other tables are tested against, and what runs where no
 * other table can.  Sums (products, means, variances, the softmax's
 * denominator) are kept in double and rounded once, so that a comparison
 * measures the other table's error and not this one's.
 *
 * Sources: Ba et al. 2016 (arXiv:1607.06450), layer norm; Hendrycks and Gimpel
 * 2016 (arXiv:1606.08415), GELU, its tanh form and SiLU; Zhang and Sennrich
 * 2019 (arXiv:1910.07467), RMS norm; Shazeer 2020 (arXiv:2002.05202), gates.
 */
#include "kernel/kernel_scalar.h"

#include "kernel/decoding.h"
#include "kernel/half.h"
#include "kernel/int8.h"
#include "kernel/trainkernels.h"
#include "kernel/act.h"

#include <math.h>
#include <string.h>

size_t
dbert_f32_packed_size__rowmajor(int n, int k)
{
	return (size_t) n * (size_t) k;
}

void
dbert_f32_pack__rowmajor(float *dst, const float *w, int n, int k)
{
	memcpy(dst, w, (size_t) n * (size_t) k * sizeof(float));
}

static double
dot(const float *a, const float *b, int k)
{
	double		sum = 0;

	for (int i = 0; i < k; i++)
		sum += (double) a[i] * b[i];
	return sum;
}

static void
softmax_row(float *x, int n)
{
	float		max = x[0];
	double		sum = 0;
	float		scale;

	for (int j = 1; j < n; j++)
		max = x[j] > max ? x[j] : max;
	for (int j = 0; j < n; j++)
		x[j] = expf(x[j] - max);
	for (int j = 0; j < n; j++)
		sum += x[j];
	scale = (float) (1 / sum);
	for (int j = 0; j < n; j++)
		x[j] *= scale;
}

void
dbert_f32_softmax_rows__scalar(float *x, size_t ldx, int m, int n)
{
	for (int i = 0; i < m; i++)
		softmax_row(x + i * ldx, n);
}

/* Two passes: E[x^2] - E[x]^2 would cancel. */
static void
layer_norm_row(float *y, const float *x, const float *r,
			   const float *gamma, const float *beta, int n, float eps)
{
	double		sum = 0,
				square = 0;
	float		mean,
				scale;

	for (int j = 0; j < n; j++)
		sum += y[j] = r ? x[j] + r[j] : x[j];
	mean = (float) (sum / n);
	for (int j = 0; j < n; j++)
		square += (double) (y[j] - mean) * (y[j] - mean);
	scale = (float) (1 / sqrt(square / n + eps));
	for (int j = 0; j < n; j++)
		y[j] = (y[j] - mean) * scale * gamma[j] + (beta != NULL ? beta[j] : 0);
}

void
dbert_f32_layer_norm_rows__scalar(float *y, const float *x, const float *r,
								  const float *gamma, const float *beta,
								  int m, int n, float eps)
{
	for (size_t i = 0, at = 0; i < (size_t) m; i++, at += n)
		layer_norm_row(y + at, x + at, r ? r + at : NULL, gamma, beta, n, eps);
}

void
dbert_f32_rms_norm_rows__scalar(float *y, const float *x, const float *gamma, int m, int n,
								float eps)
{
	for (int i = 0; i < m; i++, x += n, y += n)
	{
		float		scale = (float) (1 / sqrt(dot(x, x, n) / n + eps));

		for (int j = 0; j < n; j++)
			y[j] = x[j] * scale * gamma[j];
	}
}

static float
gelu(float x)
{
	return 0.5f * x * (1 + erff(x * 0.70710678f));
}

static float
gelu_tanh(float x)
{
	return 0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
}

void
dbert_f32_activate__scalar(float *x, size_t count, int act)
{
	switch (act)
	{
		case DBERT_ACT_GELU:
			for (size_t i = 0; i < count; i++)
				x[i] = gelu(x[i]);
			break;
		case DBERT_ACT_GELU_TANH:
			for (size_t i = 0; i < count; i++)
				x[i] = gelu_tanh(x[i]);
			break;
		case DBERT_ACT_RELU:
			for (size_t i = 0; i < count; i++)
				x[i] = x[i] < 0 ? 0 : x[i];
			break;
		case DBERT_ACT_TANH:
			for (size_t i = 0; i < count; i++)
				x[i] = tanhf(x[i]);
			break;
		case DBERT_ACT_SILU:
			for (size_t i = 0; i < count; i++)
				x[i] = x[i] / (1 + expf(-x[i]));
			break;
	}
}

void
dbert_f32_gate_rows__scalar(float *y, const float *a, const float *b, size_t ld, int m, int n,
							int act)
{
	for (int i = 0; i < m; i++, y += ld, a += ld, b += ld)
	{
		memmove(y, a, n * sizeof(float));
		dbert_f32_activate__scalar(y, n, act);
		for (int j = 0; j < n; j++)
			y[j] *= b[j];
	}
}

static void
linear(float *y, size_t ldy, const float *x, size_t ldx,
	   const float *wp, const float *b, int m, int n, int k, int act)
{
	for (int i = 0; i < m; i++)
	{
		for (int j = 0; j < n; j++)
			y[i * ldy + j] = (float) (dot(x + i * ldx, wp + (size_t) j * k, k) + (b ? b[j] : 0));
		dbert_f32_activate__scalar(y + i * ldy, n, act);
	}
}

/* p[t] times v[t,d] */
static void
weighted_sum(float *out, const float *p, const float *v, size_t ld, int t, int d)
{
	for (int c = 0; c < d; c++)
	{
		double		sum = 0;

		for (int j = 0; j < t; j++)
			sum += (double) p[j] * v[j * ld + c];
		out[c] = (float) sum;
	}
}

/* Of query i's row q and the key numbered j, whose row k is. */
static float
score(const DbertScoring *s, int i, const float *q, int j, const float *k, int d)
{
	int			distance = j - dbert_scoring_key(s, i);
	double		sum = dot(q, k, d);

	if (s->query_rows != NULL)
		sum += dot(q, s->query_rows + (size_t) (s->zero + distance) * d, d);
	if (s->key_rows != NULL)
		sum += dot(k, s->key_rows + (size_t) (s->zero - distance) * d, d);
	return (float) (s->scale * sum + (s->bias != NULL ? s->bias[distance] : 0));
}

static void
attention(float *out, size_t ldo, const float *q, const float *k, const float *v,
		  size_t ld, int m, int t, int d, const DbertScoring *scoring, float *scratch)
{
	for (int i = 0; i < m; i++)
	{
		const DbertKeys seen = dbert_scoring_keys(scoring, i, i, t);
		int			n = seen.end - seen.first;

		for (int j = 0; j < n; j++)
			scratch[j] = score(scoring, i, q + i * ld, seen.first + j,
							   k + (seen.first + j) * ld, d);
		softmax_row(scratch, n);
		weighted_sum(out + i * ldo, scratch, v + seen.first * ld, ld, n, d);
	}
}

const DbertKernels dbert_kernels_scalar = {
	.name = "scalar",
	.layout = "rowmajor",
	.bits = "scalar",
	.rows_matter = false,
	.block_work = 4000000,
	.packed_linear_size = dbert_f32_packed_size__rowmajor,
	.panel = 1,
	.pack_linear = dbert_f32_pack__rowmajor,
	.linear = linear,
	.attention = attention,
	.layer_norm_rows = dbert_f32_layer_norm_rows__scalar,
	.rms_norm_rows = dbert_f32_rms_norm_rows__scalar,
	.gate_rows = dbert_f32_gate_rows__scalar,
	.int8 = &dbert_int8_scalar,
	.int7 = &dbert_int7_scalar,
	.half = &dbert_half_scalar,
	.decoding = &dbert_decoding_scalar,
	.train = &dbert_train_scalar,
};
