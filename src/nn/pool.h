/*
 * pool.h -- one vector for a text from the hidden states of its tokens.
 */
#ifndef DBERT_NN_POOL_H
#define DBERT_NN_POOL_H

#include "model/pack.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Does the pooling of t tokens, the first skip left out, read the hidden state
 * of token i?
 */
extern bool dbert_pool_reads(const DbertConfig *config, int t, int skip, int i);

/*
 * out[C] from hidden[t, C] by config.pooling.  [CLS] and [SEP] count as any
 * token; the first skip < t tokens do not.  No aliasing.
 */
extern void dbert_pool(const DbertConfig *config, const float *hidden, int t, int skip, float *out);

/* out[c] = the mean of hidden[t, c]. */
extern void dbert_pool_mean(const float *hidden, int t, int c, float *out);

/*
 * Pool a text of several windows.  Start with all = what the first window
 * pooled; then call this for each later one: part is what it pooled, own the
 * number of its own tokens, seen that of the windows before it.
 */
extern void dbert_pool_more(const DbertConfig *config, const float *part, int32_t own,
							int32_t seen, float *all);

/* Floats that the steps behind the pooling need for what is between them. */
extern size_t dbert_steps_scratch(const DbertConfig *config);

/*
 * out of pooled[C], through the steps behind the pooling: an embedding, or the
 * logits of a pooled head.  All on 64-byte boundaries, no aliasing.
 */
extern DbertStatus dbert_steps_run(const DbertModel *model, const float *pooled, float *scratch,
								   float *out, const DbertPoll *poll, DbertError *err);

/* The embedding out[E] of pooled[C], scaled to length 1 if config says so. */
extern DbertStatus dbert_pool_finish(const DbertModel *model, const float *pooled, float *scratch,
									 float *out, const DbertPoll *poll, DbertError *err);

#endif
