/*
 * int8_avx2.c -- products of 8-bit integers by vpmaddwd.
 *
 * vpmaddubsw, which multiplies bytes, saturates its sums of 16 bits, and
 * undoing its lack of a sign costs an instruction each time.  So bytes are
 * widened: x when it is quantised, a line of the panel once for all rows of a
 * tile.  Two instructions do 16 multiply-adds, where fp32 needs two as well,
 * but they go to different units.
 */
#include "kernel/x86/ivec_avx2.h"

#define MR 6
#define NV 2
#define GROUP 2
#define COUNTED 0
#define LEAST 0

typedef int16_t Quantum;

static inline void
store_quanta(Quantum *q, IVec a)
{
	i_store16(q, a);
}

static inline IVec
column(const int8_t *w)
{
	return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *) w));
}

static inline IVec
dot(IVec acc, const IVec *row, const IVec *column)
{
	return _mm256_add_epi32(acc, _mm256_madd_epi16(*row, *column));
}

#include "kernel/int8_attention_template.h"
#include "kernel/x86/tables_x86.h"

const DbertInt8Kernels dbert_int8_avx2 = {
	.layout = "i8-n16k2-f32-n16",
	.block_work = 400000000,
	.packed_size = packed_size,
	.panel = NR,
	.pack = pack8,
	.linear = linear,
	.attention = attention8,
};
