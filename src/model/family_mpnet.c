/*
 * family_mpnet.c -- MPNet: BERT's layers whose scores have a bias by the
 * distance of the tokens, one table for all layers.
 *
 * Positions begin behind row 1, whatever id padding has.  There are no token
 * types; heads are RoBERTa's.
 *
 * Source: Song et al. 2020 (arXiv:2004.09297); transformers' modeling_mpnet.py,
 * MPNetConfig.
 */
#include "model/bertlayers.h"
#include "model/distances.h"

const DbertFamily dbert_family_mpnet = {
	.model_type = "mpnet",
	.architecture = "MPNet",
	.prefix = "mpnet.",
	.layers = "encoder.layer.",
	.modules = {
		[DBERT_MODULE_WORD] = {"embeddings.word_embeddings"},
		[DBERT_MODULE_POSITION] = {"embeddings.position_embeddings"},
		[DBERT_MODULE_EMBED_NORM] = {"embeddings.LayerNorm"},
		[DBERT_MODULE_DISTANCE_BIAS] = {"encoder.relative_attention_bias"},
		[DBERT_MODULE_QKV] = {"attention.attn.q", "attention.attn.k", "attention.attn.v"},
		[DBERT_MODULE_ATTN_OUT] = {"attention.attn.o"},
		[DBERT_MODULE_ATTN_NORM] = {"attention.LayerNorm"},
		[DBERT_MODULE_FFN_IN] = {"intermediate.dense"},
		[DBERT_MODULE_FFN_OUT] = {"output.dense"},
		[DBERT_MODULE_FFN_NORM] = {"output.LayerNorm"},
	},
	.heads = {DBERT_ROBERTA_HEADS},
	.sizes = {
		DBERT_BERT_SIZES(30527, 12, 12, 768, 3072),
		{"relative_attention_num_buckets", NULL, DBERT_BIAS_ROWS, DBERT_BIAS_ROWS, 4096,
			DBERT_SIZE_OF(bias_rows)},
	},
	.act_key = "hidden_act",
	.eps_key = "layer_norm_eps",
	.tokenizer = "MPNetTokenizer",
	.drops_after_attention = true,
	.pad_preset = 1,
};
