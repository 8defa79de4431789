/*
 * family_electra.c -- ELECTRA: BERT's layers, embeddings that may be narrower
 * than the hidden states, no pooler.
 *
 * The discriminator is what its models are made of.  What it was trained for,
 * to find replaced words, has no use here: it serves as an encoder.  The
 * generator's head works at the embeddings' width.
 *
 * Source: Clark et al. 2020 (arXiv:2003.10555); transformers'
 * modeling_electra.py, ElectraConfig.
 */
#include "model/bertlayers.h"

const DbertFamily dbert_family_electra = {
	.model_type = "electra",
	.architecture = "Electra",
	.prefix = "electra.",
	.layers = "encoder.layer.",
	.modules = {
		DBERT_BERT_MODULES,
		[DBERT_MODULE_EMBED_PROJECT] = {"embeddings_project"},
	},
	.heads = {
		[DBERT_HEAD_NONE] = {.other_suffix = "ForPreTraining"},
		[DBERT_HEAD_SEQUENCE] = {
			.dense = "classifier.dense",
			.drops_input = true,
			.act = DBERT_ACT_GELU,
			.out = "classifier.out_proj"
		},
		[DBERT_HEAD_TOKEN] = {.out = "classifier"},
		[DBERT_HEAD_SPAN] = {.out = "qa_outputs"},
		[DBERT_HEAD_MASK] = {
			.dense = "generator_predictions.dense",
			.act = DBERT_ACT_GELU,
			.norm = "generator_predictions.LayerNorm",
			.out = "generator_lm_head",
			.embed_width = true
		},
	},
	.sizes = {
		DBERT_BERT_SIZES(30522, 12, 4, 256, 1024),
		DBERT_BERT_TYPES,
		{"embedding_size", NULL, 128, 1, DBERT_MAX_HIDDEN, DBERT_SIZE_OF(embed_width)},
	},
	.act_key = "hidden_act",
	.eps_key = "layer_norm_eps",
	.tokenizer = "ElectraTokenizer",
	.types_for_pairs = true,
	.drops_after_attention = true,
};
