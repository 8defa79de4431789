/*
 * family_bert.c -- BERT, and what has its layers and names: MiniLM, TinyBERT,
 * BGE, E5, GTE.
 *
 * Source: Devlin et al. 2018 (arXiv:1810.04805); transformers'
 * modeling_bert.py, BertConfig.
 */
#include "model/bertlayers.h"

const DbertFamily dbert_family_bert = {
	.model_type = "bert",
	.architecture = "Bert",
	.prefix = "bert.",
	.layers = "encoder.layer.",
	.modules = {DBERT_BERT_MODULES},
	.heads = {
		DBERT_POOLER_HEADS("pooler.dense"),
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
	.sizes = {DBERT_BERT_SIZES(30522, 12, 12, 768, 3072), DBERT_BERT_TYPES},
	.act_key = "hidden_act",
	.eps_key = "layer_norm_eps",
	.tokenizer = "BertTokenizer",
	.types_for_pairs = true,
	.drops_after_attention = true,
};
