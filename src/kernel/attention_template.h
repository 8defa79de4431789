/*
 * attention_template.h -- one head of one text, written once over a vec_*.h.
 *
 *   out[M,D] = softmax(scale q[M,D] k[T,D]^T) v[T,D]
 *
 * Keys and values are packed like weights (as [T,D] and [D,T]), then QUERIES
 * (which the including file sets) at a time go all the way: scores [QUERIES,T],
 * their exponentials, the weighted sum of values, which alone is divided by the
 * row's sum.  For T = 512, D = 64 that is 256 KB of packed operands in L2, read
 * once for that many queries, and 2 KB of scores for each; nothing of size
 * T x T is ever made.
 */
#ifndef DBERT_KERNEL_ATTENTION_TEMPLATE_H
#define DBERT_KERNEL_ATTENTION_TEMPLATE_H

#include "kernel/gemm_template.h"

#include "kernel/kernel.h"

static void
attention(float *out, size_t ldo, const float *q, const float *k, const float *v,
		  size_t ld, int m, int t, int d, float scale, float *scratch)
{
	/* an odd number of cache lines, lest the rows meet in the same sets */
	const size_t lds = ((size_t) t + 31) / 32 * 32 + 16;
	float	   *keys = scratch,
			   *values = keys + packed_size(t, d),
			   *scores = values + packed_size(d, t);

	pack_rows(keys, k, ld, t, d);
	pack_across(values, v, ld, d, t, NR);
	for (int blocks = (m + QUERIES - 1) / QUERIES; blocks > 0; blocks--)
	{
		int			rows = (m + blocks - 1) / blocks;
		float		sums[QUERIES];

		linear(scores, lds, q, ld, keys, NULL, rows, t, d, DBERT_ACT_NONE);
		for (int i = 0; i < rows; i++)
			sums[i] = exponentials(scores + i * lds, t, scale);
		linear(out, ldo, scores, lds, values, NULL, rows, d, t, DBERT_ACT_NONE);
		for (int i = 0; i < rows; i++)
			multiply(out + i * ldo, d, 1 / sums[i]);
		q += rows * ld;
		out += rows * ldo;
		m -= rows;
	}
}

#endif
