/*
 * ivec_neon.h -- the vector of whole numbers for NEON: 4 of 32 bits.
 *
 * The contract of each function stands in ivec_avx512.h; only i_round makes 0
 * of NaN, where the templates look no further.
 */
#ifndef DBERT_KERNEL_IVEC_NEON_H
#define DBERT_KERNEL_IVEC_NEON_H

#include "kernel/arm/vec_neon.h"

#include <stdint.h>
#include <string.h>

typedef int32x4_t IVec;

static inline IVec
i_set(int32_t n)
{
	return vdupq_n_s32(n);
}

/* by bytes: a vector may begin anywhere */
static inline IVec
i_load(const void *p)
{
	return vreinterpretq_s32_s8(vld1q_s8(p));
}

static inline Vec
i_to_float(IVec a)
{
	return vcvtq_f32_s32(a);
}

static inline IVec
i_round(Vec a)
{
	return vcvtnq_s32_f32(a);
}

static inline IVec
i_sub(IVec a, IVec b)
{
	return vsubq_s32(a, b);
}

static inline IVec
i_mul(IVec a, IVec b)
{
	return vmulq_s32(a, b);
}

static inline IVec
i_count(uint32_t first)
{
	const int32_t count[VL] = {0, 1, 2, 3};

	return vaddq_s32(vdupq_n_s32((int32_t) first), vld1q_s32(count));
}

static inline IVec
i_add(IVec a, IVec b)
{
	return vaddq_s32(a, b);
}

static inline IVec
i_xor(IVec a, IVec b)
{
	return veorq_s32(a, b);
}

static inline void
i_store(void *p, IVec a)
{
	vst1q_s32(p, a);
}

static inline void
i_store16(void *p, IVec a)
{
	vst1_s16(p, vqmovn_s32(a));
}

static inline IVec
i_pair(IVec a, IVec b)
{
	return vsliq_n_s32(a, b, 16);
}

/* b's halves are taken apart once for all rows of a tile. */
static inline IVec
i_dot16(IVec acc, IVec a, IVec b)
{
	const int16x4_t two = vget_low_s16(vreinterpretq_s16_s32(a));

	acc = vmlal_lane_s16(acc, vmovn_s32(b), two, 0);
	return vmlal_lane_s16(acc, vshrn_n_s32(b, 16), two, 1);
}

#define i_shift_right(a, n) \
	vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), (n)))

static inline VecMask
i_less(IVec a, IVec b)
{
	return (VecMask) {vcltq_s32(a, b), VL};
}

/* To bytes with a sign, or without one; what does not fit saturates. */
static inline void
i_store8(void *p, IVec a)
{
	int16x4_t	half = vqmovn_s32(a);
	int8x8_t	bytes = vqmovn_s16(vcombine_s16(half, half));

	memcpy(p, &bytes, VL);
}

static inline void
i_store8_unsigned(void *p, IVec a)
{
	int16x4_t	half = vqmovn_s32(a);
	uint8x8_t	bytes = vqmovun_s16(vcombine_s16(half, half));

	memcpy(p, &bytes, VL);
}

#endif
