/*
 * vec_sse.h -- transposing four floats at a time, for vec_avx2.h and
 * vec_avx512.h.
 */
#ifndef DBERT_KERNEL_VEC_SSE_H
#define DBERT_KERNEL_VEC_SSE_H

#include <immintrin.h>
#include <stddef.h>

/*
 * 4 numbers each of 4 lanes to 4 lines: dst[i ldd + j] = src[j lds + i], of any
 * alignment.
 */
static inline __attribute__((always_inline)) void
v_transpose4(float *dst, size_t ldd, const float *src, size_t lds)
{
	__m128		a = _mm_loadu_ps(src),
				b = _mm_loadu_ps(src + lds),
				c = _mm_loadu_ps(src + 2 * lds),
				d = _mm_loadu_ps(src + 3 * lds);

	_MM_TRANSPOSE4_PS(a, b, c, d);
	_mm_storeu_ps(dst, a);
	_mm_storeu_ps(dst + ldd, b);
	_mm_storeu_ps(dst + 2 * ldd, c);
	_mm_storeu_ps(dst + 3 * ldd, d);
}

/* 4 numbers each of 2 lanes to 4 lines. */
static inline __attribute__((always_inline)) void
v_transpose2(float *dst, size_t ldd, const float *src, size_t lds)
{
	__m128		a = _mm_loadu_ps(src),
				b = _mm_loadu_ps(src + lds),
				low = _mm_unpacklo_ps(a, b),
				high = _mm_unpackhi_ps(a, b);

	_mm_storel_pi((__m64 *) dst, low);
	_mm_storeh_pi((__m64 *) (dst + ldd), low);
	_mm_storel_pi((__m64 *) (dst + 2 * ldd), high);
	_mm_storeh_pi((__m64 *) (dst + 3 * ldd), high);
}

#endif
