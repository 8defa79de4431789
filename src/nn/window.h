/*
 * window.h -- a text that is longer than its model takes, as windows.
 *
 * A text's tokens are a head, a body and a tail: [CLS] | text | [SEP] or, when
 * the second text of a pair is the long one, [CLS] text [SEP] | pair | [SEP].
 * A window is a sequence for the encoder: the head, a slice of the body, the
 * tail.  Slices overlap, so that each token is read with what stands around it;
 * of the tokens in an overlap, those before its middle belong to the earlier
 * window, the others to the later one.
 */
#ifndef DBERT_NN_WINDOW_H
#define DBERT_NN_WINDOW_H

#include "base/memory.h"
#include "base/status.h"
#include "text/tokenizer.h"

typedef struct DbertBatchWindow
{
	int32_t		from,			/* the slice: tokens of the text, from inclusive, to exclusive */
				to;
	int32_t		own_from,		/* its own tokens; the first window's begin with the head's, */
				own_to;			/* the last one's end with the tail's */
	size_t		logits;			/* where its logits stand among the batch's */
} DbertBatchWindow;

/* How to cut. */
typedef struct DbertWindowCut
{
	int32_t		head,			/* tokens */
				tail;
	int32_t		capacity;		/* of a slice, tokens; more than overlap */
	int32_t		overlap;		/* of neighbours: at least so much or, if fixed, just so much */

	/*
	 * false: slices of about the same length, no word cut in two where that
	 * costs less than a quarter of the overlap.  true: all slices but the last
	 * are full, as transformers cuts with a stride.
	 */
	bool		fixed;
} DbertWindowCut;

/*
 * Windows of a text of n tokens, the head's and the tail's included: 1 or more.
 */
extern int32_t dbert_windows_count(const DbertWindowCut *cut, int32_t n);

/*
 * windows[dbert_windows_count] of the text's tokens[n]; logits are left alone.
 */
extern void dbert_windows_cut(const DbertWindowCut *cut, const DbertToken *tokens, int32_t n,
							  DbertBatchWindow *windows);

/* Tokens of the sequence. */
static inline int32_t
dbert_window_length(const DbertWindowCut *cut, const DbertBatchWindow *w)
{
	return cut->head + (w->to - w->from) + cut->tail;
}

/*
 * all[n] = the mean of all and part by tokens: part is the result of a window
 * with own tokens, all that of those before it, with seen.
 */
static inline void
dbert_window_blend(float *all, const float *part, int n, int32_t own, int32_t seen)
{
	float		share = (float) own / ((float) own + (float) seen);

	for (int j = 0; j < n; j++)
		all[j] += share * (part[j] - all[j]);
}

#endif
