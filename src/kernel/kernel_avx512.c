/*
 * kernel_avx512.c -- the templates for AVX-512F: tiles of 12 x 32.
 *
 * 24 of the 32 registers hold the tile, two a line of the panel, the others
 * give the broadcasts room; 14 loads for 24 multiply-adds keep the load ports
 * out of the way.  14 x 32 and 8 x 48 were measured: no faster, and heads of
 * 32 and 64 columns fit 32 without padding.
 */
#if defined(__x86_64__)

#include "kernel/vec_avx512.h"

#define MR 12
#define NV 2

#include "kernel/attention_template.h"
#include "kernel/gemm_template.h"
#include "kernel/rowops_template.h"

const DbertKernels dbert_kernels_avx512 = {
	.name = "avx512",
	.layout = "f32-n32",
	.rows_matter = false,
	.block_work = 400000000,
	.packed_linear_size = packed_size,
	.pack_linear = pack_linear,
	.linear = linear,
	.attention = attention,
	.softmax_rows = softmax_rows,
	.layer_norm_rows = layer_norm_rows,
	.activate = activate,
};

#else

/* an object without symbols is an error to some linkers */
extern int	dbert_no_avx512;

#endif
