/*
 * family_electra.c -- ELECTRA: BERT's layers, embeddings that may be narrower
 * than the hidden states, no pooler.
 *
 * The discriminator is what its models are made of.  What it was trained for,
 * to find replaced words, has no use here, and the generator's head works at
 * the embeddings' width: both are refused by name, and serve as encoders.
 *
 * Source: Clark et al. 2020 (arXiv:2003.10555); transformers'
 * modeling_electra.py, ElectraConfig.
 */
#include "model/family.h"

#define FIELD(name) offsetof(DbertConfig, name)

const DbertFamily dbert_family_electra = {
	.model_type = "electra",
	.architecture = "Electra",
	.prefix = "electra.",
	.layers = "encoder.layer.",
	.modules = {
		[DBERT_MODULE_WORD] = {"embeddings.word_embeddings"},
		[DBERT_MODULE_POSITION] = {"embeddings.position_embeddings"},
		[DBERT_MODULE_TYPE] = {"embeddings.token_type_embeddings"},
		[DBERT_MODULE_EMBED_NORM] = {"embeddings.LayerNorm"},
		[DBERT_MODULE_EMBED_PROJECT] = {"embeddings_project"},
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
			.dense = "classifier.dense",
			.act = DBERT_ACT_GELU,
			.out = "classifier.out_proj"
		},
		[DBERT_HEAD_TOKEN] = {.out = "classifier"},
		[DBERT_HEAD_SPAN] = {.out = "qa_outputs"},
	},
	.sizes = {
		{"vocab_size", NULL, 30522, 1, DBERT_MAX_VOCAB, FIELD(vocab)},
		{"embedding_size", NULL, 128, 1, DBERT_MAX_HIDDEN, FIELD(embed_width)},
		{"max_position_embeddings", NULL, 512, DBERT_MIN_TOKENS, DBERT_MAX_POSITIONS,
			FIELD(positions)},
		{"num_hidden_layers", NULL, 12, 1, DBERT_MAX_LAYERS, FIELD(layers)},
		{"num_attention_heads", NULL, 4, 1, DBERT_MAX_HEADS, FIELD(heads)},
		{"hidden_size", NULL, 256, 1, DBERT_MAX_HIDDEN, FIELD(hidden)},
		{"intermediate_size", NULL, 1024, 1, DBERT_MAX_FFN, FIELD(ffn)},
		{"type_vocab_size", NULL, 2, 2, DBERT_MAX_TYPES, FIELD(types)},
	},
	.act_key = "hidden_act",
	.eps_key = "layer_norm_eps",
	.tokenizer = "ElectraTokenizer",
	.types_for_pairs = true,
	.drops_after_attention = true,
};
