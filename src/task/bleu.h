/*
 * bleu.h -- BLEU: how many of the words, pairs, threes and fours of words that
 * a translator writes stand in a reference.
 *
 * As sacrebleu defines it, with one reference: words of its tokenizer "13a",
 * upper and lower case told apart, exponential smoothing of orders without a
 * match, a penalty where what was written is shorter than the references.  It
 * is a metric of many texts: their counts are added, then it is computed once.
 *
 * Source: Papineni et al. 2002 (P02-1040); Post 2018 (arXiv:1804.08771); Chen
 * and Cherry 2014 (W14-3346), their method 3.
 */
#ifndef DBERT_TASK_BLEU_H
#define DBERT_TASK_BLEU_H

#include "task/ngrams.h"

#define DBERT_BLEU_ORDER 4

/* Begins as zeros; two of them are added member by member. */
typedef struct DbertBleu
{
	DbertNgrams words[DBERT_BLEU_ORDER];
} DbertBleu;

/* Add a text that was written, and its reference; both are UTF-8. */
extern DbertStatus dbert_bleu_add(DbertBleu *bleu, const char *said, size_t n_said,
								  const char *reference, size_t n_reference,
								  const DbertAllocator *alloc, const DbertPoll *poll,
								  DbertError *err);

/* 0 .. 100 */
extern double dbert_bleu_score(const DbertBleu *bleu);

#endif
