/*
 * scoring.h -- how the queries of one head score the keys of one text, for
 * DbertKernels.attention:
 *
 *   score(i, j) = scale q_i k_j + bias[place_j - place_i],
 *
 * for the keys that query i sees, and softmax goes over these alone.
 *
 * Places are those of tokens in their text.  Keys follow one another; so do the
 * queries, unless only some of them are wanted.  A call may have a slice of the
 * text's keys: those that its queries see.  Bias and window are MPNet's and
 * ModernBERT's; most families have neither.
 */
#ifndef DBERT_KERNEL_SCORING_H
#define DBERT_KERNEL_SCORING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct DbertScoring
{
	float		scale;			/* positive */

	/*
	 * NULL, or the number for distance 0: before and behind it there are those
	 * for all distances, key less query, that occur.
	 */
	const float *bias;

	/*
	 * 0, or: a query sees keys that are no further away.  Its own place is
	 * among the keys.
	 */
	int			window;

	/* Needed if there is a bias or a window: */
	int			key;			/* the place of key 0 */
	int			query;			/* the place of query 0, the others follow */
	const int32_t *queries;		/* or, unless it is NULL, theirs less query, rising */
} DbertScoring;

/* Keys first .. end-1 of a call. */
typedef struct DbertKeys
{
	int			first;
	int			end;
} DbertKeys;

/* Which key of the call stands at query i's place? */
static inline int
dbert_scoring_key(const DbertScoring *s, int i)
{
	return s->query + (s->queries != NULL ? s->queries[i] : i) - s->key;
}

/* What queries first .. last see of t keys, together. */
static inline DbertKeys
dbert_scoring_keys(const DbertScoring *s, int first, int last, int t)
{
	DbertKeys	seen = {.first = 0, .end = t};

	if (s->window > 0)
	{
		int			from = dbert_scoring_key(s, first) - s->window,
					end = dbert_scoring_key(s, last) + s->window + 1;

		seen.first = from > 0 ? from : 0;
		seen.end = end < t ? end : t;
	}
	return seen;
}

#endif
