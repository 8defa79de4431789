/*
 * vec_neon.h -- the vector of the templates for NEON, which every AArch64
 * processor has: 4 floats.
 *
 * The contract of each function stands in vec_avx512.h.  Where NEON would
 * decide otherwise (a maximum with NaN or with zeros of both signs) these do
 * as x86's instructions do: results have the same bits there and here.
 */
#ifndef DBERT_KERNEL_VEC_NEON_H
#define DBERT_KERNEL_VEC_NEON_H

#include <arm_neon.h>
#include <stddef.h>

#define VL 4

typedef float32x4_t Vec;

/* There are no masked loads: a mask of the first lanes knows how many. */
typedef struct VecMask
{
	uint32x4_t	lanes;
	int			first;			/* VL where it is a comparison's */
} VecMask;

static inline VecMask
v_first(int n)
{
	const uint32_t count[VL] = {0, 1, 2, 3};

	return (VecMask) {vcltq_s32(vreinterpretq_s32_u32(vld1q_u32(count)), vdupq_n_s32(n)), n};
}

static inline Vec
v_load(const float *p)
{
	return vld1q_f32(p);
}

static inline Vec
v_zero(void)
{
	return vdupq_n_f32(0);
}

static inline Vec
v_load_part(const float *p, VecMask mask)
{
	if (mask.first >= VL)
		return v_load(p);
	if (mask.first >= 2)
		return vcombine_f32(vld1_f32(p), mask.first == 2 ? vdup_n_f32(0) :
							vld1_lane_f32(p + 2, vdup_n_f32(0), 0));
	return mask.first == 1 ? vld1q_lane_f32(p, v_zero(), 0) : v_zero();
}

static inline Vec
v_load_f16(const uint16_t *p)
{
	return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}

static inline void
v_load_bf16(const uint16_t *p, Vec *first, Vec *second)
{
	*first = vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
	*second = vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + VL), 16));
}

static inline int
v_place_bf16(int i)
{
	return i;
}

static inline void
v_store(float *p, Vec a)
{
	vst1q_f32(p, a);
}

static inline void
v_store_part(float *p, VecMask mask, Vec a)
{
	if (mask.first >= VL)
		v_store(p, a);
	else if (mask.first >= 2)
	{
		vst1_f32(p, vget_low_f32(a));
		if (mask.first == 3)
			vst1q_lane_f32(p + 2, a, 2);
	}
	else if (mask.first == 1)
		vst1q_lane_f32(p, a, 0);
}

static inline Vec
v_select(VecMask mask, Vec a, Vec b)
{
	return vbslq_f32(mask.lanes, a, b);
}

static inline Vec
v_set(float f)
{
	return vdupq_n_f32(f);
}

static inline Vec
v_add(Vec a, Vec b)
{
	return vaddq_f32(a, b);
}

static inline Vec
v_sub(Vec a, Vec b)
{
	return vsubq_f32(a, b);
}

static inline Vec
v_mul(Vec a, Vec b)
{
	return vmulq_f32(a, b);
}

static inline Vec
v_div(Vec a, Vec b)
{
	return vdivq_f32(a, b);
}

static inline Vec
v_fma(Vec a, Vec b, Vec c)
{
	return vfmaq_f32(c, a, b);
}

static inline Vec
v_fnma(Vec a, Vec b, Vec c)
{
	return vfmsq_f32(c, a, b);
}

/*
 * One lane of a, times b, plus c, rounded once: for the templates' products,
 * which then load a row's numbers VL at a time.  The lane is a constant once
 * loops are unrolled.  gcc 12 knows the instruction as two, in whose order it
 * runs out of registers; so it gets it as it is.
 */
#define v_fma_lane v_fma_lane
#ifdef __clang__
#define FMLA(lane) c = vfmaq_laneq_f32(c, b, a, lane)
#else
#define FMLA(lane) __asm__("fmla %0.4s, %1.4s, %2.s[" #lane "]" : "+w"(c) : "w"(b), "w"(a))
#endif
static inline __attribute__((always_inline)) Vec
v_fma_lane(Vec a, int lane, Vec b, Vec c)
{
	switch (lane)
	{
		case 0:
			FMLA(0);
			break;
		case 1:
			FMLA(1);
			break;
		case 2:
			FMLA(2);
			break;
		default:
			FMLA(3);
	}
	return c;
}
#undef FMLA

static inline Vec
v_max(Vec a, Vec b)
{
	return vbslq_f32(vcgtq_f32(a, b), a, b);
}

static inline Vec
v_min(Vec a, Vec b)
{
	return vbslq_f32(vcltq_f32(a, b), a, b);
}

static inline Vec
v_abs(Vec a)
{
	return vabsq_f32(a);
}

static inline Vec
v_with_sign(Vec a, Vec s)
{
	return vbslq_f32(vdupq_n_u32(0x80000000), s, a);
}

static inline Vec
v_round(Vec a)
{
	return vrndnq_f32(a);
}

/* 2^n for n in -126 .. 127 */
static inline Vec
v_power_of_two(int32x4_t n)
{
	return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}

/* Two factors, each half of the way, reach the subnormal and the infinite. */
static inline Vec
v_scale(Vec a, Vec n)
{
	int32x4_t	whole = vcvtnq_s32_f32(n);
	int32x4_t	half = vshrq_n_s32(whole, 1);

	return vmulq_f32(vmulq_f32(a, v_power_of_two(half)), v_power_of_two(vsubq_s32(whole, half)));
}

static inline Vec
v_scale_normal(Vec a, Vec n)
{
	return vmulq_f32(a, v_power_of_two(vcvtnq_s32_f32(n)));
}

static inline Vec
v_sqrt(Vec a)
{
	return vsqrtq_f32(a);
}

static inline VecMask
v_positive(Vec a)
{
	return (VecMask) {vcgtzq_f32(a), VL};
}

static inline Vec
v_keep(VecMask mask, Vec a)
{
	return vreinterpretq_f32_u32(vandq_u32(mask.lanes, vreinterpretq_u32_f32(a)));
}

static inline float
v_sum(Vec a)
{
	return vpadds_f32(vadd_f32(vget_low_f32(a), vget_high_f32(a)));
}

static inline float
v_greatest(Vec a)
{
	a = v_max(a, vextq_f32(a, a, 2));
	a = v_max(a, vextq_f32(a, a, 1));
	return vgetq_lane_f32(a, 0);
}

/*
 * 4 numbers each of 4 lanes to 4 lines: dst[i ldd + j] = src[j lds + i], of any
 * alignment.
 */
static inline __attribute__((always_inline)) void
v_transpose4(float *dst, size_t ldd, const float *src, size_t lds)
{
	float32x4x2_t ab = vtrnq_f32(vld1q_f32(src), vld1q_f32(src + lds)),
				cd = vtrnq_f32(vld1q_f32(src + 2 * lds), vld1q_f32(src + 3 * lds));

	vst1q_f32(dst, vcombine_f32(vget_low_f32(ab.val[0]), vget_low_f32(cd.val[0])));
	vst1q_f32(dst + ldd, vcombine_f32(vget_low_f32(ab.val[1]), vget_low_f32(cd.val[1])));
	vst1q_f32(dst + 2 * ldd, vcombine_f32(vget_high_f32(ab.val[0]), vget_high_f32(cd.val[0])));
	vst1q_f32(dst + 3 * ldd, vcombine_f32(vget_high_f32(ab.val[1]), vget_high_f32(cd.val[1])));
}

/* 4 numbers each of 2 lanes to 4 lines. */
static inline __attribute__((always_inline)) void
v_transpose2(float *dst, size_t ldd, const float *src, size_t lds)
{
	float32x4x2_t ab = vzipq_f32(vld1q_f32(src), vld1q_f32(src + lds));

	vst1_f32(dst, vget_low_f32(ab.val[0]));
	vst1_f32(dst + ldd, vget_high_f32(ab.val[0]));
	vst1_f32(dst + 2 * ldd, vget_low_f32(ab.val[1]));
	vst1_f32(dst + 3 * ldd, vget_high_f32(ab.val[1]));
}

#endif
