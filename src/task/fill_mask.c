/*
 * fill_mask.c -- which tokens a masked one may have been.
 *
 * As transformers' FillMaskPipeline: softmax over the whole vocabulary, the
 * best of it or of the given candidates; the text with a mask filled is decoded
 * from its tokens, without the special ones, unless other masks would go with
 * them.
 */
#include "task/fill_mask.h"

#include "base/numbers.h"
#include "base/topk.h"
#include "nn/batch_inside.h"
#include "nn/logits.h"

#include <math.h>

/*
 * fills from the logits of one mask; scores and top are scratch, [n] and [k].
 */
static int
best_fills(const float *logits, int columns, const int32_t *targets, int n, int k,
		   float *scores, int *top, DbertFill *fills)
{
	double		total = dbert_log_sum_exp(logits, columns);
	int			count;

	for (int i = 0; i < n; i++)
		scores[i] = logits[targets ? targets[i] : i];
	count = dbert_top_k(scores, n, k, top);
	for (int i = 0; i < count; i++)
		fills[i] = (DbertFill)
	{
		targets ? targets[top[i]] : top[i], (float) exp(scores[top[i]] - total)
	};
	return count;
}

DbertStatus
dbert_batch_fills(const DbertBatch *batch, int i, int mask, int top_k,
				  const int32_t *targets, int n_targets,
				  DbertFill **fills, int *count, DbertError *err)
{
	const DbertAllocator *alloc = batch->alloc;
	int			rows,
				columns = dbert_head_columns(batch->model),
				n = targets ? n_targets : columns,
				k = top_k < n ? top_k : n;
	const float *logits = dbert_batch_logits(batch, i, &rows);
	float	   *scores;
	int		   *top;

	if (batch->model->config.head != DBERT_HEAD_MASK)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "the model does not fill masks");
	if (logits == NULL || mask < 0 || mask >= rows || top_k < 1)
		return dbert_fail(err, DBERT_E_INVALID, "text has no mask %d, or the batch no logits",
						  mask);
	for (int t = 0; targets != NULL && t < n; t++)
		if (targets[t] < 0 || targets[t] >= columns)
			return dbert_fail(err, DBERT_E_INVALID, "token %d is outside the vocabulary of %d",
							  (int) targets[t], columns);

	scores = dbert_alloc_array(alloc, n, sizeof(float));
	top = dbert_alloc_array(alloc, k, sizeof(int));
	*fills = dbert_alloc_array(alloc, k, sizeof(DbertFill));
	if (scores != NULL && top != NULL && *fills != NULL)
		*count = best_fills(logits + (size_t) mask * columns, columns, targets, n, k, scores, top,
							*fills);
	else
	{
		dbert_free(alloc, *fills);
		*fills = NULL;
	}
	dbert_free(alloc, scores);
	dbert_free(alloc, top);
	return *fills != NULL ? DBERT_OK : dbert_fail(err, DBERT_E_NOMEM, "out of memory");
}

/*
 * ids[n] of text i with its mask-th mask replaced, without padding; the number
 * of masks.
 */
static int
fill_ids(const DbertBatch *batch, int i, int mask, int32_t id, int32_t *ids, size_t *n)
{
	const DbertTokenizer *tokenizer = &batch->model->tokenizer;
	int			count,
				masks = 0;
	const DbertToken *tokens = dbert_batch_text_tokens(batch, i, &count);

	*n = 0;
	for (int t = 0; t < count; t++)
	{
		int32_t		token = tokens[t].id;

		if (token == tokenizer->mask_id && masks++ == mask)
			token = id;
		if (token != tokenizer->pad_id)
			ids[(*n)++] = token;
	}
	return masks;
}

DbertStatus
dbert_batch_filled(const DbertBatch *batch, int i, int mask, int32_t id,
				   char **text, size_t *len, DbertError *err)
{
	int32_t *ids =
		dbert_alloc_array(batch->alloc, dbert_batch_text_count(batch, i), sizeof(int32_t));
	size_t		n;
	int			masks;
	DbertStatus status;

	if (ids == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	masks = fill_ids(batch, i, mask, id, ids, &n);
	status =
		dbert_decode(&batch->model->tokenizer, ids, n, masks == 1, batch->alloc, text, len, err);
	dbert_free(batch->alloc, ids);
	return status;
}
