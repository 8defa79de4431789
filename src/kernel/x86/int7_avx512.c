/*
 * int7_avx512.c -- products of int7 by vpmaddubsw on 16 columns, for processors
 * with AVX-512 and no VNNI; see int7_avx2.c.
 */
#include "kernel/x86/ivec_avx512.h"

#define MR 8
#define NV 2
#define GROUP 4
#define STEP 2
#define COUNTED 1
#define LEAST 0

typedef uint8_t Quantum;

static inline void
store_quanta(Quantum *q, IVec a)
{
	i_store8_unsigned(q, a);
}

static inline IVec
column(const int8_t *w)
{
	return i_load(w);
}

static inline IVec
dot(IVec acc, const IVec *row, const IVec *column)
{
	__m512i		sums = _mm512_add_epi16(_mm512_maddubs_epi16(row[0], column[0]),
										_mm512_maddubs_epi16(row[1], column[1]));

	return _mm512_add_epi32(acc, _mm512_madd_epi16(sums, _mm512_set1_epi16(1)));
}

#include "kernel/int8_attention_template.h"
#include "kernel/x86/tables_x86.h"

const DbertInt8Kernels dbert_int7_avx512 = {
	.layout = "i7-n32k8-f32-n32",
	.block_work = 1200000000,
	.packed_size = packed_size,
	.panel = NR,
	.pack = pack7,
	.linear = linear,
	.attention = attention7,
};
