/*
 * int8_scalar.c -- the definition of products of 8-bit integers, and of
 * attention by them (int8.h); the path of processors without their own.
 */
#include "kernel/int8.h"

#include "kernel/kernel_scalar.h"

DbertI8Scale
dbert_i8_weight_scale(const float *w, int k)
{
	float		max = 0;

	for (int p = 0; p < k; p++)
		max = fabsf(w[p]) > max ? fabsf(w[p]) : max;
	return dbert_i8_scale(max, DBERT_I8_WEIGHT_STEPS);
}

DbertI8Scale
dbert_i7_weight_scale(const float *w, int k)
{
	float		most = 0;

	for (int p0 = 0; p0 < k; p0 += 8)
	{
		float		above[2] = {0, 0},	/* sums of the numbers of one sign, */
					below[2] = {0, 0};	/* in each of the two fours */

		for (int p = p0; p < k && p < p0 + 8; p++)
		{
			above[p / 2 % 2] += w[p] > 0 ? w[p] : 0;
			below[p / 2 % 2] += w[p] < 0 ? -w[p] : 0;
		}
		for (int i = 0; i < 2; i++)
		{
			most = above[i] > most ? above[i] : most;
			most = below[i] > most ? below[i] : most;
		}
	}
	return dbert_i8_scale(most, DBERT_I7_SUM_STEPS);
}

void
dbert_i8_round(int8_t *q, const float *w, int k, DbertI8Scale scale)
{
	for (int p = 0; p < k; p++)
		q[p] = (int8_t) lrintf(w[p] * scale.inverse);
}

/* q[k] = x[k] in whole numbers; returns their scale. */
static float
round_row(int16_t *q, const float *x, int k, int steps)
{
	float		low = 0,
				high = 0,
				poison = 0;		/* NaN as soon as an x is not finite */
	DbertI8Scale scale;

	for (int p = 0; p < k; p++)
	{
		low = x[p] < low ? x[p] : low;
		high = x[p] > high ? x[p] : high;
		poison += x[p] * 0;
	}
	scale = dbert_i8_scale(poison + high - low, steps);
	for (int p = 0; p < k; p++)
		q[p] = (int16_t) (scale.inverse == 0 ? 0 : lrintf(x[p] * scale.inverse));
	return scale.scale;
}

static size_t
rowmajor_size(int n, int k)
{
	return (size_t) n * (sizeof(float) + (size_t) k);
}

static void
pack_rows(void *dst, const float *w, int n, int k, DbertI8WeightScale weight_scale)
{
	char	   *row = dst;

	for (size_t j = 0; j < (size_t) n; j++, row += rowmajor_size(1, k))
	{
		DbertI8Scale scale = weight_scale(w + j * k, k);

		memcpy(row, &scale.scale, sizeof(float));
		dbert_i8_round((int8_t *) row + sizeof(float), w + j * k, k, scale);
	}
}

static void
rowmajor_pack(void *dst, const float *w, int n, int k)
{
	pack_rows(dst, w, n, k, dbert_i8_weight_scale);
}

static void
rowmajor_pack7(void *dst, const float *w, int n, int k)
{
	pack_rows(dst, w, n, k, dbert_i7_weight_scale);
}

static int32_t
rowmajor_dot(const int16_t *a, const int8_t *b, int k)
{
	int32_t		sum = 0;

	for (int p = 0; p < k; p++)
		sum += a[p] * b[p];
	return sum;
}

static void
rowmajor_linear(float *y, size_t ldy, const float *x, size_t ldx, const void *wp, const float *b,
				int m, int n, int k, int act, void *scratch)
{
	int16_t    *q = scratch;

	for (int i = 0; i < m; i++, x += ldx, y += ldy)
	{
		const char *row = wp;
		float		scale = round_row(q, x, k, DBERT_I8_ROW_STEPS);

		for (int j = 0; j < n; j++, row += rowmajor_size(1, k))
		{
			const int8_t *numbers = (const int8_t *) row + sizeof(float);
			float		row_scale;

			memcpy(&row_scale, row, sizeof(row_scale));
			y[j] = (float) rowmajor_dot(q, numbers, k) * (scale * row_scale) +
				(b != NULL ? b[j] : 0);
		}
		dbert_f32_activate__scalar(y, n, act);
	}
}

/* ---- attention ---- */

/* Numbers, step apart, by their largest magnitude; returns the scale. */
static float
round_magnitudes(int16_t *q, const float *x, size_t step, int count, int steps)
{
	float		most = 0,
				poison = 0;
	DbertI8Scale scale;

	for (int i = 0; i < count; i++)
	{
		most = fabsf(x[i * step]) > most ? fabsf(x[i * step]) : most;
		poison += x[i * step] * 0;
	}
	scale = dbert_i8_scale(poison + most, steps);
	for (int i = 0; i < count; i++)
		q[i] = (int16_t) (scale.inverse == 0 ? 0 : lrintf(x[i * step] * scale.inverse));
	return scale.scale;
}

static int32_t
dot16(const int16_t *a, const int16_t *b, int n)
{
	int32_t		sum = 0;

	for (int i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/*
 * Scores of one query become weights in whole numbers; returns their scale, NaN
 * where a score is not finite.
 */
static float
weigh(int16_t *weights, float *scores, int t, float scale)
{
	float		max = -INFINITY,
				sum;
	double		exact = 0;
	int			total = 0;

	for (int j = 0; j < t; j++)
		max = scores[j] > max ? scores[j] : max;
	for (int j = 0; j < t; j++)
		exact += scores[j] = expf(scale * (scores[j] - max));
	sum = (float) exact;
	if (!(sum <= FLT_MAX))
	{
		memset(weights, 0, t * sizeof(*weights));
		return NAN;
	}
	for (int j = 0; j < t; j++)
		total += weights[j] = (int16_t) lrintf(scores[j] * (DBERT_I8_WEIGHT16_STEPS / sum));
	return 1 / (float) total;
}

static void
attend(float *out, size_t ldo, const float *q, const float *k, const float *v, size_t ld, int m,
	   int t, int d, float scale, float *scratch, int query_steps, int key_steps)
{
	float	   *key_scales = scratch,
			   *value_scales = key_scales + t,
			   *scores = value_scales + d;
	int16_t    *keys = (int16_t *) (scores + t),	/* [T,D] */
			   *values = keys + (size_t) t * d, /* [D,T] */
			   *query = values + (size_t) t * d,
			   *weights = query + d;

	for (int j = 0; j < t; j++)
		key_scales[j] = round_magnitudes(keys + (size_t) j * d, k + j * ld, 1, d, key_steps);
	for (int c = 0; c < d; c++)
		value_scales[c] = round_magnitudes(values + (size_t) c * t, v + c, ld, t,
										   DBERT_I8_VALUE_STEPS);
	for (int i = 0; i < m; i++)
	{
		float		own = round_row(query, q + i * ld, d, query_steps);

		for (int j = 0; j < t; j++)
			scores[j] = (float) dot16(query, keys + (size_t) j * d, d) * (own * key_scales[j]);
		own = weigh(weights, scores, t, scale);
		for (int c = 0; c < d; c++)
			out[i * ldo + c] = (float) dot16(weights, values + (size_t) c * t, t) *
				(own * value_scales[c]);
	}
}

static void
attention8(float *out, size_t ldo, const float *q, const float *k, const float *v, size_t ld,
		   int m, int t, int d, float scale, float *scratch)
{
	attend(out, ldo, q, k, v, ld, m, t, d, scale, scratch, DBERT_I8_ROW_STEPS, DBERT_I8_KEY_STEPS);
}

static void
attention7(float *out, size_t ldo, const float *q, const float *k, const float *v, size_t ld,
		   int m, int t, int d, float scale, float *scratch)
{
	attend(out, ldo, q, k, v, ld, m, t, d, scale, scratch, DBERT_I7_QUERY_STEPS,
		   DBERT_I7_KEY_STEPS);
}

#define TABLE(layout_name, pack_function, attention_function) \
{ \
	.layout = layout_name, \
	.block_work = 10000000, \
	.packed_size = rowmajor_size, \
	.panel = 1, \
	.pack = pack_function, \
	.linear = rowmajor_linear, \
	.attention = attention_function, \
}

const DbertInt8Kernels dbert_int8_scalar = TABLE("i8-rowmajor", rowmajor_pack, attention8);
const DbertInt8Kernels dbert_int7_scalar = TABLE("i7-rowmajor", rowmajor_pack7, attention7);
