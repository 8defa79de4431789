/*
 * attention_template.h -- one head of one text, written once over a vec_*.h.
 *
 *   out[M,D] = softmax(scale q[M,D] k[T,D]^T + bias) v[T,D]
 *
 * Keys and values are packed like weights (as [T,D] and [D,T]), then QUERIES
 * (which the including file sets) at a time go all the way: scores [QUERIES,T],
 * their exponentials, the weighted sum of values, which alone is divided by the
 * row's sum.  For T = 512, D = 64 that is 256 KB of packed operands in L2, read
 * once for that many queries, and 2 KB of scores for each; nothing of size
 * T x T is ever made.
 *
 * With a window some queries meet the keys that any of them sees.  A key that a
 * row does not see weighs exactly 0, so that the bits of a row do not depend on
 * its company.
 */
#ifndef DBERT_KERNEL_ATTENTION_TEMPLATE_H
#define DBERT_KERNEL_ATTENTION_TEMPLATE_H

#include "kernel/gemm_template.h"

#include "kernel/kernel.h"

/* One call: its packed operands, and a block's scores. */
typedef struct Attention
{
	const DbertScoring *scoring;
	int			t;
	int			d;
	float	   *keys;
	float	   *values;
	float	   *scores;			/* rows lds apart, of the keys from the block's first on */
	size_t		lds;
} Attention;

/*
 * Scores of query i, from the key numbered first on, become weights; returns
 * their sum.
 */
static float
weigh_keys(const Attention *a, float *scores, DbertKeys block, int i)
{
	const DbertScoring *s = a->scoring;
	const DbertKeys seen = dbert_scoring_keys(s, i, i, a->t);
	float	   *own = scores + (seen.first - block.first);
	int			n = seen.end - seen.first;

	if (s->window > 0)
	{
		memset(scores, 0, (seen.first - block.first) * sizeof(float));
		memset(own + n, 0, (block.end - seen.end) * sizeof(float));
	}
	if (s->bias == NULL)
		return exponentials(own, n, s->scale);
	scale_and_add(own, n, s->scale, s->bias + (seen.first - dbert_scoring_key(s, i)));
	return exponentials(own, n, 1);
}

/* out[rows, D] = the block's weights times its values, not divided yet. */
static void
sum_values(const Attention *a, float *out, size_t ldo, DbertKeys block, int rows)
{
	const size_t panel = (size_t) NR * a->t;
	const float *values = a->values + (size_t) NR * block.first;

	for (int n0 = 0; n0 < a->d; n0 += NR, values += panel)
	{
		Tile		t = {
			.y = out + n0, .ldy = ldo, .x = a->scores, .ldx = a->lds, .w = values,
			.columns = a->d - n0 < NR ? a->d - n0 : NR, .k = block.end - block.first,
			.fetch = values + panel
		};

		panel_run(t, rows);
	}
}

/* Queries i .. i+rows-1, whose rows q and out are. */
static void
attend_block(const Attention *a, float *out, size_t ldo, const float *q, size_t ld, int i, int rows)
{
	DbertKeys	block = dbert_scoring_keys(a->scoring, i, i + rows - 1, a->t);
	float		sums[QUERIES];

	block.first = block.first / NR * NR;	/* where a panel begins */
	linear(a->scores, a->lds, q, ld, a->keys + (size_t) block.first * a->d, NULL, rows,
		   block.end - block.first, a->d, DBERT_ACT_NONE);
	for (int r = 0; r < rows; r++)
		sums[r] = weigh_keys(a, a->scores + r * a->lds, block, i + r);
	sum_values(a, out, ldo, block, rows);
	for (int r = 0; r < rows; r++)
		multiply(out + r * ldo, a->d, 1 / sums[r]);
}

static void
attention(float *out, size_t ldo, const float *q, const float *k, const float *v,
		  size_t ld, int m, int t, int d, const DbertScoring *scoring, float *scratch)
{
	Attention	a = {
		.scoring = scoring, .t = t, .d = d, .keys = scratch,

		/* an odd number of cache lines, lest the rows meet in the same sets */
		.lds = ((size_t) t + 31) / 32 * 32 + 16
	};
	int			i = 0;

	a.values = a.keys + packed_size(t, d);
	a.scores = a.values + packed_size(d, t);
	pack_rows(a.keys, k, ld, t, d);
	pack_across(a.values, v, ld, d, t, NR);
	for (int blocks = (m + QUERIES - 1) / QUERIES; blocks > 0; blocks--)
	{
		int			rows = (m - i + blocks - 1) / blocks;

		attend_block(&a, out + i * ldo, ldo, q + i * ld, ld, i, rows);
		i += rows;
	}
}

#endif
