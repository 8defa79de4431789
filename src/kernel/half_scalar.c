/*
 * half_scalar.c -- the definition of products with weights of 16 bits (half.h):
 * each number as base/bytes.h says what float it is.
 */
#include "kernel/half.h"

#include "base/bytes.h"
#include "kernel/kernel_scalar.h"

static float
widened(uint16_t h, DbertWeightType type)
{
	return type == DBERT_WEIGHT_F16 ? dbert_float_of_f16(h) : dbert_float_of_bf16(h);
}

static void
pack(uint16_t *dst, const uint16_t *w, int n, int k, DbertWeightType type)
{
	memcpy(dst, w, (size_t) n * (size_t) k * sizeof(*dst));
}

/* As kernel_scalar.c's, in double. */
static double
dot(const float *a, const uint16_t *b, int k, DbertWeightType type)
{
	double		sum = 0;

	for (int i = 0; i < k; i++)
		sum += (double) a[i] * widened(b[i], type);
	return sum;
}

static void
linear(float *y, size_t ldy, const float *x, size_t ldx, const uint16_t *wp, DbertWeightType type,
	   const float *b, int m, int n, int k, int act)
{
	for (int i = 0; i < m; i++, x += ldx, y += ldy)
	{
		for (int j = 0; j < n; j++)
			y[j] = (float) (dot(x, wp + (size_t) j * k, k, type) + (b ? b[j] : 0));
		dbert_f32_activate__scalar(y, n, act);
	}
}

static void
widen(float *to, const uint16_t *from, size_t count, DbertWeightType type)
{
	for (size_t i = 0; i < count; i++)
		to[i] = widened(from[i], type);
}

const DbertHalfKernels dbert_half_scalar = {
	.pack = pack,
	.linear = linear,
	.widen = widen,
};
