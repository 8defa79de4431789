/*
 * family_distilbert.c -- DistilBERT: six layers of BERT's, without token types
 * and pooler.
 *
 * Source: Sanh et al. 2019 (arXiv:1910.01108); transformers'
 * modeling_distilbert.py, DistilBertConfig.
 */
#include "model/family.h"

const DbertFamily dbert_family_distilbert = {
	.model_type = "distilbert",
	.architecture = "DistilBert",
	.prefix = "distilbert.",
	.layers = "transformer.layer.",
	.modules = {
		[DBERT_MODULE_WORD] = {"embeddings.word_embeddings"},
		[DBERT_MODULE_POSITION] = {"embeddings.position_embeddings"},
		[DBERT_MODULE_EMBED_NORM] = {"embeddings.LayerNorm"},
		[DBERT_MODULE_QKV] = {"attention.q_lin", "attention.k_lin", "attention.v_lin"},
		[DBERT_MODULE_ATTN_OUT] = {"attention.out_lin"},
		[DBERT_MODULE_ATTN_NORM] = {"sa_layer_norm"},
		[DBERT_MODULE_FFN_IN] = {"ffn.lin1"},
		[DBERT_MODULE_FFN_OUT] = {"ffn.lin2"},
		[DBERT_MODULE_FFN_NORM] = {"output_layer_norm"},
	},
	.heads = {
		[DBERT_HEAD_SEQUENCE] = {
			.dense = "pre_classifier",
			.act = DBERT_ACT_RELU,
			.out = "classifier"
		},
		[DBERT_HEAD_TOKEN] = {.out = "classifier"},
		[DBERT_HEAD_SPAN] = {.out = "qa_outputs"},
		[DBERT_HEAD_MASK] = {
			.dense = "vocab_transform",
			.act = DBERT_ACT_OF_MODEL,
			.norm = "vocab_layer_norm",
			.out = "vocab_projector"
		},
	},
	.sizes = {
		{"vocab_size", NULL, 30522, 1, DBERT_MAX_VOCAB, DBERT_SIZE_OF(vocab)},
		{"max_position_embeddings", NULL, 512, DBERT_MIN_TOKENS, DBERT_MAX_POSITIONS,
			DBERT_SIZE_OF(positions)},
		{"n_layers", "num_hidden_layers", 6, 1, DBERT_MAX_LAYERS, DBERT_SIZE_OF(layers)},
		{"n_heads", "num_attention_heads", 12, 1, DBERT_MAX_HEADS, DBERT_SIZE_OF(heads)},
		{"dim", "hidden_size", 768, 1, DBERT_MAX_HIDDEN, DBERT_SIZE_OF(hidden)},
		{"hidden_dim", NULL, 3072, 1, DBERT_MAX_FFN, DBERT_SIZE_OF(ffn)},
	},
	.act_key = "activation",
	.tokenizer = "DistilBertTokenizer",
};
