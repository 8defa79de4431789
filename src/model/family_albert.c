/*
 * family_albert.c -- ALBERT: layers that share their weights, embeddings that
 * are narrower than the hidden states.
 *
 * The layers stand in groups; all of a group run with the same weights, which a
 * pack holds once.  A group may be of several inner layers.  The masked-LM head
 * works at the embeddings' width.  The order of two sentences, which its
 * pre-training learns besides, has no use here.
 *
 * Tokens of a pair's second text are of type 1, as the models were trained.
 *
 * Source: Lan et al. 2019 (arXiv:1909.11942); transformers'
 * modeling_albert.py, AlbertConfig.
 */
#include "model/bertlayers.h"

const DbertFamily dbert_family_albert = {
	.model_type = "albert",
	.architecture = "Albert",
	.prefix = "albert.",
	.layers = "encoder.albert_layer_groups.",
	.inner = "albert_layers.",
	.modules = {
		[DBERT_MODULE_WORD] = {"embeddings.word_embeddings"},
		[DBERT_MODULE_POSITION] = {"embeddings.position_embeddings"},
		[DBERT_MODULE_TYPE] = {"embeddings.token_type_embeddings"},
		[DBERT_MODULE_EMBED_NORM] = {"embeddings.LayerNorm"},
		[DBERT_MODULE_EMBED_PROJECT] = {"encoder.embedding_hidden_mapping_in"},
		[DBERT_MODULE_QKV] = {"attention.query", "attention.key", "attention.value"},
		[DBERT_MODULE_ATTN_OUT] = {"attention.dense"},
		[DBERT_MODULE_ATTN_NORM] = {"attention.LayerNorm"},
		[DBERT_MODULE_FFN_IN] = {"ffn"},
		[DBERT_MODULE_FFN_OUT] = {"ffn_output"},
		[DBERT_MODULE_FFN_NORM] = {"full_layer_layer_norm"},
	},
	.heads = {
		DBERT_POOLER_HEADS("pooler"),
		[DBERT_HEAD_SPAN] = {.out = "qa_outputs"},
		[DBERT_HEAD_MASK] = {
			.dense = "predictions.dense",
			.act = DBERT_ACT_OF_MODEL,
			.norm = "predictions.LayerNorm",
			.out = "predictions.decoder",
			.bias = "predictions",
			.embed_width = true,
			.other_suffix = "ForPreTraining"
		},
	},
	.sizes = {
		DBERT_BERT_SIZES(30000, 12, 64, 4096, 16384),
		DBERT_BERT_TYPES,
		{"embedding_size", NULL, 128, 1, DBERT_MAX_HIDDEN, DBERT_SIZE_OF(embed_width)},
		{"num_hidden_groups", NULL, 1, 1, DBERT_MAX_LAYERS, DBERT_SIZE_OF(groups)},
		{"inner_group_num", NULL, 1, 1, DBERT_MAX_LAYERS, DBERT_SIZE_OF(inner_layers)},
	},
	.act_key = "hidden_act",
	.act_preset = "gelu_new",
	.eps_key = "layer_norm_eps",
	.types_for_pairs = true,
	.always_projects = true,
};
