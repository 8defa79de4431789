/*
 * family_modernbert.c -- ModernBERT and mmBERT: norms before the layers'
 * halves, rotary positions, gated feed-forwards, and layers most of which see
 * the neighbourhood of a token only.
 *
 * Which layers are local is said by their distance, or, since transformers 5,
 * layer by layer.  Heads of all kinds have the same layer and norm below their
 * logits; one for texts reads the first token, or the mean of all.
 *
 * Source: Warner et al. 2024 (arXiv:2412.13663); transformers'
 * modeling_modernbert.py, ModernBertConfig.
 */
#include "model/bertlayers.h"
#include "model/configrotary.h"

#include <string.h>

static DbertStatus
read_layer(const DbertJson *types, int layer, DbertConfig *config, DbertError *err)
{
	const json_t *item = json_array_get(types->value, layer);
	const char *type = json_is_string(item) ? json_string_value(item) : "";
	char		clip[DBERT_CLIP];

	if (strcmp(type, "sliding_attention") == 0)
		config->local[layer / 32] |= UINT32_C(1) << layer % 32;
	else if (strcmp(type, "full_attention") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: type \"%s\" of layer %d is not supported, only \"full_attention\" "
						  "and \"sliding_attention\" are",
						  types->where, dbert_clip(type, clip), layer);
	return DBERT_OK;
}

/* Both ways to say it must agree. */
static DbertStatus
check_distance(const DbertJson *root, int every, const DbertConfig *config, DbertError *err)
{
	for (int layer = 0; every > 0 && layer < config->layers; layer++)
		if (dbert_layer_is_local(config, layer) != (layer % every != 0))
			return dbert_fail(err, DBERT_E_FORMAT,
							  "%s: \"layer_types\" and \"global_attn_every_n_layers\" (%d) "
							  "differ for layer %d",
							  root->where, every, layer);
	return DBERT_OK;
}

static DbertStatus
read_local(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	int64_t		window = 128,
				every = 0;
	DbertJson	types;

	DBERT_TRY(dbert_json_int(root, "local_attention", 2, DBERT_MAX_POSITIONS, &window, err));
	config->window = (int32_t) (window / 2);
	DBERT_TRY(dbert_json_int(root, "global_attn_every_n_layers", 1, DBERT_MAX_LAYERS, &every, err));
	DBERT_TRY(dbert_json_child(root, "layer_types", JSON_ARRAY, &types, err));
	if (types.value != NULL && json_array_size(types.value) != (size_t) config->layers)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: %zu types of %d layers", types.where,
						  json_array_size(types.value), config->layers);
	for (int layer = 0; layer < config->layers; layer++)
	{
		if (types.value != NULL)
			DBERT_TRY(read_layer(&types, layer, config, err));
		else if (layer % (every > 0 ? every : 3) != 0)
			config->local[layer / 32] |= UINT32_C(1) << layer % 32;
	}
	return check_distance(root, (int) every, config, err);
}

static DbertStatus
read_head(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	const char *pooling = "cls",
			   *act = "gelu",
			   *head_act = "gelu";
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(root, "classifier_pooling", &pooling, err));
	config->head_mean = strcmp(pooling, "mean") == 0;
	if (!config->head_mean && strcmp(pooling, "cls") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: \"classifier_pooling\" of \"%s\" is not supported, only \"cls\" and "
						  "\"mean\" are",
						  root->where, dbert_clip(pooling, clip));
	DBERT_TRY(dbert_json_string(root, "hidden_activation", &act, err));
	DBERT_TRY(dbert_json_string(root, "classifier_activation", &head_act, err));
	if (strcmp(act, head_act) != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: a \"classifier_activation\" (\"%s\") other than "
						  "\"hidden_activation\" is not supported",
						  root->where, dbert_clip(head_act, clip));
	return DBERT_OK;
}

/* A part has no bias unless this key says so. */
static DbertStatus
read_bias(const DbertJson *root, const char *key, bool preset, DbertBias part,
		  DbertConfig *config, DbertError *err)
{
	bool		value = preset;

	DBERT_TRY(dbert_json_bool(root, key, &value, err));
	if (!value)
		config->no_bias |= part;
	return DBERT_OK;
}

static DbertStatus
read_config(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	double		eps = 1e-5;

	DBERT_TRY(dbert_json_real(root, "norm_eps", 1e-30, 1, &eps, err));
	config->norm_eps = (float) eps;
	DBERT_TRY(read_bias(root, "norm_bias", false, DBERT_BIAS_NORM, config, err));
	DBERT_TRY(read_bias(root, "attention_bias", false, DBERT_BIAS_ATTENTION, config, err));
	DBERT_TRY(read_bias(root, "mlp_bias", false, DBERT_BIAS_FFN_IN, config, err));
	DBERT_TRY(read_bias(root, "mlp_bias", false, DBERT_BIAS_FFN_OUT, config, err));
	DBERT_TRY(read_bias(root, "classifier_bias", false, DBERT_BIAS_HEAD, config, err));
	DBERT_TRY(read_bias(root, "decoder_bias", true, DBERT_BIAS_DECODER, config, err));
	DBERT_TRY(read_local(root, config, err));
	DBERT_TRY(read_head(root, config, err));
	config->rotary = DBERT_ROTARY_PLAIN;
	DBERT_TRY(dbert_config_refuse_scaling(root, err));
	DBERT_TRY(dbert_config_rotary_base(root, "global_rope_theta", "full_attention", 160000,
									   &config->rotary_base, err));
	return dbert_config_rotary_base(root, "local_rope_theta", "sliding_attention", 10000,
									&config->rotary_local_base, err);
}

#define HEAD .dense = "head.dense", .act = DBERT_ACT_OF_MODEL, .norm = "head.norm"

const DbertFamily dbert_family_modernbert = {
	.model_type = "modernbert",
	.architecture = "ModernBert",
	.prefix = "model.",
	.layers = "layers.",
	.modules = {
		[DBERT_MODULE_WORD] = {"embeddings.tok_embeddings"},
		[DBERT_MODULE_EMBED_NORM] = {"embeddings.norm"},
		[DBERT_MODULE_QKV] = {"attn.Wqkv"},
		[DBERT_MODULE_ATTN_OUT] = {"attn.Wo"},
		[DBERT_MODULE_ATTN_NORM] = {"attn_norm"},
		[DBERT_MODULE_FFN_IN] = {"mlp.Wi"},
		[DBERT_MODULE_FFN_OUT] = {"mlp.Wo"},
		[DBERT_MODULE_FFN_NORM] = {"mlp_norm"},
		[DBERT_MODULE_FINAL_NORM] = {"final_norm"},
	},
	.heads = {
		[DBERT_HEAD_SEQUENCE] = {HEAD, .out = "classifier"},
		[DBERT_HEAD_TOKEN] = {HEAD, .out = "classifier"},
		[DBERT_HEAD_SPAN] = {HEAD, .out = "classifier"},
		[DBERT_HEAD_MASK] = {HEAD, .out = "decoder"},
	},
	.sizes = {
		DBERT_PLAIN_SIZES(50368, 8192, 22, 12, 768, 1152),
	},
	.act_key = "hidden_activation",
	.norms_first = true,
	.bare_first_layer = true,
	.gate = DBERT_GATE_FIRST,
	.read_config = read_config,
};
