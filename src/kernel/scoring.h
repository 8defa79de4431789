/*
 * scoring.h -- how the queries of one head score the keys of one text, for
 * DbertKernels.attention:
 *
 *   score(i, j) = scale (q_i k_j + q_i a[place_j - place_i]
 *                                + k_j b[place_i - place_j])
 *                 + bias[place_j - place_i],
 *
 * for the keys that query i sees, and softmax goes over these alone.
 *
 * Places are those of tokens in their text.  Keys follow one another; so do the
 * queries, unless only some of them are wanted.  A call may have a slice of the
 * text's keys: those that its queries see.  Most families have the first term
 * alone; the bias is MPNet's, the window ModernBERT's, a and b are DeBERTa's:
 * vectors for distances, counted from the one that asks, which queries and keys
 * meet as they meet each other.
 */
#ifndef DBERT_KERNEL_SCORING_H
#define DBERT_KERNEL_SCORING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct DbertScoring
{
	float		scale;			/* positive */

	/*
	 * NULL, or the number for distance 0: before and behind it there are those
	 * for all distances that occur.
	 */
	const float *bias;

	/*
	 * NULL, or what is packed of [rows, D] by DbertKernels.pack_linear: a row
	 * for each distance that occurs, distance 0 at row zero.  Not with a
	 * window.
	 */
	const float *query_rows;	/* a: what queries meet */
	const float *key_rows;		/* b: what keys meet */
	int			zero;

	/*
	 * 0, or: a query sees keys that are no further away.  Its own place is
	 * among the keys.
	 */
	int			window;

	/*
	 * Keys and values are those of the call before, which had this scratch: it
	 * holds them as the kernel reads them.
	 */
	bool		same_keys;

	/* Needed if there is anything but a scale: */
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

/* Do queries and keys meet vectors for distances? */
static inline bool
dbert_scoring_is_relative(const DbertScoring *s)
{
	return s->query_rows != NULL || s->key_rows != NULL;
}

/* Has a score its scale and no further terms, and does a query see all keys? */
static inline bool
dbert_scoring_is_plain(const DbertScoring *s)
{
	return s->bias == NULL && s->window == 0 && !dbert_scoring_is_relative(s);
}

/* How many of m queries from i on follow one another? */
static inline int
dbert_scoring_run(const DbertScoring *s, int i, int m)
{
	int			n = 1;

	if (s->queries == NULL)
		return m - i;
	while (i + n < m && s->queries[i + n] == s->queries[i] + n)
		n++;
	return n;
}

#endif
