/*
 * ivec_avx2.h -- the vector of whole numbers for AVX2: 8 of 32 bits.
 *
 * The contract of each function stands in ivec_avx512.h.
 */
#ifndef DBERT_KERNEL_IVEC_AVX2_H
#define DBERT_KERNEL_IVEC_AVX2_H

#include "kernel/vec_avx2.h"

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
i_max_magnitude(IVec max, Vec a)
{
	return _mm256_max_epi32(max, _mm256_castps_si256(v_abs(a)));
}

static inline uint32_t
i_greatest(IVec a)
{
	__m128i		s = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));

	s = _mm_max_epi32(s, _mm_shuffle_epi32(s, 0x4e));
	s = _mm_max_epi32(s, _mm_shuffle_epi32(s, 0xb1));
	return (uint32_t) _mm_cvtsi128_si32(s);
}

/* To 16 bits, in order; what does not fit saturates. */
static inline __m128i
i_narrow16(IVec a)
{
	return _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}

#endif
