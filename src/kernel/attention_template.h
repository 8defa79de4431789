/*
 * attention_template.h -- one head of one text, written once over a vec_*.h.
 *
 *   out[M,D] = softmax(scores[M,T]) v[T,D], scores as scoring.h says
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
 *
 * Where there are vectors for distances, the sums of scores start from what is
 * read along the diagonals of two more products.  Queries by distances are as
 * wide as there are keys: row i's numbers lie one beside the other, a column
 * further to the left in each row.  Keys by distances are needed in a band
 * only, which grows with the number of queries: so a group of GROUP queries
 * shares them, and KEYS keys at a time fill a column of the group's scores, by
 * way of a transposition.
 */
#ifndef DBERT_KERNEL_ATTENTION_TEMPLATE_H
#define DBERT_KERNEL_ATTENTION_TEMPLATE_H

#include "kernel/gemm_template.h"

#include "kernel/kernel.h"

#define GROUP 128
#define KEYS 32

/* One call: its packed operands, and a block's scores. */
typedef struct Attention
{
	const DbertScoring *scoring;
	const float *k;				/* rows ld apart */
	size_t		ld;
	int			t;
	int			d;
	float	   *keys;
	float	   *values;
	float	   *scores;			/* rows lds apart, of the keys from the block's first on */
	size_t		lds;
	float	   *products;		/* with vectors for distances, rows ldp apart */
	size_t		ldp;
} Attention;

/* An odd number of cache lines, lest the rows meet in the same sets. */
static size_t
row_distance(int n)
{
	return ((size_t) n + 31) / 32 * 32 + 16;
}

/* ---- vectors for distances ---- */

/*
 * The products of x[m, D], rows ld apart, and the rows for distances first ..
 * first+n-1; a row of products begins up to NR-1 floats before them.
 */
static const float *
meet_distances(const Attention *a, const float *x, int m, const float *rows, int first, int n)
{
	int			row = a->scoring->zero + first,
				before = row % NR;

	linear(a->products, a->ldp, x, a->ld, rows + (size_t) (row - before) * a->d, NULL, m,
		   before + n, a->d, DBERT_ACT_NONE);
	return a->products + before;
}

/* dst[i ldd + j] = src[j lds + i] for i < rows, j < columns */
static void
transpose(float *dst, size_t ldd, const float *src, size_t lds, int rows, int columns)
{
	for (int i = 0; i < rows; i += 4)
	{
		int			j = 0;

		for (; i + 4 <= rows && j + 4 <= columns; j += 4)
			v_transpose4(dst + i * ldd + j, ldd, src + j * lds + i, lds);
		for (; j < columns; j++)
			for (int r = i; r < rows && r < i + 4; r++)
				dst[r * ldd + j] = src[j * lds + r];
	}
}

/* scores[m, T] = what keys have of the m queries; the first stands at place. */
static void
keys_by_distance(const Attention *a, int place, int m)
{
	for (int j = 0; j < a->t; j += KEYS)
	{
		int			keys = a->t - j < KEYS ? a->t - j : KEYS;
		const float *products = meet_distances(a, a->k + j * a->ld, keys, a->scoring->key_rows,
											   place - j - keys + 1, keys + m - 1);

		transpose(a->scores + j, a->lds, products + keys - 1, a->ldp - 1, m, keys);
	}
}

/* scores[m, T] += what these queries have of the keys. */
static void
queries_by_distance(const Attention *a, float *scores, const float *q, int place, int m)
{
	const float *products = meet_distances(a, q, m, a->scoring->query_rows, 1 - place - m,
										   a->t + m - 1);

	for (int i = 0; i < m; i++)
		add(scores + i * a->lds, a->t, products + i * a->ldp + m - 1 - i);
}

/* ---- a block of queries ---- */

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

/*
 * scores[rows, n] = q k^T, or, where there are vectors for distances, added to
 * them; keys are packed.
 */
static void
meet_keys(const Attention *a, float *scores, const float *q, const float *keys, int rows, int n)
{
	const size_t panel = (size_t) NR * a->d;

	for (int n0 = 0; n0 < n; n0 += NR, keys += panel)
	{
		Tile		t = {
			.y = scores + n0, .ldy = a->lds, .x = q, .ldx = a->ld, .w = keys,
			.type = DBERT_WEIGHT_F32, .resume = dbert_scoring_is_relative(a->scoring),
			.columns = n - n0 < NR ? n - n0 : NR, .k = a->d,
			.fetch = (const char *) (keys + panel), .fetch_line = NR * sizeof(float)
		};

		panel_run(t, rows);
	}
}

/* out[rows, D] = the block's weights times its values, not divided yet. */
static void
sum_values(const Attention *a, float *out, size_t ldo, const float *scores, DbertKeys block,
		   int rows)
{
	const size_t panel = (size_t) NR * a->t;
	const float *values = a->values + (size_t) NR * block.first;

	for (int n0 = 0; n0 < a->d; n0 += NR, values += panel)
	{
		Tile		t = {
			.y = out + n0, .ldy = ldo, .x = scores, .ldx = a->lds, .w = values,
			.type = DBERT_WEIGHT_F32, .columns = a->d - n0 < NR ? a->d - n0 : NR,
			.k = block.end - block.first, .fetch = (const char *) (values + panel),
			.fetch_line = NR * sizeof(float)
		};

		panel_run(t, rows);
	}
}

/* Queries i .. i+rows-1, whose rows q, out and scores are. */
static void
attend_block(const Attention *a, float *out, size_t ldo, const float *q, float *scores, int i,
			 int rows)
{
	DbertKeys	block = dbert_scoring_keys(a->scoring, i, i + rows - 1, a->t);
	float		sums[QUERIES];

	block.first = block.first / NR * NR;	/* where a panel begins */
	if (a->scoring->query_rows != NULL)
		queries_by_distance(a, scores, q, dbert_scoring_key(a->scoring, i), rows);
	meet_keys(a, scores, q, a->keys + (size_t) block.first * a->d, rows, block.end - block.first);
	for (int r = 0; r < rows; r++)
		sums[r] = weigh_keys(a, scores + r * a->lds, block, i + r);
	sum_values(a, out, ldo, scores, block, rows);
	for (int r = 0; r < rows; r++)
		multiply(out + r * ldo, a->d, 1 / sums[r]);
}

/* Queries i .. i+rows-1 in blocks that differ by one at most. */
static void
attend_blocks(const Attention *a, float *out, size_t ldo, const float *q, int i, int rows)
{
	int			done = 0;
	bool		relative = dbert_scoring_is_relative(a->scoring);

	for (int blocks = (rows + QUERIES - 1) / QUERIES; blocks > 0; blocks--)
	{
		int			m = (rows - done + blocks - 1) / blocks;

		attend_block(a, out + done * ldo, ldo, q + done * a->ld,
					 a->scores + (relative ? done * a->lds : 0), i + done, m);
		done += m;
	}
}

/* The same, in groups of queries that follow one another. */
static void
attend_groups(const Attention *a, float *out, size_t ldo, const float *q, int m)
{
	for (int i = 0, rows; i < m; i += rows)
	{
		int			run = dbert_scoring_run(a->scoring, i, m),
					groups = (run + GROUP - 1) / GROUP;

		rows = (run + groups - 1) / groups;
		if (a->scoring->key_rows != NULL)
			keys_by_distance(a, dbert_scoring_key(a->scoring, i), rows);
		else
			memset(a->scores, 0, rows * a->lds * sizeof(float));
		attend_blocks(a, out + i * ldo, ldo, q + i * a->ld, i, rows);
	}
}

static void
attention(float *out, size_t ldo, const float *q, const float *k, const float *v,
		  size_t ld, int m, int t, int d, const DbertScoring *scoring, float *scratch)
{
	Attention	a = {
		.scoring = scoring, .k = k, .ld = ld, .t = t, .d = d, .keys = scratch,
		.lds = row_distance(t)
	};
	int			widest = t + QUERIES > KEYS + GROUP ? t + QUERIES : KEYS + GROUP;

	a.values = a.keys + packed_size(t, d);
	a.scores = a.values + packed_size(d, t);
	a.products = a.scores + GROUP * a.lds;
	a.ldp = row_distance(widest + NR);
	if (!scoring->same_keys)
	{
		pack_rows(a.keys, k, ld, t, d);
		pack_across(a.values, v, ld, d, t, NR);
	}
	if (dbert_scoring_is_relative(scoring))
		attend_groups(&a, out, ldo, q, m);
	else
		attend_blocks(&a, out, ldo, q, 0, m);
}

#endif
