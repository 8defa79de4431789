/*
 * family_bert.c -- BERT, and what has its layers and names: MiniLM, TinyBERT,
 * BGE, E5, GTE.
 *
 * Source: Devlin et al. 2018 (arXiv:1810.04805); transformers'
 * modeling_bert.py, BertConfig.
 */
#include "model/family.h"

#define FIELD(name) offsetof(DbertConfig, name)

const DbertFamily dbert_family_bert = {
	.model_type = "bert",
	.architecture = "Bert",
	.prefix = "bert.",
	.layers = "encoder.layer.",
	.modules = {
		[DBERT_MODULE_WORD] = {"embeddings.word_embeddings"},
		[DBERT_MODULE_POSITION] = {"embeddings.position_embeddings"},
		[DBERT_MODULE_TYPE] = {"embeddings.token_type_embeddings"},
		[DBERT_MODULE_EMBED_NORM] = {"embeddings.LayerNorm"},
		[DBERT_MODULE_QKV] = {"attention.self.query", "attention.self.key",
			"attention.self.value"},
		[DBERT_MODULE_ATTN_OUT] = {"attention.output.dense"},
		[DBERT_MODULE_ATTN_NORM] = {"attention.output.LayerNorm"},
		[DBERT_MODULE_FFN_IN] = {"intermediate.dense"},
		[DBERT_MODULE_FFN_OUT] = {"output.dense"},
		[DBERT_MODULE_FFN_NORM] = {"output.LayerNorm"},
	},
	.heads = {
		[DBERT_HEAD_SEQUENCE] = {
			.dense = "pooler.dense",
			.dense_in_encoder = true,
			.act = DBERT_ACT_TANH,
			.out = "classifier"
		},
		[DBERT_HEAD_TOKEN] = {.out = "classifier"},
		[DBERT_HEAD_SPAN] = {.out = "qa_outputs"},
		[DBERT_HEAD_MASK] = {
			.dense = "cls.predictions.transform.dense",
			.act = DBERT_ACT_OF_MODEL,
			.norm = "cls.predictions.transform.LayerNorm",
			.out = "cls.predictions.decoder",
			.bias = "cls.predictions",
			.other_suffix = "ForPreTraining"
		},
	},
	.sizes = {
		{"vocab_size", NULL, 30522, 1, DBERT_MAX_VOCAB, FIELD(vocab)},
		{"max_position_embeddings", NULL, 512, DBERT_MIN_TOKENS, DBERT_MAX_POSITIONS,
			FIELD(positions)},
		{"num_hidden_layers", NULL, 12, 1, DBERT_MAX_LAYERS, FIELD(layers)},
		{"num_attention_heads", NULL, 12, 1, DBERT_MAX_HEADS, FIELD(heads)},
		{"hidden_size", NULL, 768, 1, DBERT_MAX_HIDDEN, FIELD(hidden)},
		{"intermediate_size", NULL, 3072, 1, DBERT_MAX_FFN, FIELD(ffn)},
		/* pairs carry type 1 */
		{"type_vocab_size", NULL, 2, 2, DBERT_MAX_TYPES, FIELD(types)},
	},
	.act_key = "hidden_act",
	.eps_key = "layer_norm_eps",
	.tokenizer = "BertTokenizer",
	.types_for_pairs = true,
	.drops_after_attention = true,
};
