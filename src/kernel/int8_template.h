/*
 * int8_template.h -- products of 8-bit integers with a packed operand, written
 * once over a vec_*.h and an ivec_*.h.
 *
 * The including file sets MR and NV, and says how its instructions multiply:
 *
 *   Quantum      what an element of x becomes in the scratch
 *   GROUP        how many of them fill 32 bits
 *   STEP         how many groups one multiply-add takes, if not 1
 *   COUNTED      1: numbers are counted from the row's lowest, which becomes
 *                LEAST (0 where Quanta have no sign); 0: they stay as they are
 *   store_quanta VL whole numbers as Quanta
 *   column       the GROUP weights of each of VL columns, as the multiply-add
 *                takes them
 *   dot          acc[j] += sum over STEP groups of rows * columns[j]
 *
 * A file whose instructions take more than one row or line at a time defines
 * OWN_LINES and, behind this file, tile_lines; column and dot are not needed
 * then.  TOGETHER, 1 or 2, is how many rows have their groups in turn in the
 * scratch.
 *
 * Packed layout of W[N,K]: panels of NR = NV * VL columns, padded with zeros; a
 * panel is NR scales, the NR columns' sums, and ceil(K / GROUP) lines of NR
 * groups, or up to the next multiple of STEP:
 *
 *   line 0   w[0][0..GROUP-1] w[1][0..GROUP-1] .. w[NR-1][0..GROUP-1]
 *   line 1   w[0][GROUP..2*GROUP-1] ..
 *
 * A sum starts from the column's, times what was taken from the row's numbers
 * where they are counted, which gives it back.  Rows are quantised MC at a time
 * into the scratch, and all panels meet them there; the rest is as in
 * gemm_template.h.
 */
#ifndef DBERT_KERNEL_INT8_TEMPLATE_H
#define DBERT_KERNEL_INT8_TEMPLATE_H

#include "kernel/activate_template.h"
#include "kernel/hints.h"
#include "kernel/int8.h"

#ifndef TOGETHER
#define TOGETHER 1
#endif
#ifndef STEP
#define STEP 1
#endif

#define NR (NV * VL)
#define LINE (NR * GROUP)		/* bytes */
#define MC (120 / (int) sizeof(Quantum))	/* rows of 3072 elements stay in L2 */

/* ---- quantising rows ---- */

/* Where number p of a row lies, from the row's first on. */
static inline int
quantum_at(int p)
{
	return TOGETHER == 1 ? p : p / GROUP * GROUP * TOGETHER + p % GROUP;
}

/* Quanta from a row to the next: whole cache lines, an odd number of them. */
static size_t
row_quanta(int k)
{
	size_t		lines = ((size_t) k * sizeof(Quantum) + 63) / 64;

	return (lines | 1) * 64 / sizeof(Quantum);
}

/* A row's lowest and highest number, 0 among them. */
typedef struct Range
{
	float		low,
				high;			/* NaN if a number is not finite */
} Range;

static Range
row_range(const float *x, int k)
{
	Vec			low = v_zero(),
				high = v_zero(),
				poison = v_zero();	/* NaN as soon as a number is not finite */

	for (int p = 0; p < k; p += VL)
	{
		Vec			v = load_filled(x + p, k - p, v_zero());

		low = v_min(v, low);
		high = v_max(v, high);
		poison = v_add(v_mul(v, v_zero()), poison);
	}
	return (Range) {-v_greatest(v_sub(v_zero(), low)), v_sum(poison) + v_greatest(high)};
}

/*
 * Writes whole vectors: zeros beyond k.  Returns the scale; *taken is what was
 * taken from all numbers.
 */
static float
quantize_row(Quantum *q, int32_t *taken, const float *x, int k, int steps)
{
	const Range range = row_range(x, k);
	const DbertI8Scale s = dbert_i8_scale(range.high - range.low, steps);

	*taken = COUNTED && s.inverse != 0 ? (int32_t) rintf(range.low * s.inverse) - LEAST : 0;
	for (int p = 0; p < k; p += VL)
	{
		Vec			v = load_filled(x + p, k - p, v_zero());

		store_quanta(q + quantum_at(p), i_sub(i_round(v_mul(v, v_set(s.inverse))), i_set(*taken)));
	}
	return s.scale;
}

/* A block's rows, ldx apart: quanta row_quanta(k) apart, the rest one each. */
static void
quantize_rows(Quantum *quanta, float *scales, int32_t *taken, const float *x, size_t ldx, int rows,
			  int k, int steps)
{
	const size_t step = row_quanta(k);

	for (int i = 0; i < rows; i++)
		scales[i] = quantize_row(quanta + (i - i % TOGETHER) * step + i % TOGETHER * GROUP,
								 &taken[i], x + i * ldx, k, steps);
}

/* ---- the packed operand ---- */

static int
panel_lines(int k)
{
	return (k + STEP * GROUP - 1) / (STEP * GROUP) * STEP;
}

static size_t
panel_size(int k)
{
	return NR * (sizeof(float) + sizeof(int32_t)) + (size_t) panel_lines(k) * LINE;
}

static size_t
packed_size(int n, int k)
{
	return ((size_t) n + NR - 1) / NR * panel_size(k);
}

/* One column of a panel from a row of W. */
static void
pack_column(char *panel, int column, const float *w, int k, DbertI8WeightScale weight_scale)
{
	float	   *scales = (float *) panel;
	int32_t    *sums = (int32_t *) (scales + NR);
	int8_t	   *lines = (int8_t *) (sums + NR) + column * GROUP;
	int8_t		part[64];		/* quantised as a whole, laid out by parts */
	DbertI8Scale s = weight_scale(w, k);

	for (int p0 = 0; p0 < k; p0 += 64)
	{
		int			count = k - p0 < 64 ? k - p0 : 64;

		dbert_i8_round(part, w + p0, count, s);
		for (int p = 0; p < count; p++)
		{
			lines[(size_t) (p0 + p) / GROUP * LINE + (p0 + p) % GROUP] = part[p];
			sums[column] += part[p];
		}
	}
	scales[column] = s.scale;
}

static inline void
pack_columns(void *dst, const float *w, int n, int k, DbertI8WeightScale weight_scale)
{
	memset(dst, 0, packed_size(n, k));
	for (size_t j = 0; j < (size_t) n; j++)
		pack_column((char *) dst + j / NR * panel_size(k), (int) (j % NR), w + j * k, k,
					weight_scale);
}

static inline void
pack8(void *dst, const float *w, int n, int k)
{
	pack_columns(dst, w, n, k, dbert_i8_weight_scale);
}

static inline void
pack7(void *dst, const float *w, int n, int k)
{
	pack_columns(dst, w, n, k, dbert_i7_weight_scale);
}

/* ---- the product ---- */

typedef struct Tile
{
	float	   *y;
	size_t		ldy;
	const Quantum *x;
	size_t		ldx;
	const float *row_scales;
	const int32_t *taken;		/* from the numbers of each row */
	const char *panel;
	const float *b;				/* or NULL */
	int			columns;		/* 1 .. NR */
	int			lines;
	const char *fetch;			/* what to bring into L2 meanwhile: */
	int			fetch_step;		/* LINE bytes from here, then on by so many per line */
} Tile;

/*
 * y from a tile's sums.  What its rows share is read before the first is
 * written: for all the compiler knows, y might be it.
 */
static inline __attribute__((always_inline)) void
tile_store(const Tile *t, IVec acc[MR][NV], const int rows)
{
	const float *scales = (const float *) t->panel;
	Vec			scale[NV],
				b[NV];

	UNROLL
	for (int j = 0; j < NV; j++)
	{
		scale[j] = v_load(scales + j * VL);
		b[j] = t->b != NULL ? load_filled(t->b + j * VL, t->columns - j * VL, v_zero()) : v_zero();
	}
	UNROLL
	for (int i = 0; i < rows; i++)
		UNROLL
		for (int j = 0; j < NV; j++)
			store_first(t->y + i * t->ldy + j * VL, t->columns - j * VL,
						v_add(v_mul(i_to_float(acc[i][j]),
									v_mul(v_set(t->row_scales[i]), scale[j])), b[j]));
}

#ifdef OWN_LINES
/* acc += what rows of x, ldx apart, have with the panel's lines from w on. */
static inline void tile_lines(IVec acc[MR][NV], const Quantum *x, size_t ldx, const int8_t *w,
							  int lines, const char *fetch, int fetch_step, const int rows);
#else
static inline int32_t
load_group(const Quantum *q)
{
	int32_t		group;

	memcpy(&group, q, sizeof(group));
	return group;
}
#endif

#if STEP == 1
#define UNROLL_LINES UNROLL_BY_4
#else
#define UNROLL_LINES			/* as many instructions as they are */
#endif

/* Rows is a constant wherever this is inlined: acc lives in registers. */
static inline __attribute__((always_inline)) void
tile_compute(const Tile *t, const int rows)
{
	IVec		acc[MR][NV];
	const size_t ldx = t->ldx;
	const Quantum *low = t->x,	/* as in gemm_template.h */
			   *high = rows > 6 ? low + 6 * ldx : low;
	const int32_t *sums = (const int32_t *) ((const float *) t->panel + NR);
	const int8_t *w = (const int8_t *) (sums + NR);
	const char *fetch = t->fetch;
	const int	fetch_step = t->fetch_step;

	UNROLL
	for (int i = 0; i < rows; i++)
		UNROLL
		for (int j = 0; j < NV; j++)
			acc[i][j] = COUNTED ? i_mul(i_set(t->taken[i]), i_load(sums + j * VL)) : i_set(0);

#ifdef OWN_LINES
	(void) high;
	tile_lines(acc, low, ldx, w, t->lines, fetch, fetch_step, rows);
#else
	UNROLL_LINES
	for (int p = 0; p < t->lines; p += STEP)
	{
		IVec		columns[NV][STEP],
					row[STEP];

		UNROLL
		for (int at = 0; at < STEP * NV; at++)
		{
			columns[at % NV][at / NV] = column(w + at * VL * GROUP);
			if (at * VL * GROUP % 64 == 0)
				v_prefetch_far(fetch + at * VL * GROUP);
		}
		UNROLL
		for (int i = 0; i < rows; i++)
		{
			const Quantum *groups = i < 6 ? low + i * ldx : high + (i - 6) * ldx;

			UNROLL
			for (int s = 0; s < STEP; s++)
				row[s] = i_set(load_group(groups + s * GROUP));
			UNROLL
			for (int j = 0; j < NV; j++)
				acc[i][j] = dot(acc[i][j], row, columns[j]);
		}
		w += STEP * LINE;
		low += STEP * GROUP;
		high += STEP * GROUP;
		fetch += STEP * fetch_step;
	}
#endif

	tile_store(t, acc, rows);
}

#include "kernel/tile_rows.h"

/*
 * All quantised rows against one panel, in tiles of heights that differ by one
 * at most.
 */
static void
panel_run(Tile t, int m, int act)
{
	int			tiles = (m + MR - 1) / MR;
	float	   *y = t.y;

	t.fetch_step = (LINE + tiles - 1) / tiles;
	for (int left = m; tiles > 0; tiles--)
	{
		int			rows = (left + tiles - 1) / tiles;

		if (rows % TOGETHER != 0 && rows < left)
			rows++;
		tile_run(&t, rows);
		t.y += rows * t.ldy;
		t.x += rows * t.ldx;
		t.row_scales += rows;
		t.taken += rows;
		t.fetch += (size_t) t.lines * t.fetch_step;
		left -= rows;
	}
	if (act != DBERT_ACT_NONE)
		activate_rows(y, y, t.ldy, m, t.columns, act);
}

static void
linear(float *y, size_t ldy, const float *x, size_t ldx, const void *wp, const float *b,
	   int m, int n, int k, int act, void *scratch)
{
	const size_t panel = panel_size(k),
				step = row_quanta(k);
	float	   *scales = scratch;
	int32_t    *taken = (int32_t *) (scales + 128);	/* MC of each, then cache lines */
	Quantum    *quanta = (Quantum *) (taken + 128);

	for (int m0 = 0, blocks = (m + MC - 1) / MC; blocks > 0; blocks--)
	{
		const int	rows = (m - m0 + blocks - 1) / blocks;	/* as in gemm_template.h */
		const char *at = wp;

		quantize_rows(quanta, scales, taken, x + m0 * ldx, ldx, rows, k, DBERT_I8_ROW_STEPS);
		for (int n0 = 0; n0 < n; n0 += NR, at += panel)
		{
			Tile		t = {
				.y = y + m0 * ldy + n0, .ldy = ldy, .x = quanta, .ldx = step, .row_scales = scales,
				.taken = taken, .panel = at, .b = b != NULL ? b + n0 : NULL,
				.columns = n - n0 < NR ? n - n0 : NR, .lines = panel_lines(k),
				.fetch = at + panel,
			};

			panel_run(t, rows, act);
		}
		m0 += rows;
	}
}

#endif
