/*
 * int8_scalar.c -- the definition of the product of 8-bit integers (int8.h),
 * and the path of every processor without one of its own.
 */
#include "kernel/int8.h"

#include "kernel/kernel_scalar.h"

DbertI8Scale
dbert_i8_row_scale(const float *x, int k)
{
	uint32_t	max = 0;

	for (int p = 0; p < k; p++)
	{
		uint32_t	bits;

		memcpy(&bits, x + p, sizeof(bits));
		bits &= DBERT_I8_MAGNITUDE;
		max = bits > max ? bits : max;
	}
	return dbert_i8_scale(max);
}

void
dbert_i8_round(int8_t *q, const float *x, int k, DbertI8Scale scale)
{
	for (int p = 0; p < k; p++)
		q[p] = scale.inverse == 0 ? 0 : (int8_t) lrintf(x[p] * scale.inverse);
}

static float
quantize(int8_t *q, const float *x, int k)
{
	DbertI8Scale scale = dbert_i8_row_scale(x, k);

	dbert_i8_round(q, x, k, scale);
	return scale.scale;
}

static size_t
packed_size(int n, int k)
{
	return (size_t) n * (sizeof(float) + (size_t) k);
}

static void
pack(void *dst, const float *w, int n, int k)
{
	float	   *scales = dst;
	int8_t	   *rows = (int8_t *) (scales + n);

	for (size_t j = 0; j < (size_t) n; j++)
		scales[j] = quantize(rows + j * k, w + j * k, k);
}

static int32_t
dot(const int8_t *a, const int8_t *b, int k)
{
	int32_t		sum = 0;

	for (int p = 0; p < k; p++)
		sum += a[p] * b[p];
	return sum;
}

static void
linear(float *y, size_t ldy, const float *x, size_t ldx, const void *wp, const float *b,
	   int m, int n, int k, int act, void *scratch)
{
	const float *scales = wp;
	const int8_t *rows = (const int8_t *) (scales + n);
	int8_t	   *q = scratch;

	for (int i = 0; i < m; i++, x += ldx, y += ldy)
	{
		float		scale = quantize(q, x, k);

		for (size_t j = 0; j < (size_t) n; j++)
			y[j] = (float) dot(q, rows + j * k, k) * (scale * scales[j]) + (b != NULL ? b[j] : 0);
		dbert_f32_activate__scalar(y, n, act);
	}
}

const DbertInt8Kernels dbert_int8_scalar = {
	.layout = "i8-rowmajor",
	.block_work = 10000000,
	.packed_size = packed_size,
	.pack = pack,
	.linear = linear,
};
