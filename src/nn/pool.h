/*
 * pool.h -- one vector for a text from the hidden states of its tokens.
 */
#ifndef DBERT_NN_POOL_H
#define DBERT_NN_POOL_H

#include "model/pack.h"

#include <stdbool.h>

/* Does the pooling of t tokens, the first skip left out, read the hidden state of token i? */
extern bool dbert_pool_reads(const DbertConfig *config, int t, int skip, int i);

/*
 * out[C] from hidden[t, C] by config.pooling.  [CLS] and [SEP] count as any
 * token; the first skip < t tokens do not.  No aliasing.
 */
extern void dbert_pool(const DbertConfig *config, const float *hidden, int t, int skip, float *out);

/*
 * The embedding out[E] of hidden[t, C]: pooled, through the dense layer and
 * scaled to length 1 as far as config says so.  workspace as for dbert_encode
 * of t tokens, out on a 64-byte boundary.
 */
extern DbertStatus dbert_embed(const DbertModel *model, const float *hidden, int t, int skip,
							   float *workspace, float *out, const DbertPoll *poll, DbertError *err);

#endif
