/*
 * int8_neoni8mm.c -- products of 8-bit integers by usmmla (Neoverse V1, N2 and
 * V2, Apple M2 and later).
 *
 * The instruction multiplies 2 rows of 8 bytes without a sign by 2 columns of 8
 * with one and adds the 2 x 2 sums to a vector: the numbers of x are counted
 * from the row's lowest, rows are quantised in pairs, and the tile's vectors
 * are put together from two rows and taken apart at its end.  A last row
 * without a partner is multiplied with what lies beside it in the scratch, and
 * that sum is left.
 */
#include "kernel/arm/ivec_neon.h"

#define MR 6
#define NV 4
#define GROUP 8
#define COUNTED 1
#define LEAST 0
#define OWN_LINES
#define TOGETHER 2

typedef uint8_t Quantum;

static inline void
store_quanta(Quantum *q, IVec a)
{
	i_store8_unsigned(q, a);
}

#include "kernel/arm/tables_arm.h"
#include "kernel/int8_attention_template.h"

/* Lanes 0 and 1 of both, or lanes 2 and 3: makes pairs, and undoes it. */
static inline IVec
lower_halves(IVec a, IVec b)
{
	return vcombine_s32(vget_low_s32(a), vget_low_s32(b));
}

static inline IVec
upper_halves(IVec a, IVec b)
{
	return vcombine_s32(vget_high_s32(a), vget_high_s32(b));
}

/* Pairs of rows by 2 NV pairs of columns. */
static inline __attribute__((always_inline)) void
pair_lines(IVec sums[MR / 2][2 * NV], const uint8_t *x, size_t ldx, const int8_t *w, int lines,
		   const char *fetch, int fetch_step, const int pairs)
{
	for (; lines > 0; lines--, x += 2 * GROUP, w += LINE, fetch += fetch_step)
	{
		uint8x16_t	row[MR / 2];

		UNROLL
		for (int i = 0; i < pairs; i++)
			row[i] = vld1q_u8(x + i * 2 * ldx);
		UNROLL
		for (int j = 0; j < 2 * NV; j++)
		{
			int8x16_t	column = vld1q_s8(w + j * 2 * GROUP);

			if (j * 2 * GROUP % 64 == 0)
				v_prefetch_far(fetch + j * 2 * GROUP);
			UNROLL
			for (int i = 0; i < pairs; i++)
				sums[i][j] = vusmmlaq_s32(sums[i][j], row[i], column);
		}
	}
}

static inline __attribute__((always_inline)) void
tile_lines(IVec acc[MR][NV], const uint8_t *x, size_t ldx, const int8_t *w, int lines,
		   const char *fetch, int fetch_step, const int rows)
{
	IVec		sums[MR / 2][2 * NV];

	UNROLL
	for (int i = 0; i < rows; i += 2)
		UNROLL
		for (int j = 0; j < NV; j++)
		{
			IVec		below = i + 1 < rows ? acc[i + 1][j] : i_set(0);

			sums[i / 2][2 * j] = lower_halves(acc[i][j], below);
			sums[i / 2][2 * j + 1] = upper_halves(acc[i][j], below);
		}
	pair_lines(sums, x, ldx, w, lines, fetch, fetch_step, (rows + 1) / 2);
	UNROLL
	for (int i = 0; i < rows; i++)
		UNROLL
		for (int j = 0; j < NV; j++)
			acc[i][j] = i % 2 == 0 ? lower_halves(sums[i / 2][2 * j], sums[i / 2][2 * j + 1]) :
				upper_halves(sums[i / 2][2 * j], sums[i / 2][2 * j + 1]);
}

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

const DbertInt8Kernels dbert_int8_neon_i8mm = TABLE("i8-n16k8-f32-n16", 8);
const DbertInt8Kernels dbert_int7_neon_i8mm = TABLE("i7-n16k8-f32-n16", 7);
