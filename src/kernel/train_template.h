/*
 * train_template.h -- what training needs beside the kernels of answers, written
 * once over a vec_*.h; train_scalar.c is the definition.
 */
#ifndef DBERT_KERNEL_TRAIN_TEMPLATE_H
#define DBERT_KERNEL_TRAIN_TEMPLATE_H

#include "kernel/rowops_template.h"

static void
softmax_rows(float *x, int m, int n)
{
	for (int i = 0; i < m; i++, x += n)
		multiply(x, n, 1 / exponentials(x, n, 1));
}

static void
softmax_backward_rows(float *d, const float *p, int m, int n)
{
	for (int i = 0; i < m; i++, d += n, p += n)
	{
		Vec			dot = v_zero();

		for (int j = 0; j < n; j += VL)
			dot = v_fma(load_filled(d + j, n - j, v_zero()), load_filled(p + j, n - j, v_zero()), dot);
		dot = v_set(v_sum(dot));
		for (int j = 0; j < n; j += VL)
			store_first(d + j, n - j, v_mul(load_filled(p + j, n - j, v_zero()),
											v_sub(load_filled(d + j, n - j, v_zero()), dot)));
	}
}

/* Phi(x) + x phi(x) = 1/2 + sign(x) (1/2 - Q(|x|)) + x phi(x), within 1e-6 */
static inline Vec
v_gelu_slope(Vec x, Vec y)
{
	Vec			a = v_min(v_set(13), v_abs(x)),
				e,
				q = v_gelu_tail(a, &e),
				slope = v_fma(v_mul(a, v_set(0.39894228f)), e, v_sub(v_set(0.5f), q));

	return v_add(v_set(0.5f), v_mul(slope, v_with_sign(v_set(1), x)));
}

/* x s, s = 1 / (1 + e^-v), v = 2 sqrt(2/pi) (x + 0.044715 x^3): s + x s (1 - s) v', where 1 - s = s e^-v */
static inline Vec
v_gelu_tanh_slope(Vec x, Vec y)
{
	Vec			a = v_max(v_set(-8), v_min(v_set(8), x)),	/* beyond, e^-v is 0 or too large */
				square = v_mul(a, a),
				cubic = v_fma(v_mul(square, a), v_set(0.044715f), a),
				e = v_exp(v_mul(cubic, v_set(-1.5957691f))),
				s = v_div(v_set(1), v_add(v_set(1), e)),
				v = v_mul(v_set(1.5957691f), v_fma(square, v_set(3 * 0.044715f), v_set(1)));

	return v_fma(v_mul(a, s), v_mul(v_mul(s, e), v), s);
}

static inline Vec
v_relu_slope(Vec x, Vec y)
{
	return v_select(v_positive(x), v_set(1), v_zero());
}

static inline Vec
v_tanh_slope(Vec x, Vec y)
{
	return v_fnma(y, y, v_set(1));
}

/* dx = dy f(x, y); f is a constant wherever this is inlined. */
static inline __attribute__((always_inline)) void
map_slope(float *dx, const float *x, const float *y, const float *dy, size_t count, Vec (*f) (Vec, Vec))
{
	size_t		i = 0;

	for (; i + VL <= count; i += VL)
		v_store(dx + i, v_mul(v_load(dy + i), f(v_load(x + i), v_load(y + i))));
	if (i < count)
	{
		VecMask		rest = v_first((int) (count - i));

		v_store_part(dx + i, rest, v_mul(v_load_part(dy + i, rest),
										 f(v_load_part(x + i, rest), v_load_part(y + i, rest))));
	}
}

static void
activate_backward(float *dx, const float *x, const float *y, const float *dy, size_t count, int act)
{
	switch (act)
	{
		case DBERT_ACT_GELU:
			map_slope(dx, x, y, dy, count, v_gelu_slope);
			break;
		case DBERT_ACT_GELU_TANH:
			map_slope(dx, x, y, dy, count, v_gelu_tanh_slope);
			break;
		case DBERT_ACT_RELU:
			map_slope(dx, x, y, dy, count, v_relu_slope);
			break;
		case DBERT_ACT_TANH:
			map_slope(dx, x, y, dy, count, v_tanh_slope);
			break;
	}
}

static const DbertTrainKernels train_kernels = {softmax_rows, softmax_backward_rows, activate_backward};

#endif
