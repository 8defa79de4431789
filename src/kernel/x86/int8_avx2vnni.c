/*
 * int8_avx2vnni.c -- products of 8-bit integers by vpdpbusd on 8 columns
 * (AVX-VNNI: Alder Lake, Sierra Forest, Zen 5 and later).
 *
 * The instruction multiplies four bytes without a sign by four with one and
 * adds all to 32 bits: the numbers of x are counted from the row's lowest.
 */
#include "kernel/x86/ivec_avx2.h"

#define MR 6
#define NV 2
#define GROUP 4
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
	return _mm256_dpbusd_avx_epi32(acc, *row, *column);
}

#include "kernel/int8_attention_template.h"
#include "kernel/x86/tables_x86.h"

#define TABLE(layout_name, bits) \
{ \
	.layout = layout_name, \
	.block_work = 800000000, \
	.packed_size = packed_size, \
	.panel = NR, \
	.pack = pack##bits, \
	.linear = linear, \
	.attention = attention##bits, \
}

const DbertInt8Kernels dbert_int8_avx2_vnni = TABLE("i8-n16k4-f32-n16", 8);
const DbertInt8Kernels dbert_int7_avx2_vnni = TABLE("i7-n16k4-f32-n16", 7);
