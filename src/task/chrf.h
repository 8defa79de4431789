/*
 * chrf.h -- chrF: how many of the sequences of one to six characters that a
 * translator writes stand in a reference, and the other way round.
 *
 * As sacrebleu (2.x) defines chrF2, with one reference: white space is left
 * out, upper and lower case are told apart, recall counts twice as much as
 * precision, no words, orders that a side does not have are left out of the
 * means.  It is a metric of many texts: their counts are added, then it is
 * computed once.
 *
 * Source: Popovic 2015 (W15-3049); Post 2018 (arXiv:1804.08771).
 */
#ifndef DBERT_TASK_CHRF_H
#define DBERT_TASK_CHRF_H

#include "task/ngrams.h"

#define DBERT_CHRF_ORDER 6

/* Begins as zeros; two of them are added member by member. */
typedef struct DbertChrf
{
	DbertNgrams characters[DBERT_CHRF_ORDER];
} DbertChrf;

/* Add a text that was written, and its reference; both are UTF-8. */
extern DbertStatus dbert_chrf_add(DbertChrf *chrf, const char *said, size_t n_said,
								  const char *reference, size_t n_reference,
								  const DbertAllocator *alloc, const DbertPoll *poll,
								  DbertError *err);

/* 0 .. 100 */
extern double dbert_chrf_score(const DbertChrf *chrf);

#endif
