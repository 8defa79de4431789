/*
 * vec_avx2.h -- the vector of the templates for AVX2, FMA and F16C: 8 floats.
 *
 * The contract of each function stands in vec_avx512.h, which gives the same
 * names for 16.
 */
#ifndef DBERT_KERNEL_VEC_AVX2_H
#define DBERT_KERNEL_VEC_AVX2_H

#include "kernel/x86/vec_sse.h"

#include <stdint.h>

#define VL 8

typedef __m256 Vec;
typedef __m256i VecMask;

static inline VecMask
v_first(int n)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline Vec
v_load(const float *p)
{
	return _mm256_loadu_ps(p);
}

static inline Vec
v_load_part(const float *p, VecMask mask)
{
	return _mm256_maskload_ps(p, mask);
}

static inline Vec
v_load_f16(const uint16_t *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) p));
}

static inline void
v_load_bf16(const uint16_t *p, Vec *first, Vec *second)
{
	__m256i		both = _mm256_loadu_si256((const __m256i *) p);

	*first = _mm256_castsi256_ps(_mm256_slli_epi32(both, 16));
	*second =
		_mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32((int) 0xffff0000)));
}

static inline int
v_place_bf16(int i)
{
	return i < VL ? 2 * i : 2 * (i - VL) + 1;
}

static inline void
v_store(float *p, Vec a)
{
	_mm256_storeu_ps(p, a);
}

static inline void
v_store_part(float *p, VecMask mask, Vec a)
{
	_mm256_maskstore_ps(p, mask, a);
}

static inline Vec
v_select(VecMask mask, Vec a, Vec b)
{
	return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(mask));
}

static inline Vec
v_set(float f)
{
	return _mm256_set1_ps(f);
}

static inline Vec
v_zero(void)
{
	return _mm256_setzero_ps();
}

static inline Vec
v_add(Vec a, Vec b)
{
	return _mm256_add_ps(a, b);
}

static inline Vec
v_sub(Vec a, Vec b)
{
	return _mm256_sub_ps(a, b);
}

static inline Vec
v_mul(Vec a, Vec b)
{
	return _mm256_mul_ps(a, b);
}

static inline Vec
v_div(Vec a, Vec b)
{
	return _mm256_div_ps(a, b);
}

static inline Vec
v_fma(Vec a, Vec b, Vec c)
{
	return _mm256_fmadd_ps(a, b, c);
}

static inline Vec
v_fnma(Vec a, Vec b, Vec c)
{
	return _mm256_fnmadd_ps(a, b, c);
}

static inline Vec
v_max(Vec a, Vec b)
{
	return _mm256_max_ps(a, b);
}

static inline Vec
v_min(Vec a, Vec b)
{
	return _mm256_min_ps(a, b);
}

static inline Vec
v_abs(Vec a)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}

static inline Vec
v_with_sign(Vec a, Vec s)
{
	return _mm256_or_ps(a, _mm256_and_ps(_mm256_set1_ps(-0.0f), s));
}

static inline Vec
v_round(Vec a)
{
	return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* 2^n for n in -126 .. 127 */
static inline __m256
v_power_of_two(__m256i n)
{
	return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

/* Two factors, each half of the way, reach the subnormal and the infinite. */
static inline Vec
v_scale(Vec a, Vec n)
{
	__m256i		whole = _mm256_cvtps_epi32(n);
	__m256i		half = _mm256_srai_epi32(whole, 1);

	return _mm256_mul_ps(_mm256_mul_ps(a, v_power_of_two(half)),
						 v_power_of_two(_mm256_sub_epi32(whole, half)));
}

static inline Vec
v_scale_normal(Vec a, Vec n)
{
	return _mm256_mul_ps(a, v_power_of_two(_mm256_cvtps_epi32(n)));
}

static inline Vec
v_sqrt(Vec a)
{
	return _mm256_sqrt_ps(a);
}

static inline VecMask
v_positive(Vec a)
{
	return _mm256_castps_si256(_mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_GT_OQ));
}

static inline Vec
v_keep(VecMask mask, Vec a)
{
	return _mm256_and_ps(a, _mm256_castsi256_ps(mask));
}

static inline float
v_sum(Vec a)
{
	__m128		s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	s = _mm_add_ss(s, _mm_shuffle_ps(s, s, 1));
	return _mm_cvtss_f32(s);
}

static inline float
v_greatest(Vec a)
{
	__m128		s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));

	s = _mm_max_ps(s, _mm_movehl_ps(s, s));
	s = _mm_max_ss(s, _mm_shuffle_ps(s, s, 1));
	return _mm_cvtss_f32(s);
}

#endif
