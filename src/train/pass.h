/*
 * pass.h -- the network over a batch, forward and backward.
 */
#ifndef DBERT_TRAIN_PASS_H
#define DBERT_TRAIN_PASS_H

#include "train/plan.h"

/* hidden states and the objective's outputs */
extern DbertStatus dbert_pass_forward(const DbertPass *pass);

/* E_INVALID: the loss is not finite */
extern DbertStatus dbert_pass_check_loss(const DbertPass *pass, double loss);

/* gradients, from the derivative by the outputs, where the loss left it */
extern DbertStatus dbert_pass_backward(const DbertPass *pass);

/*
 * A layer's attention, after the forward.  qkv holds a row of queries, keys and
 * values for each token; where some rows go on alone, keys and values of all
 * and then the queries of these.
 */
extern DbertSelfAttention dbert_pass_attention(const DbertPass *pass, int layer);

/* Where the next layer, or what is behind the last, reads. */
extern float *dbert_pass_layer_output(const DbertTrainer *t, int layer);

/* Columns of the widest heads that are looked at. */
extern size_t dbert_attention_columns_most(const DbertTrainer *t);

/* Where dropout masks are made. */
typedef enum DbertDropSite
{
	DBERT_DROP_PROBABILITIES,	/* of a layer */
	DBERT_DROP_ATTENTION,		/* of a layer: the attention's output, if the family drops it */
	DBERT_DROP_FFN,				/* of a layer: the feed-forward's output */
	DBERT_DROP_EMBEDDING,
	DBERT_DROP_HEAD,
	DBERT_DROP_HEAD_INPUT
} DbertDropSite;

/* The mask of a site in this step; layer is 0 for those of no layer. */
extern DbertDropout dbert_pass_dropout(const DbertPass *pass, DbertDropSite site, int layer);

/* y[M, C] = x dropped out, in place or not; its own backward. */
extern DbertStatus dbert_pass_drop(const DbertPass *pass, DbertDropSite site, int layer,
								   const float *x, int m, float *y);

#endif
