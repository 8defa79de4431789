/*
 * int8_neondot.c -- products of 8-bit integers by sdot (Cortex-A76, Neoverse
 * N1 and later).
 *
 * The instruction multiplies four bytes by four, all with a sign: the numbers
 * of x are counted from the row's lowest, which becomes -128.  A vector of x is
 * four groups, each of which meets a line.
 */
#include "kernel/arm/ivec_neon.h"

#define MR 6
#define NV 4
#define GROUP 4
#define COUNTED 1
#define LEAST (-128)
#define OWN_LINES

typedef int8_t Quantum;

static inline void
store_quanta(Quantum *q, IVec a)
{
	i_store8(q, a);
}

#include "kernel/arm/tables_arm.h"
#include "kernel/int8_attention_template.h"

/* A line, and what it has with one lane of the rows: a literal. */
#define ADD_LINE(lane) \
	do { \
		v_prefetch_far(fetch + lane * fetch_step); \
		UNROLL \
		for (int j = 0; j < NV; j++) \
		{ \
			int8x16_t	column = vld1q_s8(w + lane * LINE + j * VL * GROUP); \
			\
			UNROLL \
			for (int i = 0; i < rows; i++) \
				acc[i][j] = vdotq_laneq_s32(acc[i][j], column, row[i], lane); \
		} \
	} while (0)

/* lines is VL, or 1 for those that are left, whose groups fill all lanes. */
static inline __attribute__((always_inline)) void
some_lines(IVec acc[MR][NV], const int8_t *x, size_t ldx, const int8_t *w, const int lines,
		   const char *fetch, int fetch_step, const int rows)
{
	int8x16_t	row[MR];

	UNROLL
	for (int i = 0; i < rows; i++)
	{
		int32_t		group;

		memcpy(&group, x + i * ldx, sizeof(group));
		row[i] = lines == VL ? vld1q_s8(x + i * ldx) : vreinterpretq_s8_s32(i_set(group));
	}
	ADD_LINE(0);
	if (lines < VL)
		return;
	ADD_LINE(1);
	ADD_LINE(2);
	ADD_LINE(3);
}

/* With sums of its own, which clang keeps in registers. */
static inline __attribute__((always_inline)) void
tile_lines(IVec acc[MR][NV], const int8_t *x, size_t ldx, const int8_t *w, int lines,
		   const char *fetch, int fetch_step, const int rows)
{
	IVec		sums[MR][NV];

	UNROLL
	for (int i = 0; i < rows; i++)
		UNROLL
		for (int j = 0; j < NV; j++)
			sums[i][j] = acc[i][j];
	for (; lines >= VL; lines -= VL, x += VL * GROUP, w += VL * LINE, fetch += VL * fetch_step)
		some_lines(sums, x, ldx, w, VL, fetch, fetch_step, rows);
	for (; lines > 0; lines--, x += GROUP, w += LINE, fetch += fetch_step)
		some_lines(sums, x, ldx, w, 1, fetch, fetch_step, rows);
	UNROLL
	for (int i = 0; i < rows; i++)
		UNROLL
		for (int j = 0; j < NV; j++)
			acc[i][j] = sums[i][j];
}

#define TABLE(layout_name, bits) \
{ \
	.layout = layout_name, \
	.block_work = 400000000, \
	.packed_size = packed_size, \
	.panel = NR, \
	.pack = pack##bits, \
	.linear = linear, \
	.attention = attention##bits, \
}

const DbertInt8Kernels dbert_int8_neon_dotprod = TABLE("i8-n16k4-f32-n16", 8);
const DbertInt8Kernels dbert_int7_neon_dotprod = TABLE("i7-n16k4-f32-n16", 7);
