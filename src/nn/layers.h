/*
 * layers.h -- the two halves of a layer: attention and feed-forward.
 *
 * Each works on a span: a few whole texts, one after another, whose rows of the
 * hidden states are updated in place.  In the last layer the rows that somebody
 * will read move together, and the others stop at their keys and values.  With
 * kernels whose rows matter to each other a span is one text, so that blocks
 * and buffers, and with them every bit of the result, depend on the model and
 * the text alone; otherwise a span has rows enough for the products to run at
 * full speed.
 */
#ifndef DBERT_NN_LAYERS_H
#define DBERT_NN_LAYERS_H

#include "nn/run.h"

/* Texts that go through a layer together. */
typedef struct DbertSpan
{
	float	   *x;				/* [cu[n_texts] - cu[0], C] */
	const int32_t *cu;			/* [n_texts + 1], as in DbertRagged */
	int			n_texts;

	/* The rows that go on, counted as cu does; NULL: all, and out is x. */
	const int32_t *wanted;
	int			n_wanted;
	float	   *out;			/* [n_wanted, C], may overlap x up to the first wanted row */
} DbertSpan;

/*
 * out = norm(x + out(softmax(Q K' / sqrt(D)) V)), heads and texts apart; x is
 * lost.  (Where norms come first, both halves are x + f(norm(x)).)
 */
extern DbertStatus dbert_attention(const DbertRun *run, const DbertLayer *layer,
								   const DbertSpan *span);

/*
 * x[rows, C] = norm(x + out(act(in(x)))), or, with a gate, out(act(a) b) of the
 * halves a, b of in(x).
 */
extern DbertStatus dbert_feed_forward(const DbertRun *run, const DbertLayer *layer, float *x,
									  int rows);

static inline int
dbert_span_rows(const DbertSpan *span)
{
	return span->cu[span->n_texts] - span->cu[0];
}

#endif
