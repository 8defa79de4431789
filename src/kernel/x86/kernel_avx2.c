/*
 * kernel_avx2.c -- the templates for AVX2, FMA and F16C: tiles of 6 x 16.
 *
 * Twelve of the sixteen registers hold the tile, two a line of the panel, one
 * the broadcast (the shape of BLIS's haswell kernel).
 */
#include "kernel/x86/ivec_avx2.h"

#define MR 6
#define NV 2
#define QUERIES 24
#define FETCH_NEAR(rows) false

#include "kernel/attention_template.h"
#include "kernel/decoding_template.h"
#include "kernel/gate_template.h"
#include "kernel/gemm_template.h"
#include "kernel/rowops_template.h"
#include "kernel/train_template.h"
#include "kernel/x86/tables_x86.h"

/* The tables differ in their products of 8-bit integers. */
#define TABLE(table_name, which) \
{ \
	.name = table_name, \
	.layout = "n16", \
	.bits = TEMPLATE_BITS, \
	.rows_matter = false, \
	.block_work = 200000000, \
	.packed_linear_size = packed_size, \
	.panel = NR, \
	.pack_linear = pack_linear, \
	.linear = linear, \
	.attention = attention, \
	.layer_norm_rows = layer_norm_rows, \
	.rms_norm_rows = rms_norm_rows, \
	.gate_rows = gate_rows, \
	.train = &train_kernels, \
	.int8 = &dbert_int8_##which, \
	.int7 = &dbert_int7_##which, \
	.half = &half_kernels, \
	.decoding = &decoding_kernels, \
}

const DbertKernels dbert_kernels_avx2 = TABLE("avx2", avx2);
const DbertKernels dbert_kernels_avx2_vnni = TABLE("avx2-vnni", avx2_vnni);
