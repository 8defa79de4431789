/*
 * int7_avx2.c -- products of int7 by vpmaddubsw.
 *
 * The instruction multiplies four bytes without a sign by four with one and
 * adds them two and two in 16 bits.  Two of these fit into 16 bits together
 * (int8.h), so two are added before vpmaddwd by ones widens both: five
 * instructions for 64 multiply-adds, where fp32 needs eight, and int8 eight.
 */
#include "kernel/x86/ivec_avx2.h"

#define MR 4
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
	__m256i		sums = _mm256_add_epi16(_mm256_maddubs_epi16(row[0], column[0]),
										_mm256_maddubs_epi16(row[1], column[1]));

	return _mm256_add_epi32(acc, _mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
}

#include "kernel/int8_attention_template.h"
#include "kernel/x86/tables_x86.h"

const DbertInt8Kernels dbert_int7_avx2 = {
	.layout = "i7-n16k8-f32-n16",
	.block_work = 600000000,
	.packed_size = packed_size,
	.panel = NR,
	.pack = pack7,
	.linear = linear,
	.attention = attention7,
};
