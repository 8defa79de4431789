/*
 * family_eurobert.c -- EuroBERT: Llama's layers, which see both sides: RMS
 * norms before the layers' halves, rotary positions, gated feed-forwards, keys
 * that heads may share.
 *
 * Its classifiers of texts mean logits of all tokens, and are refused by name.
 *
 * Source: Boizard et al. 2025 (arXiv:2503.05500); transformers'
 * modeling_eurobert.py, EuroBertConfig.
 */
#include "model/bertlayers.h"
#include "model/configrotary.h"
#include "model/configswitch.h"

static const DbertSwitch switches[] = {
	{"attention_bias", false, false},
	{"mlp_bias", false, false},
	{NULL, false, false}
};

static DbertStatus
read_keys(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	int64_t		width = config->hidden / config->heads,
				heads = config->heads;

	DBERT_TRY(dbert_json_int(root, "head_dim", 1, DBERT_MAX_HIDDEN, &width, err));
	if (width * config->heads != config->hidden)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: a \"head_dim\" of %d is not supported, %d heads of %d hidden "
						  "numbers have %d",
						  root->where, (int) width, config->heads, config->hidden,
						  config->hidden / config->heads);
	DBERT_TRY(dbert_json_int(root, "num_key_value_heads", 1, DBERT_MAX_HEADS, &heads, err));
	if (heads > config->heads || config->heads % heads != 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: %d heads of keys do not divide %d heads",
						  root->where, (int) heads, config->heads);
	config->key_heads = (int32_t) heads;
	return DBERT_OK;
}

static DbertStatus
read_config(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	double		eps = 1e-5;

	DBERT_TRY(dbert_json_real(root, "rms_norm_eps", 1e-30, 1, &eps, err));
	config->norm_eps = (float) eps;
	config->no_bias = DBERT_BIAS_NORM | DBERT_BIAS_ATTENTION | DBERT_BIAS_FFN_IN |
		DBERT_BIAS_FFN_OUT | DBERT_BIAS_DECODER;
	config->rotary = DBERT_ROTARY_PLAIN;
	DBERT_TRY(dbert_config_switches(root, switches, err));
	DBERT_TRY(read_keys(root, config, err));
	DBERT_TRY(dbert_config_refuse_scaling(root, err));
	return dbert_config_rotary_base(root, "rope_theta", NULL, 10000, &config->rotary_base, err);
}

const DbertFamily dbert_family_eurobert = {
	.model_type = "eurobert",
	.architecture = "EuroBert",
	.prefix = "model.",
	.layers = "layers.",
	.modules = {
		[DBERT_MODULE_WORD] = {"embed_tokens"},
		[DBERT_MODULE_QKV] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
		[DBERT_MODULE_ATTN_OUT] = {"self_attn.o_proj"},
		[DBERT_MODULE_ATTN_NORM] = {"input_layernorm"},
		[DBERT_MODULE_FFN_IN] = {"mlp.gate_proj", "mlp.up_proj"},
		[DBERT_MODULE_FFN_OUT] = {"mlp.down_proj"},
		[DBERT_MODULE_FFN_NORM] = {"post_attention_layernorm"},
		[DBERT_MODULE_FINAL_NORM] = {"norm"},
	},
	.heads = {
		[DBERT_HEAD_TOKEN] = {.out = "classifier"},
		[DBERT_HEAD_MASK] = {.out = "lm_head"},
	},
	.sizes = {
		DBERT_PLAIN_SIZES(128256, 8192, 12, 12, 768, 3072),
	},
	.act_key = "hidden_act",
	.act_preset = "silu",
	.norms_first = true,
	.rms_norms = true,
	.gate = DBERT_GATE_FIRST,
	.read_config = read_config,
	.not_trained = true,
};
