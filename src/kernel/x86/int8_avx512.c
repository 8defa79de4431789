/*
 * int8_avx512.c -- products of 8-bit integers by vpmaddwd on 16 columns, for
 * processors with AVX-512 and no VNNI (Skylake); see int8_avx2.c.
 */
#include "kernel/x86/ivec_avx512.h"

#define MR 12
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
	return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *) w));
}

static inline IVec
dot(IVec acc, const IVec *row, const IVec *column)
{
	return _mm512_add_epi32(acc, _mm512_madd_epi16(*row, *column));
}

#include "kernel/int8_attention_template.h"
#include "kernel/x86/tables_x86.h"

const DbertInt8Kernels dbert_int8_avx512 = {
	.layout = "i8-n32k2-f32-n32",
	.block_work = 800000000,
	.packed_size = packed_size,
	.panel = NR,
	.pack = pack8,
	.linear = linear,
	.attention = attention8,
};
