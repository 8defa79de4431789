/*
 * ivec_avx2.h -- the vector of whole numbers for AVX2: 8 of 32 bits.
 *
 * The contract of each function stands in ivec_avx512.h.
 */
#ifndef DBERT_KERNEL_IVEC_AVX2_H
#define DBERT_KERNEL_IVEC_AVX2_H

#include "kernel/x86/vec_avx2.h"

#include <stdint.h>

typedef __m256i IVec;

static inline IVec
i_set(int32_t n)
{
	return _mm256_set1_epi32(n);
}

static inline IVec
i_load(const void *p)
{
	return _mm256_loadu_si256(p);
}

static inline Vec
i_to_float(IVec a)
{
	return _mm256_cvtepi32_ps(a);
}

static inline IVec
i_round(Vec a)
{
	return _mm256_cvtps_epi32(a);
}

static inline IVec
i_sub(IVec a, IVec b)
{
	return _mm256_sub_epi32(a, b);
}

static inline IVec
i_mul(IVec a, IVec b)
{
	return _mm256_mullo_epi32(a, b);
}

/* To 16 bits, in order; what does not fit saturates. */
static inline __m128i
i_narrow16(IVec a)
{
	return _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}

static inline IVec
i_count(uint32_t first)
{
	return _mm256_add_epi32(_mm256_set1_epi32((int) first),
							_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline IVec
i_add(IVec a, IVec b)
{
	return _mm256_add_epi32(a, b);
}

static inline IVec
i_xor(IVec a, IVec b)
{
	return _mm256_xor_si256(a, b);
}

static inline void
i_store(void *p, IVec a)
{
	_mm256_storeu_si256(p, a);
}

static inline void
i_store8(void *p, IVec a)
{
	_mm_storel_epi64(p, _mm_packs_epi16(i_narrow16(a), _mm_setzero_si128()));
}

/* To bytes without a sign; what does not fit saturates. */
static inline void
i_store8_unsigned(void *p, IVec a)
{
	_mm_storel_epi64(p, _mm_packus_epi16(i_narrow16(a), _mm_setzero_si128()));
}

static inline void
i_store16(void *p, IVec a)
{
	_mm_storeu_si128(p, i_narrow16(a));
}

static inline IVec
i_pair(IVec a, IVec b)
{
	return _mm256_blend_epi16(a, _mm256_slli_epi32(b, 16), 0xaa);
}

static inline IVec
i_dot16(IVec acc, IVec a, IVec b)
{
#ifdef __AVXVNNI__
	return _mm256_dpwssd_avx_epi32(acc, a, b);
#else
	return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
#endif
}

#define i_shift_right(a, n) _mm256_srli_epi32((a), (n))

static inline VecMask
i_less(IVec a, IVec b)
{
	return _mm256_cmpgt_epi32(b, a);
}

#endif
