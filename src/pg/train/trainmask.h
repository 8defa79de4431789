/*
 * trainmask.h -- tokens of a batch that are masked for a model to say what they
 * were.
 */
#ifndef DISTILBERT_PG_TRAINMASK_H
#define DISTILBERT_PG_TRAINMASK_H

#include "pg/train/trainset.h"

typedef struct DistilMasker
{
	const DbertTokenizer *tokenizer;
	float		share;			/* of the tokens, 0 < share < 1 */
	bool		whole_word;
	uint64		seed;
	int32	   *ordinary;		/* [n_ordinary] ids that can take a token's place */
	int			n_ordinary;
	bool *continues; /* [n_tokens] of the tokenizer: the id is a word's second piece or later */
} DistilMasker;

/* A word or a part of one, not a mark. */
static inline bool
distil_maskable(const DbertTokenizer *t, int32 id)
{
	return id != t->cls_id && id != t->sep_id && id != t->unk_id && id != t->pad_id &&
		   id != t->mask_id;
}

/* Memory of the current context. */
extern DistilMasker *distil_masker_create(const DbertTokenizer *tokenizer, float share,
										  bool whole_word, uint64 seed);

/*
 * Mask tokens of a batch that was filled with texts[n_texts]: which, and by
 * what, is a function of seed, epoch, text and place alone.  Each text, which
 * has a maskable token, has a masked one then.
 */
extern void distil_mask_batch(const DistilMasker *masker, DistilTrainBatch *batch,
							  const int32 *texts, int epoch);

#endif
