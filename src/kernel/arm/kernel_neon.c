/*
 * kernel_neon.c -- the templates for NEON: tiles of 6 x 16.
 *
 * Of the 32 registers 24 hold the tile, 6 four numbers of each row, 2 in turn a
 * part of the panel's line.  Tables differ in their products of 8 bits.
 */
#include "kernel/arm/ivec_neon.h"

#define MR 6
#define NV 4
#define QUERIES 24
#define FETCH_NEAR(rows) false

#include "kernel/arm/tables_arm.h"
#include "kernel/attention_template.h"
#include "kernel/decoding_template.h"
#include "kernel/gate_template.h"
#include "kernel/gemm_template.h"
#include "kernel/rowops_template.h"
#include "kernel/train_template.h"

#define TABLE(table_name, which) \
{ \
	.name = table_name, \
	.layout = "n16", \
	.bits = TEMPLATE_BITS, \
	.rows_matter = false, \
	.block_work = 100000000, \
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

const DbertKernels dbert_kernels_neon = TABLE("neon", neon);
const DbertKernels dbert_kernels_neon_dotprod = TABLE("neon-dotprod", neon_dotprod);
const DbertKernels dbert_kernels_neon_i8mm = TABLE("neon-i8mm", neon_i8mm);
