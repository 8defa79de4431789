/*
 * activate_template.h -- exp and the activations, written once over a vec_*.h.
 *
 * The elementary functions are our own, since libm's are scalar.  Errors given
 * are against the exact function, measured over all floats of the interval by
 * test_kernel_isa.c.
 */
#ifndef DBERT_KERNEL_ACTIVATE_TEMPLATE_H
#define DBERT_KERNEL_ACTIVATE_TEMPLATE_H

#include "kernel/act.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * e^x = p 2^n, *n whole, below 1.5 ulp.  x = n ln 2 + r with |r| <= ln 2 / 2
 * (Cody and Waite: ln 2 in two parts, the first of 11 bits, so that n times it
 * is exact), p = e^r = 1 + r + r^2 P(r), relative error of P's minimax fit
 * 3.1e-9.
 */
static inline Vec
v_exp_parts(Vec x, Vec *n)
{
	const Vec	ln2_high = v_set(0x1.63p-1f),
				ln2_low = v_set(-0x1.bd0106p-13f);
	Vec			r,
				p;

	*n = v_round(v_mul(x, v_set(0x1.715476p+0f)));	/* 1 / ln 2 */
	r = v_fnma(*n, ln2_low, v_fnma(*n, ln2_high, x));
	p = v_fma(v_set(0x1.6a23cep-10f), r, v_set(0x1.123a2p-7f));
	p = v_fma(p, r, v_set(0x1.5558f2p-5f));
	p = v_fma(p, r, v_set(0x1.555492p-3f));
	p = v_fma(p, r, v_set(0x1.fffffcp-2f));
	p = v_fma(p, r, v_set(1));
	return v_fma(p, r, v_set(1));
}

/* 0 below -104, infinite above 89 */
static inline Vec
v_exp(Vec x)
{
	Vec			n,
				p = v_exp_parts(v_min(v_set(89), v_max(v_set(-104), x)), &n);

	return v_scale(p, n);
}

/*
 * The same bits, quicker, for x in -87 .. 88 or NaN: no result is subnormal or
 * infinite.
 */
static inline Vec
v_exp_normal(Vec x)
{
	Vec			n,
				p = v_exp_parts(x, &n);

	return v_scale_normal(p, n);
}

/*
 * GELU, x Phi(x), within 2e-7 and an ulp of the result.  Not by erf, which
 * cancels for x < 0, but as max(x, 0) - |x| Q(|x|) with the normal upper tail
 * Q(a) = e^(-a^2/2) R(a).  R is a polynomial in t = 1 / (1 + a/4), the form of
 * Abramowitz and Stegun 7.1.26, fitted here to 1.3e-9 in a Q(a).  Beyond
 * a = 13 the tail is below 1e-35.  *bell is e^(-a^2/2).
 */
static inline Vec
v_normal_tail(Vec a, Vec *bell)
{
	Vec			t = v_div(v_set(1), v_fma(a, v_set(0.25f), v_set(1)));
	Vec			q;

	q = v_fma(v_set(-0x1.8785e6p-4f), t, v_set(0x1.7070fp-2f));
	q = v_fma(q, t, v_set(-0x1.34a2a0p-2f));
	q = v_fma(q, t, v_set(0x1.436906p-2f));
	q = v_fma(q, t, v_set(0x1.427c6p-8f));
	q = v_fma(q, t, v_set(0x1.e5c24ep-4f));
	q = v_fma(q, t, v_set(0x1.907a4cp-4f));
	q = v_fma(q, t, v_set(0x1.10669ap-14f));
	*bell = v_exp_normal(v_mul(v_mul(a, a), v_set(-0.5f)));
	return v_mul(q, *bell);
}

static inline Vec
v_gelu(Vec x)
{
	Vec			a = v_min(v_set(13), v_abs(x)),
				bell,
				q = v_normal_tail(a, &bell);

	return v_fnma(a, q, v_max(v_zero(), x));
}

/*
 * The tanh form: x (1 + tanh u) / 2 = x / (1 + e^-2u), u = sqrt(2/pi) (x +
 * 0.044715 x^3).
 */
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

/* Within 2 ulps of the result. */
static inline Vec
v_silu(Vec x)
{
	return v_div(x, v_add(v_set(1), v_exp(v_sub(v_zero(), x))));
}

static inline Vec
v_relu(Vec x)
{
	return v_max(v_zero(), x);
}

/* y may be x; f is a constant wherever this is inlined. */
static inline __attribute__((always_inline)) void
map(float *y, const float *x, size_t count, Vec (*f) (Vec))
{
	size_t		i = 0;

	for (; i + VL <= count; i += VL)
		v_store(y + i, f(v_load(x + i)));
	if (i < count)
	{
		VecMask		rest = v_first((int) (count - i));

		v_store_part(y + i, rest, f(v_load_part(x + i, rest)));
	}
}

/* One loop over all rows, so that the constants of f are loaded once. */
static inline __attribute__((always_inline)) void
map_rows(float *y, const float *x, size_t ld, int m, size_t n, Vec (*f) (Vec))
{
	for (int i = 0; i < m; i++)
		map(y + i * ld, x + i * ld, n, f);
}

/* m rows of n, ld apart */
static void
activate_rows(float *y, const float *x, size_t ld, int m, size_t n, int act)
{
	switch (act)
	{
		case DBERT_ACT_GELU:
			map_rows(y, x, ld, m, n, v_gelu);
			break;
		case DBERT_ACT_GELU_TANH:
			map_rows(y, x, ld, m, n, v_gelu_tanh);
			break;
		case DBERT_ACT_RELU:
			map_rows(y, x, ld, m, n, v_relu);
			break;
		case DBERT_ACT_TANH:
			map_rows(y, x, ld, m, n, v_tanh);
			break;
		case DBERT_ACT_SILU:
			map_rows(y, x, ld, m, n, v_silu);
			break;
	}
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

#endif
