/*
 * weights.h -- the weights of an opened model: pointers into the pack.
 *
 * Letters as everywhere: C hidden, F feed-forward, V vocabulary, P positions, S
 * token types, W width of the embeddings' rows, K columns of keys (C unless
 * heads share theirs), G rows of the feed-forward's first layer (F, or 2F with
 * a gate), I and E the widths that a step behind the pooling takes and gives.
 * A matrix that feeds DbertKernels.linear is in that table's packed layout;
 * embeddings are plain rows.  Which field is filled from what stands in
 * slotplan.c and in the family's table.
 */
#ifndef DBERT_MODEL_WEIGHTS_H
#define DBERT_MODEL_WEIGHTS_H

#include "kernel/kernel.h"
#include "model/config.h"

#include <stdbool.h>
#include <stdint.h>

/* Numbers of 16 bits as the checkpoint has them (kernel/half.h). */
typedef struct DbertHalves
{
	const uint16_t *at;			/* NULL: there are none */
	DbertWeightType type;
} DbertHalves;

/*
 * y[M,N] = x[M,K] W^T + b, PyTorch's nn.Linear.  One of w, w16 and w8 is there,
 * for DbertKernels.linear, .half->linear or .int8->linear; n is 0 where the
 * model has no such layer.
 */
typedef struct DbertLinear
{
	const float *w;				/* [N, K] packed */
	const float *b;				/* [N], or NULL */
	int			n;
	int			k;
	const void *w8;				/* [N, K] packed in 8 bits */
	DbertHalves w16;			/* [N, K] packed in 16 bits */
} DbertLinear;

typedef struct DbertNorm
{
	const float *gamma;			/* [C]; NULL: no such layer */
	const float *beta;			/* [C], or NULL: 0 */
} DbertNorm;

typedef struct DbertLayer
{
	DbertLinear qkv;			/* [C + 2K, C]: query, key, value one below the other */
	DbertLinear attn_out;		/* [C, C] */
	DbertNorm	attn_norm;		/* after attention and residual, or before both */
	DbertLinear ffn_in;			/* [G, C] */
	DbertLinear ffn_out;		/* [C, F] */
	DbertNorm	ffn_norm;		/* after feed-forward and residual, or before both */
	const float *query_rows;	/* [H][T, D] packed, or NULL: what queries meet at a distance, */
	const float *key_rows;		/* and keys (kernel/scoring.h, model/distances.h) */
	DbertLinear cross_query;	/* [C, C], of a decoder: its tokens ask the encoder's states */
	DbertLinear cross_keys;		/* [2C, C]: keys, values */
	DbertLinear cross_out;		/* [C, C] */
	DbertNorm	cross_norm;
	bool		local;			/* a token sees its neighbourhood only (config.window) */
} DbertLayer;

/* One of config.steps: of a Dense module, or of a LayerNorm. */
typedef struct DbertStepWeights
{
	DbertLinear dense;			/* [E, I] */
	DbertLinear residual;		/* [E, I], if DENSE has one */
	DbertNorm	norm;			/* [E] */
} DbertStepWeights;

typedef struct DbertWeights
{
	const float *word;			/* [V, W] rows, or NULL: */
	DbertHalves word16;			/* the same in 16 bits, */
	const int8_t *word8;		/* or in 8 bits, to be multiplied by */
	const float *word8_scale;	/* [V] */
	const float *position;		/* [P, W] rows, or NULL: */
	DbertHalves position16;		/* the same in 16 bits, or none: positions are rotary */
	const float *type;			/* [S, W] rows, NULL: the family has none */
	DbertNorm	embed_norm;		/* [W], or none */
	DbertLinear embed_project;	/* [C, W], behind the norm; none where W is C */
	const float *distance_bias; /* [bias_rows, H], NULL: scores have no bias (distances.h) */
	const float *distances;		/* [R, C], what the layers' rows are projected from; */
	DbertNorm	distances_norm; /* nothing reads either once the pack is written */
	DbertLinear conv;			/* [C, K], or none */
	DbertNorm	conv_norm;		/* [C] */
	DbertNorm	final_norm;		/* behind the last layer, where norms come first */
	DbertLayer *layers;			/* [L] */
	DbertLayer *decoder;		/* [dbert_decoder_layers] */

	/*
	 * The head: logits = out(norm(act(dense(x)))), steps that are absent
	 * skipped.
	 * Which there are is the family's (DbertHeadNames).
	 */
	DbertLinear head_dense;
	int			head_act;		/* DbertAct */
	DbertNorm	head_norm;
	DbertLinear head_out;

	DbertStepWeights steps[DBERT_MAX_POOLED_STEPS];	/* behind the pooling */
} DbertWeights;

#endif
