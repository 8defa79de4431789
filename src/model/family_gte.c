/*
 * family_gte.c -- GTE of version 1.5 and the multilingual one: BERT's layers
 * with rotary positions and a gated feed-forward, whose gate stands last.
 *
 * Models made with the authors' own code call themselves "new", those of
 * transformers "gte".  Angles may be stretched ("NTK"), for texts of any
 * length.
 *
 * Source: Zhang et al. 2024 (arXiv:2407.19669); transformers' modeling_gte.py,
 * GteConfig.
 */
#include "model/bertlayers.h"
#include "model/configrotary.h"
#include "model/configswitch.h"

#include <string.h>

static const DbertSwitch switches[] = {
	{"logn_attention_scale", false, false},
	{"pack_qkv", true, true},
	{NULL, false, false}
};

/* These are the only ones that there is code for. */
static DbertStatus
check_kinds(const DbertJson *root, DbertError *err)
{
	const char *positions = "rope",
			   *norms = "layer_norm";
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(root, "position_embedding_type", &positions, err));
	if (strcmp(positions, "rope") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: position embedding type \"%s\" is not supported, only \"rope\" is",
						  root->where, dbert_clip(positions, clip));
	DBERT_TRY(dbert_json_string(root, "layer_norm_type", &norms, err));
	if (strcmp(norms, "layer_norm") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: norms of type \"%s\" are not supported, only \"layer_norm\" is",
						  root->where, dbert_clip(norms, clip));
	return DBERT_OK;
}

static DbertStatus
read_scaling(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	DbertJson	scaling;
	const char *type = "";
	double		factor = 0;

	DBERT_TRY(dbert_json_child(root, "rope_scaling", JSON_OBJECT, &scaling, err));
	if (scaling.value == NULL)
		return DBERT_OK;
	DBERT_TRY(dbert_json_string(&scaling, "type", &type, err));
	if (strcmp(type, "ntk") != 0)
		return dbert_config_refuse_scaling(root, err);
	if (json_object_get(scaling.value, "mixed_b") != NULL &&
		!json_is_null(json_object_get(scaling.value, "mixed_b")))
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"mixed_b\" is not supported",
						  scaling.where);
	DBERT_TRY(dbert_json_real(&scaling, "factor", 1, 1000, &factor, err));
	if (factor == 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"factor\"", scaling.where);
	config->rotary = DBERT_ROTARY_NTK;
	config->rotary_factor = (float) factor;
	return DBERT_OK;
}

static DbertStatus
read_config(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	config->no_bias = DBERT_BIAS_FFN_IN;
	config->rotary = DBERT_ROTARY_PLAIN;
	DBERT_TRY(dbert_config_switches(root, switches, err));
	DBERT_TRY(check_kinds(root, err));
	DBERT_TRY(read_scaling(root, config, err));
	return dbert_config_rotary_base(root, "rope_theta", NULL, 0, &config->rotary_base, err);
}

#define GTE_FAMILY(model_type_, architecture_, prefix_, other_prefix_) \
{ \
	.model_type = model_type_, \
	.architecture = architecture_, \
	.prefix = prefix_, \
	.other_prefix = other_prefix_, \
	.layers = "encoder.layer.", \
	.modules = { \
		[DBERT_MODULE_WORD] = {"embeddings.word_embeddings"}, \
		[DBERT_MODULE_TYPE] = {"embeddings.token_type_embeddings"}, \
		[DBERT_MODULE_EMBED_NORM] = {"embeddings.LayerNorm"}, \
		[DBERT_MODULE_QKV] = {"attention.qkv_proj"}, \
		[DBERT_MODULE_ATTN_OUT] = {"attention.o_proj"}, \
		[DBERT_MODULE_ATTN_NORM] = {"attn_ln"}, \
		[DBERT_MODULE_FFN_IN] = {"mlp.up_gate_proj"}, \
		[DBERT_MODULE_FFN_OUT] = {"mlp.down_proj"}, \
		[DBERT_MODULE_FFN_NORM] = {"mlp_ln"}, \
	}, \
	.heads = { \
		DBERT_POOLER_HEADS("pooler.dense"), \
		[DBERT_HEAD_MASK] = { \
			.dense = "lm_head.dense", \
			.act = DBERT_ACT_GELU, \
			.norm = "lm_head.norm", \
			.out = "lm_head.decoder" \
		}, \
	}, \
	.sizes = { \
		DBERT_PLAIN_SIZES(250048, 8192, 12, 12, 768, 3072), \
		{"type_vocab_size", NULL, 1, 0, DBERT_MAX_TYPES, DBERT_SIZE_OF(types)}, \
	}, \
	.act_key = "hidden_act", \
	.eps_key = "layer_norm_eps", \
	.gate = DBERT_GATE_LAST, \
	.read_config = read_config, \
	.not_trained = true, \
}

const DbertFamily dbert_family_gte = GTE_FAMILY("gte", "Gte", "gte.", "new.");
const DbertFamily dbert_family_gte_new = GTE_FAMILY("new", "New", "new.", "gte.");
