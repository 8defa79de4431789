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

/*
 * Does the head read the hidden state of a sequence's token i, which has this
 * id?
 */
extern bool dbert_head_wants(const DbertModel *model, int32_t id, int i);

/* Columns of a row. */
extern int	dbert_head_columns(const DbertModel *model);

/*
 * logits[rows, columns] of the wanted ones among a sequence's first t tokens,
 * or among any t of them for TOKEN, SPAN and MASK; their states are hidden[t,
 * C]. workspace as for dbert_encode with max_len t.
 */
extern DbertStatus dbert_head_run(const DbertModel *model, const int32_t *ids, int t,
								  const float *hidden, float *workspace, float *logits,
								  const DbertPoll *poll, DbertError *err);

#endif
