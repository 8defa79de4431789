/*
 * vec_avx512.h -- the vector of the templates for AVX-512F: 16 floats.
 *
 * The templates are written over these operations (and those of
 * ivec_avx512.h) alone; every instruction set has a file that gives the same
 * names, and the contract of each stands here.  All are static inline, so that
 * no AVX-512 code can end up in a symbol that other objects share; only the
 * kernel_*.c and int8_*.c of these instructions include this file.
 *
 * NaN: v_max(a, b) and v_min(a, b) return b when either is NaN, as the
 * instructions do; the templates put the operand that may be NaN second.
 */
#ifndef DBERT_KERNEL_VEC_AVX512_H
#define DBERT_KERNEL_VEC_AVX512_H

#include "kernel/x86/vec_sse.h"

#include <stdint.h>

#define VL 16					/* floats of a vector */

typedef __m512 Vec;
typedef __mmask16 VecMask;

/* The first n lanes; n is 0 or less for none, VL or more for all. */
static inline VecMask
v_first(int n)
{
	return n >= VL ? 0xffff : n <= 0 ? 0 : (VecMask) ((1u << n) - 1);
}

static inline Vec
v_load(const float *p)
{
	return _mm512_loadu_ps(p);
}

/* Lanes outside the mask are 0 and their memory is not touched. */
static inline Vec
v_load_part(const float *p, VecMask mask)
{
	return _mm512_maskz_loadu_ps(mask, p);
}

/* VL numbers of IEEE 754's 16 bits as floats. */
static inline Vec
v_load_f16(const uint16_t *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) p));
}

/*
 * 2 VL upper halves of floats: of numbers 0 .. VL-1 the first vector, of the
 * others the second.  Number i stands at v_place_bf16(i): two in each 32 bits,
 * so that one instruction widens a vector.
 */
static inline void
v_load_bf16(const uint16_t *p, Vec *first, Vec *second)
{
	__m512i		both = _mm512_loadu_si512(p);

	*first = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
	*second =
		_mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32((int) 0xffff0000)));
}

static inline int
v_place_bf16(int i)
{
	return i < VL ? 2 * i : 2 * (i - VL) + 1;
}

static inline void
v_store(float *p, Vec a)
{
	_mm512_storeu_ps(p, a);
}

static inline void
v_store_part(float *p, VecMask mask, Vec a)
{
	_mm512_mask_storeu_ps(p, mask, a);
}

/* mask ? a : b */
static inline Vec
v_select(VecMask mask, Vec a, Vec b)
{
	return _mm512_mask_blend_ps(mask, b, a);
}

static inline Vec
v_set(float f)
{
	return _mm512_set1_ps(f);
}

static inline Vec
v_zero(void)
{
	return _mm512_setzero_ps();
}

static inline Vec
v_add(Vec a, Vec b)
{
	return _mm512_add_ps(a, b);
}

static inline Vec
v_sub(Vec a, Vec b)
{
	return _mm512_sub_ps(a, b);
}

static inline Vec
v_mul(Vec a, Vec b)
{
	return _mm512_mul_ps(a, b);
}

static inline Vec
v_div(Vec a, Vec b)
{
	return _mm512_div_ps(a, b);
}

/* a * b + c, rounded once */
static inline Vec
v_fma(Vec a, Vec b, Vec c)
{
	return _mm512_fmadd_ps(a, b, c);
}

/* c - a * b, rounded once */
static inline Vec
v_fnma(Vec a, Vec b, Vec c)
{
	return _mm512_fnmadd_ps(a, b, c);
}

static inline Vec
v_max(Vec a, Vec b)
{
	return _mm512_max_ps(a, b);
}

static inline Vec
v_min(Vec a, Vec b)
{
	return _mm512_min_ps(a, b);
}

static inline Vec
v_abs(Vec a)
{
	return _mm512_abs_ps(a);
}

/* magnitude of a, sign of s; a is not negative */
static inline Vec
v_with_sign(Vec a, Vec s)
{
	__m512i sign = _mm512_and_si512(_mm512_castps_si512(s), _mm512_set1_epi32((int) 0x80000000));

	return _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(a), sign));
}

/* to the nearest integer, ties to even */
static inline Vec
v_round(Vec a)
{
	return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/*
 * a * 2^n for integral n in -252 .. 252, rounded once or, where subnormal,
 * twice
 */
static inline Vec
v_scale(Vec a, Vec n)
{
	return _mm512_scalef_ps(a, n);
}

/*
 * the same for n in -126 .. 127 and a result that is neither subnormal nor
 * infinite
 */
static inline Vec
v_scale_normal(Vec a, Vec n)
{
	return _mm512_scalef_ps(a, n);
}

static inline Vec
v_sqrt(Vec a)
{
	return _mm512_sqrt_ps(a);
}

/* a > 0 */
static inline VecMask
v_positive(Vec a)
{
	return _mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_GT_OQ);
}

/* mask ? a : 0 */
static inline Vec
v_keep(VecMask mask, Vec a)
{
	return _mm512_maskz_mov_ps(mask, a);
}

static inline __m256
v_upper_half(Vec a)
{
	return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1));
}

/* The lanes' sum and maximum, by halves: a fixed order. */
static inline float
v_sum(Vec a)
{
	__m256		half = _mm256_add_ps(_mm512_castps512_ps256(a), v_upper_half(a));
	__m128		s = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	s = _mm_add_ss(s, _mm_shuffle_ps(s, s, 1));
	return _mm_cvtss_f32(s);
}

static inline float
v_greatest(Vec a)
{
	return _mm512_reduce_max_ps(a);
}

#endif
