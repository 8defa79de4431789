/*
 * int8_neon.c -- products of 8-bit integers where there is no instruction for
 * sums of them (Cortex-A53, A57, A72).
 *
 * Bytes with a sign are multiplied to 16 bits and added there by twos, which
 * cannot overflow (2 * 128 * 127 < 2^15), and those by twos to 32 bits: four
 * instructions for 16 multiply-adds, as many as fp32 needs.  The layout is that
 * of int8_neondot.c.
 */
#include "kernel/arm/ivec_neon.h"

#define MR 4
#define NV 4
#define GROUP 4
#define COUNTED 1
#define LEAST (-128)

typedef int8_t Quantum;

static inline void
store_quanta(Quantum *q, IVec a)
{
	i_store8(q, a);
}

static inline IVec
column(const int8_t *w)
{
	return i_load(w);
}

static inline IVec
dot(IVec acc, const IVec *row, const IVec *column)
{
	const int8x16_t a = vreinterpretq_s8_s32(*row),
				b = vreinterpretq_s8_s32(*column);
	const int16x8_t first = vmull_s8(vget_low_s8(a), vget_low_s8(b)),
				second = vmull_high_s8(a, b);

	return vpadalq_s16(acc, vpaddq_s16(first, second));
}

#include "kernel/arm/tables_arm.h"
#include "kernel/int8_attention_template.h"

#define TABLE(layout_name, bits) \
{ \
	.layout = layout_name, \
	.block_work = 100000000, \
	.packed_size = packed_size, \
	.panel = NR, \
	.pack = pack##bits, \
	.linear = linear, \
	.attention = attention##bits, \
}

const DbertInt8Kernels dbert_int8_neon = TABLE("i8-n16k4-f32-n16", 8);
const DbertInt8Kernels dbert_int7_neon = TABLE("i7-n16k4-f32-n16", 7);
