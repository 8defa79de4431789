/*
 * head.h -- logits from the hidden states of one text.
 *
 * Only the rows that the head's task asks for are computed: the first of a
 * text for SEQUENCE, its mask tokens for MASK, all for TOKEN and SPAN.
 */
#ifndef DBERT_NN_HEAD_H
#define DBERT_NN_HEAD_H

#include "base/memory.h"
#include "base/status.h"
#include "model/pack.h"

/* Does the head read the hidden state of token i? */
extern bool dbert_head_wants(const DbertModel *model, const int32_t *ids, int i);

/* How many rows of logits a text of t tokens has; 0 for a model without head. */
extern int	dbert_head_rows(const DbertModel *model, const int32_t *ids, int t);

/* Columns of a row. */
extern int	dbert_head_columns(const DbertModel *model);

/*
 * logits[rows, columns] of a text from its hidden[t, C].  workspace as for
 * dbert_encode with max_len t; logits starts on a 64-byte boundary.
 */
extern DbertStatus dbert_head_run(const DbertModel *model, const int32_t *ids, int t,
								  const float *hidden, float *workspace, float *logits,
								  const DbertPoll *poll, DbertError *err);

#endif
