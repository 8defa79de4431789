/*
 * family_marian.c -- Marian's translators, such as Helsinki-NLP/opus-mt: an
 * encoder of post-norm layers, and a decoder whose layers have one more
 * attention, to the encoder's states.
 *
 * Both sides share the rows of words, which are multiplied by sqrt(W) where the
 * config says so; positions are sines and cosines; there is no norm below the
 * layers.  Encoder and decoder have the same sizes, but for the number of their
 * layers.
 *
 * Source: Junczys-Dowmunt et al. 2018 (arXiv:1804.00344); Vaswani et al. 2017
 * (arXiv:1706.03762); transformers' modeling_marian.py, MarianConfig.
 */
#include "model/bertlayers.h"
#include "model/generating.h"

/* A size of the decoder, which must be the encoder's. */
static DbertStatus
check_size(const DbertJson *root, const char *key, int32_t preset, int32_t ours, DbertError *err)
{
	int64_t		value = preset;

	DBERT_TRY(dbert_json_int(root, key, 1, DBERT_MAX_VOCAB, &value, err));
	if (value != ours)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: \"%s\" of %d, where the encoder's is %d, is not supported",
						  root->where, key, (int) value, (int) ours);
	return DBERT_OK;
}

static DbertStatus
read_config(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	bool		scale = false,
				shared = true;

	config->norm_eps = 1e-5f;
	DBERT_TRY(dbert_json_bool(root, "scale_embedding", &scale, err));
	config->scale_words = scale;
	DBERT_TRY(check_size(root, "decoder_attention_heads", 16, config->heads, err));
	DBERT_TRY(check_size(root, "decoder_ffn_dim", 4096, config->ffn, err));
	DBERT_TRY(check_size(root, "decoder_vocab_size", config->vocab, config->vocab, err));
	DBERT_TRY(dbert_json_bool(root, "share_encoder_decoder_embeddings", &shared, err));
	if (!shared)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: \"share_encoder_decoder_embeddings\" of false is not supported",
						  root->where);
	if (config->hidden % 2 != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: an odd \"d_model\", %d, is not supported", root->where,
						  (int) config->hidden);
	return DBERT_OK;
}

const DbertFamily dbert_family_marian = {
	.model_type = "marian",
	.architecture = "Marian",
	.prefix = "model.",
	.layers = "encoder.layers.",
	.decoder = "decoder.layers.",
	.modules = {
		[DBERT_MODULE_WORD] = {"shared"},
		[DBERT_MODULE_POSITION] = {"encoder.embed_positions"},
		[DBERT_MODULE_QKV] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
		[DBERT_MODULE_ATTN_OUT] = {"self_attn.out_proj"},
		[DBERT_MODULE_ATTN_NORM] = {"self_attn_layer_norm"},
		[DBERT_MODULE_FFN_IN] = {"fc1"},
		[DBERT_MODULE_FFN_OUT] = {"fc2"},
		[DBERT_MODULE_FFN_NORM] = {"final_layer_norm"},
		[DBERT_MODULE_CROSS_QUERY] = {"encoder_attn.q_proj"},
		[DBERT_MODULE_CROSS_KEYS] = {"encoder_attn.k_proj", "encoder_attn.v_proj"},
		[DBERT_MODULE_CROSS_OUT] = {"encoder_attn.out_proj"},
		[DBERT_MODULE_CROSS_NORM] = {"encoder_attn_layer_norm"},
	},
	.heads = {
		[DBERT_HEAD_TRANSLATE] = {
			.out = "lm_head",
			.bias = "final_logits_bias",
			.bias_is_tensor = true
		},
	},
	.sizes = {
		{"vocab_size", NULL, 58101, 1, DBERT_MAX_VOCAB, DBERT_SIZE_OF(vocab)},
		{"max_position_embeddings", NULL, 1024, DBERT_MIN_TOKENS, DBERT_MAX_RELATIVE,
			DBERT_SIZE_OF(positions)},
		{"encoder_layers", "num_hidden_layers", 12, 1, DBERT_MAX_LAYERS, DBERT_SIZE_OF(layers)},
		{"decoder_layers", NULL, 12, 1, DBERT_MAX_LAYERS, DBERT_SIZE_OF(decoder_layers)},
		{"encoder_attention_heads", "num_attention_heads", 16, 1, DBERT_MAX_HEADS,
			DBERT_SIZE_OF(heads)},
		{"d_model", "hidden_size", 1024, 1, DBERT_MAX_HIDDEN, DBERT_SIZE_OF(hidden)},
		{"encoder_ffn_dim", NULL, 4096, 1, DBERT_MAX_FFN, DBERT_SIZE_OF(ffn)},
	},
	.act_key = "activation_function",
	.sinusoids = true,
	.not_trained = true,
	.read_config = read_config,
};
