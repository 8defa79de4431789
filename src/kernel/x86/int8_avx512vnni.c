/*
 * int8_avx512vnni.c -- products of 8-bit integers by vpdpbusd on 16 columns
 * (Cascade Lake, Zen 4 and later); see int8_avx2vnni.c.
 *
 * 8 x 32: with more rows gcc no longer finds a register for every sum, and 16
 * independent ones hide the latency as it is.
 */
#include "kernel/x86/ivec_avx512.h"

#define MR 8
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
	return _mm512_dpbusd_epi32(acc, *row, *column);
}

#include "kernel/int8_attention_template.h"
#include "kernel/x86/tables_x86.h"

#define TABLE(layout_name, bits) \
{ \
	.layout = layout_name, \
	.block_work = 1600000000, \
	.packed_size = packed_size, \
	.panel = NR, \
	.pack = pack##bits, \
	.linear = linear, \
	.attention = attention##bits, \
}

const DbertInt8Kernels dbert_int8_avx512_vnni = TABLE("i8-n32k4-f32-n32", 8);
const DbertInt8Kernels dbert_int7_avx512_vnni = TABLE("i7-n32k4-f32-n32", 7);
