/*
 * gemm_template.h -- products with a packed operand, written once over a
 * vec_*.h; the including file sets MR, NV (even) and FETCH_NEAR(rows): whether
 * a tile of so many rows fetches the next panel into L1 rather than L2.
 *
 *   y[M,N] = act(x[M,K] W^T + b)
 *
 * Packed layout of W[N,K]: panels of NR = NV * VL columns (rows of W), each
 * panel K lines of NR floats, the last one padded with zeros:
 *
 *        panel 0: NR columns           panel 1
 *   k=0  w[0][0] w[1][0] .. w[NR-1][0] | w[NR][0] ..
 *   k=1  w[0][1] w[1][1] .. w[NR-1][1] | w[NR][1] ..
 *   ...                       K lines  |
 *
 * so that a tile of up to MR rows and NR columns of y stays in registers and
 * reads its panel as one stream.  Meanwhile the tiles of one panel fetch the
 * next one, each its share: with few rows the product is bound by memory, and
 * this keeps the memory busy all the time.  (Goto and van de Geijn 2008,
 * "Anatomy of high-performance matrix multiplication"; the names MR, NR, KC, MC
 * are theirs.)  x is read in place: it is reused N / NR times from L2, and rows
 * whose distance is a multiple of 4096 bytes cost more, so callers pad them.
 *
 * Weights of 16 bits (half.h) lie in lines of the same columns, those of BF16
 * in the order in which two vectors are loaded at once.  A tile widens them as
 * it loads them; where several tiles share a panel, the first keeps the floats
 * for the others, KC lines of them.
 *
 * Batch invariance: one element of y is b, then one fused multiply-add per k
 * in rising order, whatever the tile's height and wherever KC cuts (a partial
 * sum rests in y as it is).  The blocking decides speed alone.
 */
#ifndef DBERT_KERNEL_GEMM_TEMPLATE_H
#define DBERT_KERNEL_GEMM_TEMPLATE_H

#include "base/bytes.h"
#include "kernel/half.h"
#include "kernel/hints.h"
#include "kernel/rowops_template.h"

#include <stdbool.h>
#include <string.h>

#define NR (NV * VL)			/* columns of a tile and of a panel */
#define KC 768					/* depth of a block, unless it has few rows: */
#define MC (10 * MR)			/* MC x KC floats of x stay in L2 */

/* One tile's work: operands at its first element, k lines deep. */
typedef struct Tile
{
	float	   *y;
	size_t		ldy;
	const float *x;
	size_t		ldx;
	const void *w;				/* the panel at line k0, */
	DbertWeightType type;		/* its numbers' type, */
	float	   *kept;			/* and where they are to be kept as floats, or NULL */
	const float *b;				/* what y starts from: NULL is 0 */
	bool		resume;			/* y starts from its own content, not from b */
	int			columns;		/* 1 .. NR */
	int			k;
	const char *fetch;			/* what to bring into the caches meanwhile: */
	int			fetch_line;		/* so many bytes for each line of all tiles, */
	int			fetch_step;		/* and of one */
} Tile;

/* Bytes of a line of a panel. */
static inline __attribute__((always_inline)) size_t
line_bytes(const DbertWeightType type)
{
	return NR * (type == DBERT_WEIGHT_F32 ? sizeof(float) : sizeof(uint16_t));
}

static size_t
packed_size(int n, int k)
{
	return ((size_t) n + NR - 1) / NR * NR * (size_t) k;
}

/*
 * Packing: lanes of k numbers each to panels of some lanes, k lines of one
 * number of each lane; width is a constant wherever these are inlined.
 */

/*
 * One panel of lanes that are rows, the missing ones zeros.  A width is a
 * multiple of 4, or two more.
 */
static inline __attribute__((always_inline)) void
panel_along(float *dst, const float *src, size_t ld, int lanes, int k, const int width)
{
	int			p = 0;

	for (; lanes == width && p + 4 <= k; p += 4)
		for (int j = 0; j < width; j += 4)
			if (width - j < 4)
				v_transpose2(dst + p * width + j, width, src + j * ld + p, ld);
			else
				v_transpose4(dst + p * width + j, width, src + j * ld + p, ld);
	for (; p < k; p++)
		for (int j = 0; j < width; j++)
			dst[p * width + j] = j < lanes ? src[j * ld + p] : 0;
}

/* number p of lane j is src[j ld + p] */
static inline __attribute__((always_inline)) void
pack_along(float *dst, const float *src, size_t ld, int lanes, int k, const int width)
{
	for (int j = 0; j < lanes; j += width)
		panel_along(dst + (size_t) j * k, src + j * ld, ld, lanes - j < width ? lanes - j : width,
					k, width);
}

#define ACROSS_AHEAD 16 /* lines that are fetched before they are read: they lie pages apart */
#define ACROSS_PANELS 8 /* that are written side by side: more would meet in the same sets of L1   \
						 */

/* Panels of lanes that are columns, all of them full, some side by side. */
static inline __attribute__((always_inline)) void
panels_across(float *dst, const float *src, size_t ld, int panels, int k, const int width)
{
	const size_t panel = (size_t) k * width;

	for (int p = 0; p < k; p++, dst += width, src += ld)
	{
		float	   *to = dst;
		const float *from = src;

		for (int i = 0; i < panels; i++, to += panel, from += width)
		{
			v_prefetch_near(from + ACROSS_AHEAD * ld);
			memcpy(to, from, width * sizeof(float));
		}
	}
}

/* number p of lane j is src[p ld + j] */
static inline __attribute__((always_inline)) void
pack_across(float *dst, const float *src, size_t ld, int lanes, int k, const int width)
{
	int			full = lanes / width,
				rest = lanes % width;

	for (int i = 0; i < full; i += ACROSS_PANELS)
		panels_across(dst + (size_t) i * width * k, src + i * width, ld,
					  full - i < ACROSS_PANELS ? full - i : ACROSS_PANELS, k, width);
	dst += (size_t) full * width * k;
	src += full * width;
	for (int p = 0; rest > 0 && p < k; p++, src += ld)
		for (int j = 0; j < width; j++)
			*dst++ = j < rest ? src[j] : 0;
}

/* w[N,K], rows ldw apart, to panels */
static void
pack_rows(float *dst, const float *w, size_t ldw, int n, int k)
{
	pack_along(dst, w, ldw, n, k, NR);
}

/* What a vector of the tile's row i starts from. */
static inline Vec
tile_start(const Tile *t, int i, int j)
{
	const float *from = t->resume ? t->y + i * t->ldy : t->b;

	if (from == NULL)
		return v_zero();
	if (t->columns == NR)
		return v_load(from + j * VL);
	return v_load_part(from + j * VL, v_first(t->columns - j * VL));
}

static inline void
tile_store(const Tile *t, int i, int j, Vec sum)
{
	float	   *to = t->y + i * t->ldy + j * VL;

	if (t->columns == NR)
		v_store(to, sum);
	else
		v_store_part(to, v_first(t->columns - j * VL), sum);
}

/* Vectors j and j + 1 of a line; j is even. */
static inline __attribute__((always_inline)) void
load_pair(const char *line, int j, const DbertWeightType type, Vec pair[2])
{
	const float *floats = (const float *) line + j * VL;
	const uint16_t *halves = (const uint16_t *) line + j * VL;

	if (type == DBERT_WEIGHT_BF16)
	{
		v_load_bf16(halves, &pair[0], &pair[1]);
		return;
	}
	pair[0] = type == DBERT_WEIGHT_F16 ? v_load_f16(halves) : v_load(floats);
	pair[1] = type == DBERT_WEIGHT_F16 ? v_load_f16(halves + VL) : v_load(floats + VL);
}

/* To line p of what is kept. */
static inline __attribute__((always_inline)) void
keep_pair(float *kept, int p, int j, const Vec pair[2])
{
	if (kept == NULL)
		return;
	v_store(kept + (size_t) p * NR + j * VL, pair[0]);
	v_store(kept + (size_t) p * NR + (j + 1) * VL, pair[1]);
}

/*
 * The cache lines of two vectors' places.  A few rows of floats are read so
 * fast that the hints would hold them up.
 */
static inline __attribute__((always_inline)) void
fetch_pair(const char *line, int j, const DbertWeightType type, const int rows)
{
	const int	vector = (int) line_bytes(type) / NV;
	const bool	near = FETCH_NEAR(rows);

	if (rows <= 4 && type == DBERT_WEIGHT_F32)
		return;
	for (int at = j * vector; at < (j + 2) * vector; at += vector)
		if (at % 64 == 0 && near)
			v_prefetch_near(line + at);
		else if (at % 64 == 0)
			v_prefetch_far(line + at);
}

#ifdef v_fma_lane
/*
 * Some of the panel's lines: a vector of each row's numbers, of which a
 * multiply-add takes one.  lines is VL, or 1 for those that are left.  One
 * column at a time (what is not used of a pair is not loaded): two would leave
 * no register for a sum.
 */
static inline __attribute__((always_inline)) void
tile_lanes(Vec acc[MR][NV], const float *x, size_t ldx, const char *w, const DbertWeightType type,
		   float *kept, const char *fetch, int fetch_step, const int rows, const int lines)
{
	Vec			a[MR];

	UNROLL
	for (int i = 0; i < rows; i++)
		a[i] = lines == VL ? v_load(x + i * ldx) : v_set(x[i * ldx]);
	UNROLL
	for (int lane = 0; lane < lines; lane++)
		UNROLL
		for (int j = 0; j < NV; j++)
		{
			Vec			pair[2];

			load_pair(w + lane * line_bytes(type), j / 2 * 2, type, pair);
			if (kept != NULL)
				v_store(kept + lane * NR + j * VL, pair[j % 2]);
			if (j % 2 == 0)
				fetch_pair(fetch + lane * fetch_step, j, type, rows);
			UNROLL
			for (int i = 0; i < rows; i++)
				acc[i][j] = v_fma_lane(a[i], lane, pair[j % 2], acc[i][j]);
		}
}
#endif

/*
 * A tile of rows x NR.  Rows, type and whether kept is NULL are constants
 * wherever this is inlined, so that the loops over the tile unroll and acc
 * lives in registers.
 */
static inline __attribute__((always_inline)) void
tile_of_type(const Tile *t, const int rows, const DbertWeightType type, float *kept)
{
	Vec			acc[MR][NV];
	const char *w = t->w;
	const size_t ldx = t->ldx;

	/* two pointers and five distances reach twelve rows without spilling */
	const float *low = t->x,
			   *high = rows > 6 ? low + 6 * ldx : low;
	const char *fetch = t->fetch;
	const int	fetch_step = t->fetch_step;
	int			p = 0;

	UNROLL
	for (int i = 0; i < rows; i++)
		UNROLL
		for (int j = 0; j < NV; j++)
			acc[i][j] = tile_start(t, i, j);

#ifdef v_fma_lane
	(void) high;
	for (; p + VL <= t->k; p += VL, w += VL * line_bytes(type), fetch += VL * fetch_step, low += VL)
		tile_lanes(acc, low, ldx, w, type, kept != NULL ? kept + (size_t) p * NR : NULL, fetch,
				   fetch_step, rows, VL);
	for (; p < t->k; p++, w += line_bytes(type), fetch += fetch_step, low++)
		tile_lanes(acc, low, ldx, w, type, kept != NULL ? kept + (size_t) p * NR : NULL, fetch,
				   fetch_step, rows, 1);
#else
	UNROLL_BY_4
	for (; p < t->k; p++, w += line_bytes(type), fetch += fetch_step, low++, high++)
	{
		Vec			column[NV];

		UNROLL
		for (int j = 0; j < NV; j += 2)
		{
			load_pair(w, j, type, column + j);
			keep_pair(kept, p, j, column + j);
			fetch_pair(fetch, j, type, rows);
		}
		UNROLL
		for (int i = 0; i < rows; i++)
		{
			Vec			a = v_set(i < 6 ? low[i * ldx] : high[(i - 6) * ldx]);

			UNROLL
			for (int j = 0; j < NV; j++)
				acc[i][j] = v_fma(a, column[j], acc[i][j]);
		}
	}
#endif

	UNROLL
	for (int i = 0; i < rows; i++)
		UNROLL
		for (int j = 0; j < NV; j++)
			tile_store(t, i, j, acc[i][j]);
}

static inline __attribute__((always_inline)) void
tile_compute(const Tile *t, const int rows)
{
	if (t->type == DBERT_WEIGHT_F32)
		tile_of_type(t, rows, DBERT_WEIGHT_F32, NULL);
	else if (t->type == DBERT_WEIGHT_F16 && t->kept != NULL)
		tile_of_type(t, rows, DBERT_WEIGHT_F16, t->kept);
	else if (t->type == DBERT_WEIGHT_F16)
		tile_of_type(t, rows, DBERT_WEIGHT_F16, NULL);
	else if (t->kept != NULL)
		tile_of_type(t, rows, DBERT_WEIGHT_BF16, t->kept);
	else
		tile_of_type(t, rows, DBERT_WEIGHT_BF16, NULL);
}

#include "kernel/tile_rows.h"

/*
 * All rows of a block against one panel.  The tiles' heights differ by one at
 * most: a tile of a row or two would wait for its own additions.
 */
static void
panel_run(Tile t, int m)
{
	int			tiles = (m + MR - 1) / MR;

	t.fetch_step = (t.fetch_line + tiles - 1) / tiles;
	if (tiles == 1)
		t.kept = NULL;
	for (; tiles > 0; tiles--)
	{
		int			rows = (m + tiles - 1) / tiles;

		tile_run(&t, rows);
		if (t.kept != NULL)
		{
			t.w = t.kept;
			t.type = DBERT_WEIGHT_F32;
			t.kept = NULL;
		}
		t.y += rows * t.ldy;
		t.x += rows * t.ldx;
		t.fetch += (size_t) t.k * t.fetch_step;
		m -= rows;
	}
}

/*
 * One block, m <= MC rows of y, at lines k0 .. k0 + depth - 1 of the packed
 * operand.
 */
static void
block_run(float *y, size_t ldy, const float *x, size_t ldx, const char *wp, DbertWeightType type,
		  float *kept, const float *b, int m, int n, int k, int k0, int depth, int act)
{
	const size_t line = line_bytes(type),
				panel = line * k;
	const char *next_block = wp + (k0 + depth) * line;
	const bool	last = k0 + depth == k;

	wp += k0 * line;
	for (int n0 = 0; n0 < n; n0 += NR, wp += panel)
	{
		Tile		t = {
			.y = y + n0, .ldy = ldy, .x = x + k0, .ldx = ldx, .w = wp, .type = type,
			.kept = kept, .b = b != NULL ? b + n0 : NULL, .resume = k0 > 0,
			.columns = n - n0 < NR ? n - n0 : NR, .k = depth,
			.fetch = n - n0 <= NR && !last ? next_block : wp + panel, .fetch_line = (int) line
		};

		panel_run(t, m);
		if (act != DBERT_ACT_NONE && last)
			activate_rows(t.y, t.y, ldy, m, t.columns, act);
	}
}

/* kept: room for KC lines as floats, where several tiles share a panel */
static void
product(float *y, size_t ldy, const float *x, size_t ldx, const void *wp, DbertWeightType type,
		float *kept, const float *b, int m, int n, int k, int act)
{
	/* as many rows in each: a last block of few would wait for memory */
	for (int m0 = 0, blocks = (m + MC - 1) / MC; blocks > 0; blocks--)
	{
		const int	rows = (m - m0 + blocks - 1) / blocks;
		const int	deepest = kept == NULL && (size_t) rows * k <= MC * KC ? k : KC;

		for (int k0 = 0; k0 < k; k0 += deepest)
			block_run(y + m0 * ldy, ldy, x + m0 * ldx, ldx, wp, type, kept, b, rows, n, k,
					  k0, k - k0 < deepest ? k - k0 : deepest, act);
		m0 += rows;
	}
}

static void
linear(float *y, size_t ldy, const float *x, size_t ldx,
	   const float *wp, const float *b, int m, int n, int k, int act)
{
	product(y, ldy, x, ldx, wp, DBERT_WEIGHT_F32, NULL, b, m, n, k, act);
}

static void
half_linear(float *y, size_t ldy, const float *x, size_t ldx, const uint16_t *wp,
			DbertWeightType type, const float *b, int m, int n, int k, int act)
{
	__attribute__((aligned(64))) float kept[KC * NR];	/* 100 KB at most */

	product(y, ldy, x, ldx, wp, type, m > MR ? kept : NULL, b, m, n, k, act);
}

static void
pack_linear(float *dst, const float *w, int n, int k)
{
	pack_rows(dst, w, (size_t) k, n, k);
}

/* Once for a model: number by number. */
static void
half_pack(uint16_t *dst, const uint16_t *w, int n, int k, DbertWeightType type)
{
	for (int n0 = 0; n0 < n; n0 += NR)
		for (int p = 0; p < k; p++, dst += NR)
			for (int j = 0; j < NR; j++)
			{
				int			at = j % (2 * VL);

				if (type == DBERT_WEIGHT_BF16)
					at = v_place_bf16(at);
				dst[j / (2 * VL) * (2 * VL) + at] = n0 + j < n ? w[(size_t) (n0 + j) * k + p] : 0;
			}
}

static void
half_widen(float *to, const uint16_t *from, size_t count, DbertWeightType type)
{
	size_t		i = 0;

	for (; type == DBERT_WEIGHT_F16 && i + VL <= count; i += VL)
		v_store(to + i, v_load_f16(from + i));
	for (; i < count; i++)
		to[i] = type == DBERT_WEIGHT_F16 ? dbert_float_of_f16(from[i])
										 : dbert_float_of_bf16(from[i]);
}

static const DbertHalfKernels half_kernels = {
	.pack = half_pack,
	.linear = half_linear,
	.widen = half_widen,
};

#endif
