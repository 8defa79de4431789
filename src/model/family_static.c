/*
 * family_static.c -- static embeddings: a row for each token, and no layers.
 *
 * A text's vector is the mean of its tokens' rows.  model2vec makes such models
 * of an encoder's answers to single tokens; sentence-transformers'
 * StaticEmbedding trains them.  What their files say stands in statictable.c.
 *
 * Source: Tulkens and van Dongen 2024, "Model2Vec"; sentence-transformers'
 * StaticEmbedding.
 */
#include "model/family.h"

const DbertFamily dbert_family_static = {
	.model_type = "model2vec",
	.architecture = "Static",
	.prefix = "",
	.layers = "",
	.modules = {
		[DBERT_MODULE_WORD] = {"embedding"},
	},
	.sizes = {
		{"vocab_size", NULL, 1, 1, DBERT_MAX_VOCAB, DBERT_SIZE_OF(vocab)},
		{"hidden_size", NULL, 1, 1, DBERT_MAX_HIDDEN, DBERT_SIZE_OF(hidden)},
		{"num_hidden_layers", NULL, 0, 0, 0, DBERT_SIZE_OF(layers)},
		{"num_attention_heads", NULL, 1, 1, 1, DBERT_SIZE_OF(heads)},
		{"intermediate_size", NULL, 1, 1, 1, DBERT_SIZE_OF(ffn)},
		{"max_position_embeddings", NULL, DBERT_MAX_POSITIONS, DBERT_MAX_POSITIONS,
			DBERT_MAX_POSITIONS, DBERT_SIZE_OF(positions)},
	},
	.not_trained = true,
	.lookup = true,
};
