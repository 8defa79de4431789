/*
 * logits.h -- logits from the hidden states of one text.
 *
 * Only the rows that the head reads are computed (DbertHeadRows): the first of
 * a text, all of them, or those of its mask tokens.
 */
#ifndef DBERT_NN_LOGITS_H
#define DBERT_NN_LOGITS_H

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
 * logits[rows, columns] of the wanted ones among t tokens of a sequence, its
 * first ones where the head reads the first (all, where it reads their mean);
 * their states are hidden[t, C].
 * workspace as for dbert_encode with max_len t.
 */
extern DbertStatus dbert_head_run(const DbertModel *model, const int32_t *ids, int t,
								  const float *hidden, float *workspace, float *logits,
								  const DbertPoll *poll, DbertError *err);

#endif
