/*
 * ivec_avx512.h -- the vector of whole numbers for AVX-512: 16 of 32 bits.
 *
 * ivec_avx2.h gives the same names for 8; int8_template.h is written over them.
 */
#ifndef DBERT_KERNEL_IVEC_AVX512_H
#define DBERT_KERNEL_IVEC_AVX512_H

#include "kernel/x86/vec_avx512.h"

#include <stdint.h>

typedef __m512i IVec;

static inline IVec
i_set(int32_t n)
{
	return _mm512_set1_epi32(n);
}

/* VL numbers, of any alignment */
static inline IVec
i_load(const void *p)
{
	return _mm512_loadu_si512(p);
}

static inline Vec
i_to_float(IVec a)
{
	return _mm512_cvtepi32_ps(a);
}

/* To the nearest, ties to even; NaN becomes the least number. */
static inline IVec
i_round(Vec a)
{
	return _mm512_cvtps_epi32(a);
}

static inline IVec
i_sub(IVec a, IVec b)
{
	return _mm512_sub_epi32(a, b);
}

/* the lower 32 bits of the products */
static inline IVec
i_mul(IVec a, IVec b)
{
	return _mm512_mullo_epi32(a, b);
}

/* Whole numbers of 32 bits: first, first + 1, ... */
static inline IVec
i_count(uint32_t first)
{
	return _mm512_add_epi32(_mm512_set1_epi32((int) first),
							_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
											  15));
}

static inline IVec
i_add(IVec a, IVec b)
{
	return _mm512_add_epi32(a, b);
}

static inline IVec
i_xor(IVec a, IVec b)
{
	return _mm512_xor_si512(a, b);
}

static inline void
i_store(void *p, IVec a)
{
	_mm512_storeu_si512(p, a);
}

/* To 8 or 16 bits with a sign, in order; what does not fit saturates. */
static inline void
i_store8(void *p, IVec a)
{
	_mm_storeu_si128(p, _mm512_cvtsepi32_epi8(a));
}

static inline void
i_store16(void *p, IVec a)
{
	_mm256_storeu_si256(p, _mm512_cvtsepi32_epi16(a));
}

/* To bytes without a sign; a is not negative, what does not fit saturates. */
static inline void
i_store8_unsigned(void *p, IVec a)
{
	_mm_storeu_si128(p, _mm512_cvtusepi32_epi8(a));
}

/* 16 bits of a and 16 of b in each lane, those of a below */
static inline IVec
i_pair(IVec a, IVec b)
{
	return _mm512_mask_blend_epi16(0xaaaaaaaa, a, _mm512_slli_epi32(b, 16));
}

/*
 * acc plus the products of two numbers of 16 bits in each lane; all lanes of a
 * are alike.
 */
static inline IVec
i_dot16(IVec acc, IVec a, IVec b)
{
#ifdef __AVX512VNNI__
	return _mm512_dpwssd_epi32(acc, a, b);
#else
	return _mm512_add_epi32(acc, _mm512_madd_epi16(a, b));
#endif
}

/* n is a constant: without optimisation a function's argument is none */
#define i_shift_right(a, n) _mm512_srli_epi32((a), (n))

/* a < b, both below 2^31 */
static inline VecMask
i_less(IVec a, IVec b)
{
	return _mm512_cmplt_epi32_mask(a, b);
}

#endif
