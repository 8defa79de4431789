/*
 * fill_mask.h -- tokens for a masked one.
 */
#ifndef DBERT_TASK_FILL_MASK_H
#define DBERT_TASK_FILL_MASK_H

#include "nn/batch.h"

typedef struct DbertFill
{
	int32_t		id;
	float		score;
} DbertFill;

/*
 * The best tokens for a mask (0 .. rows of the text's logits - 1), best first:
 * *count = min(top_k, candidates) of them.  targets: the candidates, without
 * repetition, or NULL for the whole vocabulary.  *fills is allocated from the
 * batch's allocator, the caller frees it with dbert_free.
 */
extern DbertStatus dbert_batch_fills(const DbertBatch *batch, int i, int mask, int top_k,
									 const int32_t *targets, int n_targets,
									 DbertFill **fills, int *count, DbertError *err);

/*
 * Text i, decoded from its tokens, with one mask filled; other special tokens
 * are left out if it was the only mask.  *text is allocated as *fills is, not
 * terminated.
 */
extern DbertStatus dbert_batch_filled(const DbertBatch *batch, int i, int mask, int32_t id,
									  char **text, size_t *len, DbertError *err);

#endif
