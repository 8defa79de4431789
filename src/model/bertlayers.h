/*
 * bertlayers.h -- what several families have in common, to be put into their
 * tables: the names of BERT's modules, heads, the keys of sizes.
 */
#ifndef DBERT_MODEL_BERTLAYERS_H
#define DBERT_MODEL_BERTLAYERS_H

#include "model/family.h"

/* Of modules, below the family's prefix. */
#define DBERT_BERT_MODULES \
	[DBERT_MODULE_WORD] = {"embeddings.word_embeddings"}, \
	[DBERT_MODULE_POSITION] = {"embeddings.position_embeddings"}, \
	[DBERT_MODULE_TYPE] = {"embeddings.token_type_embeddings"}, \
	[DBERT_MODULE_EMBED_NORM] = {"embeddings.LayerNorm"}, \
	[DBERT_MODULE_QKV] = {"attention.self.query", "attention.self.key", "attention.self.value"}, \
	[DBERT_MODULE_ATTN_OUT] = {"attention.output.dense"}, \
	[DBERT_MODULE_ATTN_NORM] = {"attention.output.LayerNorm"}, \
	[DBERT_MODULE_FFN_IN] = {"intermediate.dense"}, \
	[DBERT_MODULE_FFN_OUT] = {"output.dense"}, \
	[DBERT_MODULE_FFN_NORM] = {"output.LayerNorm"}

/*
 * Heads of BERT's kind on single vectors: the classifier's dense layer is the
 * encoder's pooler.
 */
#define DBERT_POOLER_HEADS(pooler) \
	[DBERT_HEAD_SEQUENCE] = { \
		.dense = pooler, \
		.dense_in_encoder = true, \
		.act = DBERT_ACT_TANH, \
		.out = "classifier" \
	}, \
	[DBERT_HEAD_TOKEN] = {.out = "classifier"}

/* Heads of RoBERTa's kind: the classifier has a dense layer of its own. */
#define DBERT_ROBERTA_HEADS \
	[DBERT_HEAD_SEQUENCE] = { \
		.dense = "classifier.dense", \
		.drops_input = true, \
		.act = DBERT_ACT_TANH, \
		.out = "classifier.out_proj" \
	}, \
	[DBERT_HEAD_TOKEN] = {.out = "classifier"}, \
	[DBERT_HEAD_SPAN] = {.out = "qa_outputs"}, \
	[DBERT_HEAD_MASK] = { \
		.dense = "lm_head.dense", \
		.act = DBERT_ACT_GELU, \
		.norm = "lm_head.layer_norm", \
		.out = "lm_head.decoder", \
		.bias = "lm_head" \
	}

/* Sizes, with the defaults of the family's configuration class. */
#define DBERT_PLAIN_SIZES(vocab_, positions_, layers_, heads_, hidden_, ffn_) \
	{"vocab_size", NULL, vocab_, 1, DBERT_MAX_VOCAB, DBERT_SIZE_OF(vocab)}, \
	{"max_position_embeddings", NULL, positions_, DBERT_MIN_TOKENS, DBERT_MAX_POSITIONS, \
		DBERT_SIZE_OF(positions)}, \
	{"num_hidden_layers", NULL, layers_, 1, DBERT_MAX_LAYERS, DBERT_SIZE_OF(layers)}, \
	{"num_attention_heads", NULL, heads_, 1, DBERT_MAX_HEADS, DBERT_SIZE_OF(heads)}, \
	{"hidden_size", NULL, hidden_, 1, DBERT_MAX_HIDDEN, DBERT_SIZE_OF(hidden)}, \
	{"intermediate_size", NULL, ffn_, 1, DBERT_MAX_FFN, DBERT_SIZE_OF(ffn)}

/* The same with BERT's positions. */
#define DBERT_BERT_SIZES(vocab_, layers_, heads_, hidden_, ffn_) \
	DBERT_PLAIN_SIZES(vocab_, 512, layers_, heads_, hidden_, ffn_)

/* And of token types, where pairs carry type 1. */
#define DBERT_BERT_TYPES \
	{"type_vocab_size", NULL, 2, 2, DBERT_MAX_TYPES, DBERT_SIZE_OF(types)}

#endif
