/*
 * trainmask.h -- tokens of a batch that are masked for a model to say what they
 * were.
 */
#ifndef DISTILBERT_PG_TRAINMASK_H
#define DISTILBERT_PG_TRAINMASK_H

#include "pg/train/trainbatch.h"

typedef struct DistilMasker
{
	const DbertTokenizer *tokenizer;
	float		share;			/* of the tokens, 0 < share < 1 */
	bool		whole_word;
	uint64		seed;
	int32	   *ordinary;		/* [n_ordinary] ids that can take a token's place */
	int			n_ordinary;
} DistilMasker;

/* Memory of the current context. */
extern DistilMasker *distil_masker_create(const DbertTokenizer *tokenizer, float share,
										  bool whole_word, uint64 seed);

/*
 * Mask tokens of a batch that was filled with texts[n_texts].  Which, and by
 * what, is a function of seed, epoch, text and place alone.  Each text has a
 * maskable token, and then a masked one.
 */
extern void distil_mask_batch(const DistilMasker *masker, DistilTrainBatch *batch,
							  const int32 *texts, int epoch);

#endif
