/*
 * encoder.h -- the transformer encoder over a ragged batch.
 *
 * All texts' tokens lie one after another, no padding anywhere: N tokens in
 * all, text b's are rows cu[b] .. cu[b+1]-1.  The letters: B texts, T tokens
 * of one text, N tokens of the batch, C hidden, H heads, D = C/H, F
 * feed-forward, V vocabulary, L layers.
 *
 * Source: Vaswani et al. 2017 (arXiv:1706.03762) section 3; Devlin et al. 2018
 * (arXiv:1810.04805); Sanh et al. 2019 (arXiv:1910.01108): DistilBERT has no
 * token types and no pooler.  Post-layer-norm, as both, or norms first (Xiong
 * et al. 2020, arXiv:2002.04745), as the family has it.
 */
#ifndef DBERT_NN_ENCODER_H
#define DBERT_NN_ENCODER_H

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "model/pack.h"

typedef struct DbertRagged
{
	int32_t		n_texts;		/* B */
	const int32_t *cu; /* [B+1], cu[0] = 0, rising; each text has 1 or more tokens */
	const int32_t *ids;			/* [N], each in 0 .. V-1 */
	const uint8_t *types;		/* [N], each below config.types if config.pair_types; NULL: all 0 */

	/*
	 * Rows of the last layer that the caller will read, rising; NULL: all N.
	 * The others are left undefined, and most of their work undone.
	 */
	const int32_t *wanted;		/* [n_wanted], each in 0 .. N-1 */
	int32_t		n_wanted;

	DbertThreads  *pool;			/* threads to share the work; NULL: the caller's alone */
} DbertRagged;

/*
 * Floats of workspace that dbert_encode and dbert_head_run (nn/logits.h) need
 * for a batch of n_tokens tokens whose longest text has max_len, with so many
 * threads; false: does not fit a size_t.
 */
extern bool dbert_encoder_workspace(const DbertConfig *config, size_t n_tokens,
									size_t max_len, int threads, size_t *floats);

/*
 * hidden[N, C] = the encoder's last layer (its wanted rows).  workspace is
 * 64-byte aligned, of the size told above, and aliases nothing.  after_layer,
 * if not NULL, is called with hidden after the embeddings (0) and each layer (1
 * .. L): tests. The same text gives the same bits in any batch, and a wanted
 * row the same whatever else is wanted, unless the kernels' rows matter (1e-6
 * then). The number of threads changes no bit.  E_CANCELLED by poll, which the
 * calling thread alone asks.
 */
extern DbertStatus dbert_encode(const DbertModel *model, const DbertRagged *batch,
								float *hidden, float *workspace, const DbertPoll *poll,
								void (*after_layer) (void *ctx, int layer, const float *hidden),
								void *layer_ctx, DbertError *err);

#endif
