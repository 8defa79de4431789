/*
 * kernel_avx512.c -- the templates for AVX-512F: tiles of 12 x 32.
 *
 * 24 of the 32 registers hold the tile, two a line of the panel, the others
 * give the broadcasts room; 14 loads for 24 multiply-adds keep the load ports
 * out of the way.  14 x 32 and 8 x 48 were measured: no faster, and heads of
 * 32 and 64 columns fit 32 without padding.
 *
 * The next panel is fetched into L1 by high tiles, into L2 by those that wait
 * for memory: src/kernel/README.md.
 */
#include "kernel/x86/ivec_avx512.h"

#define MR 12
#define NV 2
#define QUERIES 12
#define FETCH_NEAR(rows) ((rows) > 8)

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
	.layout = "n32", \
	.bits = TEMPLATE_BITS, \
	.rows_matter = false, \
	.block_work = 400000000, \
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

const DbertKernels dbert_kernels_avx512 = TABLE("avx512", avx512);
const DbertKernels dbert_kernels_avx512_vnni = TABLE("avx512-vnni", avx512_vnni);
