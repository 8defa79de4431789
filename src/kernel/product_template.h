/*
 * product_template.h -- training's products, both operands packed, written once
 * over a vec_*.h.
 *
 * As gemm_template.h, but for the left operand, which may lie in memory either
 * way here (dW = dy' x), and is packed in panels of MR lanes: so a tile reads
 * two streams.  An element is a sum of fused multiply-adds in rising order,
 * to which the bias or what was there is added at the end.
 */
#ifndef DBERT_KERNEL_PRODUCT_TEMPLATE_H
#define DBERT_KERNEL_PRODUCT_TEMPLATE_H

#include "kernel/gemm_template.h"

#define PRODUCT_ROWS (16 * MR)	/* of the left operand that stay in L2 */

static void
pack_left(float *dst, const float *src, size_t ld, bool across, int lanes, int k)
{
	if (across)
		pack_across(dst, src, ld, lanes, k, MR);
	else
		pack_along(dst, src, ld, lanes, k, MR);
}

static void
pack_right(float *dst, const float *src, size_t ld, bool across, int lanes, int k)
{
	if (across)
		pack_across(dst, src, ld, lanes, k, NR);
	else
		pack_along(dst, src, ld, lanes, k, NR);
}

/*
 * sum[n], n at most VL: the sums of neighbouring lanes of a panel of MR, of
 * which left is the first.
 */
static inline __attribute__((always_inline)) void
sum_lanes(float *sum, const float *left, int n, int k, bool add, const VecMask lanes)
{
	Vec			s[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
	int			p = 0;

	for (; p + 4 <= k; p += 4)
		UNROLL
		for (int i = 0; i < 4; i++, left += MR)
			s[i] = v_add(s[i], v_load_part(left, lanes));
	for (; p < k; p++, left += MR)
		s[0] = v_add(s[0], v_load_part(left, lanes));
	s[0] = v_add(v_add(s[0], s[1]), v_add(s[2], s[3]));
	if (add)
		s[0] = v_add(s[0], load_filled(sum, n, v_zero()));
	store_first(sum, n, s[0]);
}

/* A vector of lanes at a time: a panel has MR of them, which may be several. */
static void
sum_left(float *sum, const float *left, int lanes, int k, bool add)
{
	for (int j = 0; j < lanes; j += MR)
		for (int v = 0; v < MR && j + v < lanes; v += VL)
		{
			int			n = lanes - j < MR ? lanes - j : MR;

			sum_lanes(sum + j + v, left + (size_t) j * k + v, n - v, k, add, v_first(MR - v));
		}
}

/* Where a tile goes: rows x columns of c. */
typedef struct ProductTile
{
	float	   *c;
	size_t		ldc;
	const float *bias;			/* or NULL */
	bool		add;
	int			rows;			/* 1 .. MR */
	int			columns;		/* 1 .. NR */
} ProductTile;

/* Lanes j VL and on of a row of c. */
static inline void
product_store(const ProductTile *t, int i, int j, Vec sum)
{
	float	   *to = t->c + i * t->ldc + j * VL;
	int			n = t->columns - j * VL;

	if (t->bias != NULL)
		sum = v_add(sum, load_filled(t->bias + j * VL, n, v_zero()));
	if (t->add)
		sum = v_add(sum, load_filled(to, n, v_zero()));
	store_first(to, n, sum);
}

#ifdef v_fma_lane
/* A vector holds several rows' numbers; the last may begin among another's. */
static inline __attribute__((always_inline)) void
product_lanes(Vec acc[MR][NV], const float *left, const float *right)
{
	UNROLL
	for (int j = 0; j < NV; j++)
	{
		Vec			column = v_load(right + j * VL);

		UNROLL
		for (int i = 0; i < MR; i++)
		{
			const int	first = i / VL * VL < MR - VL ? i / VL * VL : MR - VL;

			acc[i][j] = v_fma_lane(v_load(left + first), i - first, column, acc[i][j]);
		}
	}
}
#endif

/* All MR rows are computed; those that the operand lacks are zeros. */
static void
product_tile(const ProductTile *t, const float *left, const float *right, int k)
{
	Vec			acc[MR][NV];

	UNROLL
	for (int i = 0; i < MR; i++)
		UNROLL
		for (int j = 0; j < NV; j++)
			acc[i][j] = v_zero();

	UNROLL_BY_4
	for (int p = 0; p < k; p++, left += MR, right += NR)
	{
#ifdef v_fma_lane
		product_lanes(acc, left, right);
#else
		Vec			column[NV];

		UNROLL
		for (int j = 0; j < NV; j++)
			column[j] = v_load(right + j * VL);
		UNROLL
		for (int i = 0; i < MR; i++)
		{
			Vec			a = v_set(left[i]);

			UNROLL
			for (int j = 0; j < NV; j++)
				acc[i][j] = v_fma(a, column[j], acc[i][j]);
		}
#endif
	}

	UNROLL
	for (int i = 0; i < MR; i++)
		UNROLL
		for (int j = 0; j < NV; j++)
			if (i < t->rows && j * VL < t->columns)
				product_store(t, i, j, acc[i][j]);
}

/* A block of rows against one panel after the other. */
static void
product_block(float *c, size_t ldc, const float *left, const float *right, const float *bias,
			  bool add, int m, int n, int k)
{
	for (int j = 0; j < n; j += NR)
		for (int i = 0; i < m; i += MR)
		{
			ProductTile t = {
				.c = c + i * ldc + j,.ldc = ldc,.bias = bias != NULL ? bias + j : NULL,.add = add,
				.rows = m - i < MR ? m - i : MR,.columns = n - j < NR ? n - j : NR
			};

			product_tile(&t, left + (size_t) i * k, right + (size_t) j * k, k);
		}
}

static void
multiply_packed(float *c, size_t ldc, const float *left, const float *right, const float *bias,
				bool add, int m, int n, int k)
{
	for (int i = 0; i < m; i += PRODUCT_ROWS)
		product_block(c + i * ldc, ldc, left + (size_t) i * k, right, bias, add,
					  m - i < PRODUCT_ROWS ? m - i : PRODUCT_ROWS, n, k);
}

#endif
