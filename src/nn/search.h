/*
 * search.h -- which tokens a decoder's sentence goes on with: the best one, or
 * the best of several beams.
 *
 * One search is one sentence's.  It says which hypotheses go on, and reads
 * their logits; the decoder is the caller's.
 */
#ifndef DBERT_NN_SEARCH_H
#define DBERT_NN_SEARCH_H

#include "base/memory.h"
#include "kernel/decoding.h"
#include "model/pack.h"

/* What goes on: its tokens so far, and what it was made of. */
typedef struct DbertHypothesis
{
	float		score;			/* sum of its tokens' log probabilities */
	int32_t		parent;			/* among those of the step before */
	int32_t		last;			/* token */
} DbertHypothesis;

typedef struct DbertSearch
{
	const DbertGeneration *how;
	const DbertDecodingKernels *kernels;
	float	   *most;			/* [dbert_maxima(vocab)] of the row that is looked at */
	int			vocab;
	int			length;			/* tokens of each, the start included */
	bool		done;
	int			n;				/* hypotheses that go on */
	DbertHypothesis now[DBERT_MAX_BEAMS];
	int			n_ended;		/* the best that have ended, best first */
	float		ended_score[DBERT_MAX_BEAMS];
	int			ended_length[DBERT_MAX_BEAMS];
	int32_t    *ended[DBERT_MAX_BEAMS]; /* [max_length] each */
	int32_t    *tokens[DBERT_MAX_BEAMS];	/* of those that go on, the same */
	int32_t    *spare[DBERT_MAX_BEAMS];
} DbertSearch;

/* Numbers of its tokens, [3 beams, max_length]. */
static inline size_t
dbert_search_room(const DbertGeneration *how)
{
	return 3 * (size_t) how->beams * how->max_length;
}

/*
 * how, room and most[dbert_maxima(vocab)], which searches may share, stay the
 * caller's; the first step reads the start alone.
 */
extern void dbert_search_begin(DbertSearch *search, const DbertGeneration *how,
							   const DbertModel *model, int32_t *room, float *most);

/*
 * One token more: logits[n, V] are those of its hypotheses, and are lost.
 * false: they are not finite.
 */
extern bool dbert_search_step(DbertSearch *search, float *logits);

/* When it is done: its tokens, without start and end; how many. */
extern int	dbert_search_result(const DbertSearch *search, const int32_t **tokens);

/* Has the result come to its end by itself? */
extern bool dbert_search_ended(const DbertSearch *search);

#endif
