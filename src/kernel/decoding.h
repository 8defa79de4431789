/*
 * decoding.h -- what a decoder needs beside products: attention of one query,
 * and sums over the logits of a vocabulary.
 *
 * A decoder asks with one query at a time, for keys of which each step adds a
 * row: to pack them, as DbertKernels.attention does, would cost more than to
 * read them once.  decoding_scalar.c is the definition.
 */
#ifndef DBERT_KERNEL_DECODING_H
#define DBERT_KERNEL_DECODING_H

#include <stdbool.h>
#include <stddef.h>

/* So many numbers of a row have one maximum. */
#define DBERT_MAXIMA_BLOCK 64

static inline int
dbert_maxima(int n)
{
	return (n + DBERT_MAXIMA_BLOCK - 1) / DBERT_MAXIMA_BLOCK;
}

typedef struct DbertDecodingKernels
{
	/*
	 * Head by head, out[H, D] = softmax(scale q k^T) v of a query q[H, D] and t
	 * rows of keys, each [H, D], which lie anywhere; the values of a key lie so
	 * many floats behind it.  scratch holds H t floats; out aliases nothing.
	 */
	void		(*attend) (float *out, const float *q, const float *const *keys, size_t values,
						   int t, int heads, int d, float scale, float *scratch);

	/*
	 * most[dbert_maxima(n)] = the greatest of each block of x[n]; whether all
	 * of x are finite: if not, most says nothing.
	 */
	bool		(*maxima) (float *most, const float *x, int n);

	/* The sum of e^(x - max) over x[n], none of which is above max. */
	float		(*exp_sum) (const float *x, int n, float max);
} DbertDecodingKernels;

/* The definition. */
extern const DbertDecodingKernels dbert_decoding_scalar;

#endif
