/*
 * pool.h -- one vector for a text from the hidden states of its tokens.
 */
#ifndef DBERT_NN_POOL_H
#define DBERT_NN_POOL_H

#include "model/config.h"

#include <stdbool.h>

/* Does the pooling read the hidden state of token i? */
extern bool dbert_pool_reads(const DbertConfig *config, int i);

/*
 * out[C] from hidden[t, C] by config.pooling, then scaled to length 1 if
 * config.normalize.  [CLS] and [SEP] count as any token.  No aliasing.
 */
extern void dbert_pool(const DbertConfig *config, const float *hidden, int t, float *out);

#endif
