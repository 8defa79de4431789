/*
 * family_nomic.c -- NomicBERT: nomic-embed-text, and others trained with its
 * code.  BERT's layers with rotary positions and a gated feed-forward.
 *
 * Its config.json has two dialects: that of the authors' own code, whose class
 * descends from GPT-2's, and transformers'.  The tensors have the authors'
 * names in both.  Texts longer than those of its training may stretch the
 * angles by their length ("dynamic NTK").
 *
 * Source: Nussbaum et al. 2024 (arXiv:2402.01613); transformers'
 * modeling_nomic_bert.py, NomicBertConfig.
 */
#include "model/bertlayers.h"
#include "model/configrotary.h"
#include "model/configswitch.h"

#include <string.h>

static const DbertSwitch switches[] = {
	{"qkv_proj_bias", false, true},
	{"mlp_fc1_bias", false, true},
	{"mlp_fc2_bias", false, true},
	{"prenorm", false, false},
	{"parallel_block", false, false},
	{"use_rms_norm", false, false},
	{"rotary_emb_interleaved", false, false},
	{"causal", false, false},
	{"scale_attn_weights", true, true},
	{"scale_attn_by_inverse_layer_idx", false, false},
	{NULL, false, false}
};

/* Numbers that stand for what there is no code for, unless they are 0. */
static DbertStatus
refuse_numbers(const DbertJson *root, DbertError *err)
{
	static const char *const keys[] = {
		"num_experts", "moe_every_n_layers", "rotary_emb_scale_base"
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
	{
		double		value = 0;

		DBERT_TRY(dbert_json_real(root, keys[i], -1e9, 1e9, &value, err));
		if (value != 0)
			return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"%s\" is not supported", root->where,
							  keys[i]);
	}
	return DBERT_OK;
}

static DbertStatus
read_scaling(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	double		factor = 0;
	int64_t		trained = 2048;

	DBERT_TRY(dbert_json_real(root, "rotary_scaling_factor", 1, 1000, &factor, err));
	DBERT_TRY(dbert_json_int(root, "max_trained_positions", 1, DBERT_MAX_POSITIONS, &trained, err));
	if (factor == 0)
		return DBERT_OK;
	if (config->hidden / config->heads <= 2)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: \"rotary_scaling_factor\" is not supported for heads of %d columns",
						  root->where, config->hidden / config->heads);
	config->rotary = DBERT_ROTARY_DYNAMIC;
	config->rotary_factor = (float) factor;
	config->rotary_trained = (int32_t) trained;
	return DBERT_OK;
}

/* Its table of words has a multiple of so many rows. */
static DbertStatus
pad_vocab(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	int64_t		multiple = 1;

	DBERT_TRY(dbert_json_int(root, "pad_vocab_size_multiple", 1, 65536, &multiple, err));
	config->vocab = (int32_t) ((config->vocab + multiple - 1) / multiple * multiple);
	if (config->vocab > DBERT_MAX_VOCAB)
		return dbert_fail(err, DBERT_E_LIMIT, "%s: a vocabulary of %d tokens is too large",
						  root->where, config->vocab);
	return DBERT_OK;
}

static DbertStatus
read_authors(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	const char *act = "gelu";
	double		eps = 1e-5,
				share = 0;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(root, "activation_function", &act, err));
	if (strcmp(act, "swiglu") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: activation \"%s\" is not supported, only \"swiglu\" is", root->where,
						  dbert_clip(act, clip));
	DBERT_TRY(dbert_config_switches(root, switches, err));
	DBERT_TRY(refuse_numbers(root, err));
	DBERT_TRY(dbert_json_real(root, "rotary_emb_fraction", 0, 1, &share, err));
	if (share != 1)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: a \"rotary_emb_fraction\" of %g is not supported, only 1 is",
						  root->where, share);
	DBERT_TRY(dbert_json_real(root, "layer_norm_epsilon", 1e-30, 1, &eps, err));
	config->norm_eps = (float) eps;
	DBERT_TRY(pad_vocab(root, config, err));
	DBERT_TRY(read_scaling(root, config, err));
	return dbert_config_rotary_base(root, "rotary_emb_base", NULL, 10000, &config->rotary_base,
									err);
}

static DbertStatus
read_transformers(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	DBERT_TRY(dbert_config_refuse_scaling(root, err));
	return dbert_config_rotary_base(root, "rope_theta", NULL, 1000, &config->rotary_base, err);
}

static DbertStatus
read_config(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	config->no_bias = DBERT_BIAS_ATTENTION | DBERT_BIAS_FFN_IN | DBERT_BIAS_FFN_OUT;
	config->rotary = DBERT_ROTARY_PLAIN;
	if (json_object_get(root->value, "n_embd") == NULL)
		return read_transformers(root, config, err);
	return read_authors(root, config, err);
}

const DbertFamily dbert_family_nomic = {
	.model_type = "nomic_bert",
	.architecture = "NomicBert",
	.prefix = "nomic_bert.",
	.other_prefix = "bert.",
	.layers = "encoder.layers.",
	.modules = {
		[DBERT_MODULE_WORD] = {"embeddings.word_embeddings"},
		[DBERT_MODULE_TYPE] = {"embeddings.token_type_embeddings"},
		[DBERT_MODULE_EMBED_NORM] = {"emb_ln"},
		[DBERT_MODULE_QKV] = {"attn.Wqkv"},
		[DBERT_MODULE_ATTN_OUT] = {"attn.out_proj"},
		[DBERT_MODULE_ATTN_NORM] = {"norm1"},
		[DBERT_MODULE_FFN_IN] = {"mlp.fc12", "mlp.fc11"},
		[DBERT_MODULE_FFN_OUT] = {"mlp.fc2"},
		[DBERT_MODULE_FFN_NORM] = {"norm2"},
	},
	.heads = {
		DBERT_POOLER_HEADS("pooler.dense"),
		[DBERT_HEAD_MASK] = {
			.dense = "cls.predictions.transform.dense",
			.act = DBERT_ACT_OF_MODEL,
			.norm = "cls.predictions.transform.layer_norm",
			.out = "cls.predictions.decoder",
			.bias = "cls.predictions",
			.other_suffix = "ForPreTraining"
		},
	},
	.sizes = {
		{"vocab_size", NULL, 30528, 1, DBERT_MAX_VOCAB, DBERT_SIZE_OF(vocab)},
		{"max_position_embeddings", "n_positions", 2048, DBERT_MIN_TOKENS, DBERT_MAX_POSITIONS,
			DBERT_SIZE_OF(positions)},
		{"num_hidden_layers", "n_layer", 12, 1, DBERT_MAX_LAYERS, DBERT_SIZE_OF(layers)},
		{"num_attention_heads", "n_head", 12, 1, DBERT_MAX_HEADS, DBERT_SIZE_OF(heads)},
		{"hidden_size", "n_embd", 768, 1, DBERT_MAX_HIDDEN, DBERT_SIZE_OF(hidden)},
		{"intermediate_size", "n_inner", 3072, 1, DBERT_MAX_FFN, DBERT_SIZE_OF(ffn)},
		DBERT_BERT_TYPES,
	},
	.act_key = "hidden_act",
	.act_preset = "silu",
	.eps_key = "layer_norm_eps",
	.types_for_pairs = true,
	.gate = DBERT_GATE_FIRST,
	.read_config = read_config,
	.not_trained = true,
};
