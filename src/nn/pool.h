/*
 * pool.h -- one vector for a text from the hidden states of its tokens.
 */
#ifndef DBERT_NN_POOL_H
#define DBERT_NN_POOL_H

#include "model/config.h"

#include <stdbool.h>
#include <stdint.h>

/* Does the pooling read the hidden state of token i? */
extern bool dbert_pool_reads(const DbertConfig *config, int i);

/*
 * out[C] from hidden[t, C] by config.pooling.  [CLS] and [SEP] count as any
 * token.  No aliasing.
 */
extern void dbert_pool(const DbertConfig *config, const float *hidden, int t, float *out);

/*
 * A text of several windows: what they pooled, one after another, becomes what
 * the text's tokens pool.  First all = part; then this for each further window
 * of own tokens, those before it having seen.
 */
extern void dbert_pool_more(const DbertConfig *config, const float *part, int32_t own,
							int32_t seen, float *all);

/* What is done with a text's pooled vector, in place: length 1 if config.normalize. */
extern void dbert_pool_finish(const DbertConfig *config, float *x);

#endif
