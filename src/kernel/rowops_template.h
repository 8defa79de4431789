/*
 * rowops_template.h -- what works on each row or each element alone, written
 * once over a vec_*.h: exp and the activations, softmax, layer norm.
 *
 * The elementary functions are our own, since libm's are scalar.  Errors given
 * are against the exact function, measured over all floats of the interval by
 * test_kernel_isa.c.
 */
#ifndef DBERT_KERNEL_ROWOPS_TEMPLATE_H
#define DBERT_KERNEL_ROWOPS_TEMPLATE_H

#include "model/config.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * e^x, below 1.5 ulp; 0 below -104, infinite above 89.  x = n ln 2 + r with
 * |r| <= ln 2 / 2 (Cody and Waite: ln 2 in two parts, the first of 11 bits, so
 * that n times it is exact), e^r = 1 + r + r^2 P(r), relative error of P's
 * minimax fit 3.1e-9.
 */
static inline Vec
v_exp(Vec x)
{
	const Vec	ln2_high = v_set(0x1.63p-1f),
				ln2_low = v_set(-0x1.bd0106p-13f);
	Vec			n,
				r,
				p;

	x = v_min(v_set(89), v_max(v_set(-104), x));
	n = v_round(v_mul(x, v_set(0x1.715476p+0f)));	/* 1 / ln 2 */
	r = v_fnma(n, ln2_low, v_fnma(n, ln2_high, x));
	p = v_fma(v_set(0x1.6a23cep-10f), r, v_set(0x1.123a2p-7f));
	p = v_fma(p, r, v_set(0x1.5558f2p-5f));
	p = v_fma(p, r, v_set(0x1.555492p-3f));
	p = v_fma(p, r, v_set(0x1.fffffcp-2f));
	p = v_fma(p, r, v_set(1));
	p = v_fma(p, r, v_set(1));
	return v_scale(p, n);
}

/*
 * GELU, x Phi(x), within 2e-7 and an ulp of the result.  Not by erf, which
 * cancels for x < 0, but as max(x, 0) - |x| Q(|x|) with the normal upper tail
 * Q(a) = e^(-a^2/2) R(a).  R is a polynomial in t = 1 / (1 + a/4), the form of
 * Abramowitz and Stegun 7.1.26, fitted here to 1.3e-9 in a Q(a).  Beyond
 * a = 13 the tail is below 1e-35.
 */
static inline Vec
v_gelu(Vec x)
{
	Vec			a = v_min(v_set(13), v_abs(x));
	Vec			t = v_div(v_set(1), v_fma(a, v_set(0.25f), v_set(1)));
	Vec			q;

	q = v_fma(v_set(-0x1.8785e6p-4f), t, v_set(0x1.7070fp-2f));
	q = v_fma(q, t, v_set(-0x1.34a2a0p-2f));
	q = v_fma(q, t, v_set(0x1.436906p-2f));
	q = v_fma(q, t, v_set(0x1.427c6p-8f));
	q = v_fma(q, t, v_set(0x1.e5c24ep-4f));
	q = v_fma(q, t, v_set(0x1.907a4cp-4f));
	q = v_fma(q, t, v_set(0x1.10669ap-14f));
	q = v_mul(q, v_exp(v_mul(v_mul(a, a), v_set(-0.5f))));
	return v_fnma(a, q, v_max(v_zero(), x));
}

/* The tanh form: x (1 + tanh u) / 2 = x / (1 + e^-2u), u = sqrt(2/pi) (x + 0.044715 x^3). */
static inline Vec
v_gelu_tanh(Vec x)
{
	Vec			cubic = v_fma(v_mul(v_mul(x, x), x), v_set(0.044715f), x);

	return v_div(x, v_add(v_set(1), v_exp(v_mul(cubic, v_set(-1.5957691f)))));
}

/* Within 2e-7: 1 - 2 / (e^2|x| + 1), and the sign. */
static inline Vec
v_tanh(Vec x)
{
	Vec			a = v_abs(x);
	Vec			e = v_exp(v_add(a, a));

	return v_with_sign(v_sub(v_set(1), v_div(v_set(2), v_add(e, v_set(1)))), x);
}

static inline Vec
v_relu(Vec x)
{
	return v_max(v_zero(), x);
}

/* f is a constant wherever this is inlined. */
static inline __attribute__((always_inline)) void
map(float *x, size_t count, Vec (*f) (Vec))
{
	size_t		i = 0;

	for (; i + VL <= count; i += VL)
		v_store(x + i, f(v_load(x + i)));
	if (i < count)
	{
		VecMask		rest = v_first((int) (count - i));

		v_store_part(x + i, rest, f(v_load_part(x + i, rest)));
	}
}

static void
activate(float *x, size_t count, int act)
{
	switch (act)
	{
		case DBERT_ACT_GELU:
			map(x, count, v_gelu);
			break;
		case DBERT_ACT_GELU_TANH:
			map(x, count, v_gelu_tanh);
			break;
		case DBERT_ACT_RELU:
			map(x, count, v_relu);
			break;
		case DBERT_ACT_TANH:
			map(x, count, v_tanh);
			break;
	}
}

static void
activate_rows(float *x, size_t ldx, int m, int n, int act)
{
	for (int i = 0; i < m; i++)
		activate(x + i * ldx, (size_t) n, act);
}

/* Lanes beyond n are fill. */
static inline Vec
load_filled(const float *x, int n, Vec fill)
{
	VecMask		some = v_first(n);

	return n >= VL ? v_load(x) : v_select(some, v_load_part(x, some), fill);
}

static inline void
store_first(float *x, int n, Vec a)
{
	if (n >= VL)
		v_store(x, a);
	else
		v_store_part(x, v_first(n), a);
}

/* x[n] becomes exp(scale (x - max)), scale > 0; returns the sum of these. */
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
		Vec			e = v_exp(v_mul(v_sub(load_filled(x + j, n - j, least), max), v_set(scale)));

		store_first(x + j, n - j, e);
		sum = v_add(sum, e);	/* beyond n it is exp(-infinity) */
	}
	return v_sum(sum);
}

static void
multiply(float *x, int n, float factor)
{
	for (int j = 0; j < n; j += VL)
		store_first(x + j, n - j, v_mul(load_filled(x + j, n - j, v_zero()), v_set(factor)));
}

static void
softmax_rows(float *x, size_t ldx, int m, int n)
{
	for (int i = 0; i < m; i++)
		multiply(x + i * ldx, n, 1 / exponentials(x + i * ldx, n, 1));
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

		store_first(y + j, n - j, v_fma(s, load_filled(gamma + j, n - j, v_zero()),
										load_filled(beta + j, n - j, v_zero())));
	}
}

static void
layer_norm_rows(float *y, const float *x, const float *r,
				const float *gamma, const float *beta, int m, int n, float eps)
{
	for (size_t i = 0, at = 0; i < (size_t) m; i++, at += n)
		layer_norm_row(y + at, x + at, r != NULL ? r + at : NULL, gamma, beta, n, eps);
}

#endif
