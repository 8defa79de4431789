/*
 * ngrams.h -- n-grams that two sequences of symbols share.
 *
 * Metrics of translations are made of such counts, which are added over all
 * texts before anything is divided.
 */
#ifndef DBERT_TASK_NGRAMS_H
#define DBERT_TASK_NGRAMS_H

#include "base/memory.h"
#include "base/status.h"

/* Of one order n; begins as zeros. */
typedef struct DbertNgrams
{
	int64_t		said;			/* in the first sequence */
	int64_t		reference;		/* in the second one */
	int64_t		shared;			/* each as often as in the one that has fewer of it */
} DbertNgrams;

#define DBERT_MOST_NGRAM 6

/*
 * Add those of the orders 1 .. most, at most DBERT_MOST_NGRAM, to
 * counts[most].  On failure these are as they were.
 */
extern DbertStatus dbert_ngrams_add(const uint32_t *said, size_t n_said, const uint32_t *reference,
									size_t n_reference, int most, DbertNgrams *counts,
									const DbertAllocator *alloc, const DbertPoll *poll,
									DbertError *err);

#endif
