/*
 * test_modern.c -- config.json of families with rotary positions: both ways to
 * say a thing, contradictions, and what is refused by name.
 */
#include "model/configfile.h"
#include "model/family.h"
#include "test/support/testhelp.h"

/* A file with the needed keys, a place for more, and what they add. */
#define MODERNBERT "{\"model_type\":\"modernbert\",\"num_hidden_layers\":4%s}"
#define NOMIC \
	"{\"model_type\":\"nomic_bert\",\"n_embd\":768,\"activation_function\":\"swiglu\"," \
	"\"rotary_emb_fraction\":1.0,\"qkv_proj_bias\":false,\"mlp_fc1_bias\":false," \
	"\"mlp_fc2_bias\":false,\"rotary_emb_base\":1000%s}"
#define NOMIC_NATIVE "{\"model_type\":\"nomic_bert\"%s}"
#define GTE "{\"model_type\":\"new\",\"rope_theta\":160000%s}"
#define EUROBERT "{\"model_type\":\"eurobert\"%s}"

static DbertStatus
read_text(const char *form, const char *more, DbertConfig *config, DbertError *err)
{
	char		text[2048];
	DbertJsonTree tree;
	DbertJson	at = {.where = "config.json"};
	DbertStatus status;

	snprintf(text, sizeof(text), form, more);
	status = dbert_json_parse(text, strlen(text), "config.json", 0, &dbert_malloc_allocator, NULL,
							  &tree, err);
	at.value = tree.root;
	if (status == DBERT_OK)
		status = dbert_config_read(&at, config, err);
	dbert_json_free(&tree);
	return status;
}

static DbertConfig
accepted(const char *form, const char *more)
{
	DbertConfig config;
	DbertError	err = {0};
	DbertStatus status = read_text(form, more, &config, &err);

	CHECK_MSG(status == DBERT_OK, "%s: %s", more, err.msg);
	config.pooling = DBERT_POOL_MEAN;
	CHECK_MSG(status != DBERT_OK || dbert_config_valid(&config), "%s is not valid", more);
	return config;
}

static void
refused(const char *form, const char *more, DbertStatus want, const char *words)
{
	DbertConfig config;
	DbertError	err = {0};
	DbertStatus status = read_text(form, more, &config, &err);

	CHECK_MSG(status == want && strstr(err.msg, words) != NULL,
			  "%s: expected %d \"%s\", got %d \"%s\"", more, want, words, status, err.msg);
}

/* ---- ModernBERT ---- */

static void
test_modernbert(void)
{
	DbertConfig c = accepted(MODERNBERT, "");

	CHECK(c.hidden == 768 && c.ffn == 1152 && c.positions == 8192 && c.vocab == 50368);
	CHECK(c.rotary == DBERT_ROTARY_PLAIN && c.rotary_base == 160000);
	CHECK(c.rotary_local_base == 10000 && c.window == 64 && c.norm_eps == 1e-5f);
	CHECK(c.no_bias == (DBERT_BIAS_END - 1 - DBERT_BIAS_DECODER) && !c.head_mean);
	for (int layer = 0; layer < 4; layer++)
		CHECK(dbert_layer_is_local(&c, layer) == (layer % 3 != 0));

	/* what the Hub's files have beside, and what means nothing */
	c = accepted(MODERNBERT, ",\"norm_eps\":1e-6,\"layer_norm_eps\":1e-5,"
							 "\"position_embedding_type\":\"absolute\",\"sparse_prediction\":false,"
							 "\"local_attention\":33,\"classifier_pooling\":\"mean\"");
	CHECK(c.norm_eps == 1e-6f && c.window == 16 && c.head_mean);
	c = accepted(MODERNBERT, ",\"norm_bias\":true,\"attention_bias\":true,\"mlp_bias\":true,"
							 "\"classifier_bias\":true,\"decoder_bias\":false");
	CHECK(c.no_bias == DBERT_BIAS_DECODER);
}

static void
test_modernbert_dialects(void)
{
	const char *types = ",\"layer_types\":[\"full_attention\",\"sliding_attention\","
						"\"full_attention\",\"sliding_attention\"]";
	char		both[512];
	DbertConfig c = accepted(MODERNBERT, types);

	CHECK(!dbert_layer_is_local(&c, 2) && dbert_layer_is_local(&c, 3));
	snprintf(both, sizeof(both), "%s,\"global_attn_every_n_layers\":2", types);
	(void) accepted(MODERNBERT, both);
	snprintf(both, sizeof(both), "%s,\"global_attn_every_n_layers\":3", types);
	refused(MODERNBERT, both, DBERT_E_FORMAT, "\"global_attn_every_n_layers\" (3) differ for");
	refused(MODERNBERT, ",\"layer_types\":[\"full_attention\"]", DBERT_E_FORMAT,
			"1 types of 4 layers");
	refused(MODERNBERT, ",\"layer_types\":[\"full_attention\",\"chunked_attention\",3,4]",
			DBERT_E_UNSUPPORTED, "type \"chunked_attention\" of layer 1");
	refused(MODERNBERT, ",\"layer_types\":[3,3,3,3]", DBERT_E_UNSUPPORTED, "of layer 0");

	c = accepted(MODERNBERT, ",\"rope_parameters\":{\"full_attention\":{\"rope_theta\":7,"
							 "\"rope_type\":\"default\"},\"sliding_attention\":{}}");
	CHECK(c.rotary_base == 7 && c.rotary_local_base == 10000);
	c = accepted(MODERNBERT, ",\"global_rope_theta\":5,\"local_rope_theta\":6");
	CHECK(c.rotary_base == 5 && c.rotary_local_base == 6);
}

static void
test_modernbert_refused(void)
{
	refused(MODERNBERT, ",\"global_rope_theta\":5,"
						"\"rope_parameters\":{\"full_attention\":{\"rope_theta\":7}}",
			DBERT_E_FORMAT, "\"global_rope_theta\" is 5, but \"rope_theta\" of");
	refused(MODERNBERT, ",\"rope_parameters\":{\"sliding_attention\":{\"rope_type\":\"yarn\"}}",
			DBERT_E_UNSUPPORTED, "of type \"yarn\"");
	refused(MODERNBERT, ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}",
			DBERT_E_UNSUPPORTED, "of type \"linear\"");
	refused(MODERNBERT, ",\"rope_parameters\":{\"full_attention\":{\"partial_rotary_factor\":0.5}}",
			DBERT_E_UNSUPPORTED, "\"partial_rotary_factor\" of 0.5");
	refused(MODERNBERT, ",\"rope_parameters\":[]", DBERT_E_FORMAT, "\"rope_parameters\" must be");
	refused(MODERNBERT, ",\"global_rope_theta\":0.5", DBERT_E_FORMAT, "\"global_rope_theta\"");
	refused(MODERNBERT, ",\"classifier_pooling\":\"late\"", DBERT_E_UNSUPPORTED,
			"\"classifier_pooling\" of \"late\"");
	refused(MODERNBERT, ",\"classifier_activation\":\"relu\"", DBERT_E_UNSUPPORTED,
			"\"classifier_activation\" (\"relu\")");
	refused(MODERNBERT, ",\"local_attention\":1", DBERT_E_FORMAT, "\"local_attention\"");
	refused(MODERNBERT, ",\"num_attention_heads\":256", DBERT_E_FORMAT, "odd number of columns");
}

/* ---- NomicBERT ---- */

static void
test_nomic(void)
{
	DbertConfig c = accepted(NOMIC, ",\"n_layer\":3,\"n_inner\":3072,\"n_positions\":8192,"
									"\"vocab_size\":30522,\"pad_vocab_size_multiple\":64,"
									"\"layer_norm_epsilon\":1e-12,\"rotary_scaling_factor\":null");

	CHECK(c.layers == 3 && c.positions == 8192 && c.vocab == 30528 && c.act == DBERT_ACT_SILU);
	CHECK(c.rotary == DBERT_ROTARY_PLAIN && c.rotary_base == 1000 && c.norm_eps == 1e-12f);
	CHECK(c.no_bias == (DBERT_BIAS_ATTENTION | DBERT_BIAS_FFN_IN | DBERT_BIAS_FFN_OUT));
	c = accepted(NOMIC, ",\"rotary_scaling_factor\":2,\"max_trained_positions\":512");
	CHECK(c.rotary == DBERT_ROTARY_DYNAMIC && c.rotary_factor == 2 && c.rotary_trained == 512);
	CHECK(c.norm_eps == 1e-5f); /* GPT-2's */

	c = accepted(NOMIC_NATIVE, ",\"rope_parameters\":{\"rope_theta\":500}");
	CHECK(c.rotary_base == 500 && c.positions == 2048 && c.norm_eps == 1e-12f);
	CHECK(accepted(NOMIC_NATIVE, "").rotary_base == 1000);
}

static void
test_nomic_refused(void)
{
	static const char *const off[] = {
		"prenorm", "parallel_block", "use_rms_norm", "rotary_emb_interleaved", "causal",
		"scale_attn_by_inverse_layer_idx"
	};
	char		more[128],
				words[128];

	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
	{
		snprintf(more, sizeof(more), ",\"%s\":true", off[i]);
		snprintf(words, sizeof(words), "\"%s\" must be false", off[i]);
		refused(NOMIC, more, DBERT_E_UNSUPPORTED, words);
	}
	refused(NOMIC, ",\"scale_attn_weights\":false", DBERT_E_UNSUPPORTED,
			"\"scale_attn_weights\" must be true");
	refused(NOMIC, ",\"num_experts\":8", DBERT_E_UNSUPPORTED, "\"num_experts\" is not supported");
	refused(NOMIC, ",\"moe_every_n_layers\":2", DBERT_E_UNSUPPORTED, "\"moe_every_n_layers\"");
	refused(NOMIC, ",\"rotary_emb_scale_base\":512", DBERT_E_UNSUPPORTED,
			"\"rotary_emb_scale_base\"");
	refused(NOMIC, ",\"hidden_size\":512", DBERT_E_FORMAT,
			"\"hidden_size\" is 512, but \"n_embd\" is 768");
	refused("{\"model_type\":\"nomic_bert\",\"n_embd\":768,\"activation_function\":\"swiglu\"%s}",
			"", DBERT_E_UNSUPPORTED, "\"qkv_proj_bias\" must be false");
	refused("{\"model_type\":\"nomic_bert\",\"n_embd\":768%s}", "", DBERT_E_UNSUPPORTED,
			"activation \"gelu\" is not supported, only \"swiglu\" is");
	refused("{\"model_type\":\"nomic_bert\",\"n_embd\":768,\"activation_function\":\"swiglu\","
			"\"qkv_proj_bias\":false,\"mlp_fc1_bias\":false,\"mlp_fc2_bias\":false%s}",
			"", DBERT_E_UNSUPPORTED, "\"rotary_emb_fraction\" of 0 is not supported");
	refused(NOMIC_NATIVE, ",\"rope_theta\":10,\"rope_parameters\":{\"rope_theta\":500}",
			DBERT_E_FORMAT, "\"rope_theta\" is 10, but");
}

/* ---- GTE, EuroBERT ---- */

static void
test_gte(void)
{
	DbertConfig c = accepted(GTE, ",\"type_vocab_size\":0,\"rope_scaling\":{\"type\":\"ntk\","
								  "\"factor\":8.0},\"logn_attention_scale\":false");

	CHECK(c.rotary == DBERT_ROTARY_NTK && c.rotary_factor == 8 && c.types == 0);
	CHECK(c.no_bias == DBERT_BIAS_FFN_IN && c.norm_eps == 1e-12f && c.act == DBERT_ACT_GELU);
	refused("{\"model_type\":\"new\"%s}", "", DBERT_E_FORMAT, "no \"rope_theta\"");
	refused(GTE, ",\"logn_attention_scale\":true", DBERT_E_UNSUPPORTED,
			"\"logn_attention_scale\" must be false");
	refused(GTE, ",\"pack_qkv\":false", DBERT_E_UNSUPPORTED, "\"pack_qkv\" must be true");
	refused(GTE, ",\"position_embedding_type\":\"absolute\"", DBERT_E_UNSUPPORTED,
			"position embedding type \"absolute\"");
	refused(GTE, ",\"layer_norm_type\":\"rms_norm\"", DBERT_E_UNSUPPORTED, "of type \"rms_norm\"");
	refused(GTE, ",\"rope_scaling\":{\"type\":\"ntk\"}", DBERT_E_FORMAT, "no \"factor\"");
	refused(GTE, ",\"rope_scaling\":{\"type\":\"ntk\",\"factor\":2,\"mixed_b\":0.3}",
			DBERT_E_UNSUPPORTED, "\"mixed_b\"");
	refused(GTE, ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}", DBERT_E_UNSUPPORTED,
			"of type \"linear\"");
}

static void
test_eurobert(void)
{
	DbertConfig c = accepted(EUROBERT, ",\"num_key_value_heads\":4,\"head_dim\":64");

	CHECK(c.key_heads == 4 && c.rotary_base == 10000 && dbert_key_columns(&c) == 256);
	CHECK(dbert_key_heads(&c) == 4 && c.act == DBERT_ACT_SILU);
	refused(EUROBERT, ",\"num_key_value_heads\":5", DBERT_E_FORMAT, "5 heads of keys do not");
	refused(EUROBERT, ",\"num_key_value_heads\":24", DBERT_E_FORMAT, "24 heads of keys do not");
	refused(EUROBERT, ",\"head_dim\":32", DBERT_E_UNSUPPORTED, "\"head_dim\" of 32");
	refused(EUROBERT, ",\"mlp_bias\":true", DBERT_E_UNSUPPORTED, "\"mlp_bias\" must be false");
}

/* A config out of an image is within the limits that the files' are. */
static void
test_hostile_image(void)
{
	DbertConfig good = accepted(NOMIC, ",\"rotary_scaling_factor\":2"),
				bad;

#define REJECTS(change) \
	do { bad = good; bad.change; CHECK_MSG(!dbert_config_valid(&bad), "%s", #change); } while (0)
	REJECTS(rotary = 9);
	REJECTS(rotary = -1);
	REJECTS(rotary_base = 0);
	REJECTS(rotary_base = NAN);
	REJECTS(rotary_base = INFINITY);
	REJECTS(rotary_local_base = NAN);
	REJECTS(rotary_factor = 0);
	REJECTS(rotary_factor = NAN);
	REJECTS(rotary_trained = 0);
	REJECTS(key_heads = 5);
	REJECTS(key_heads = -1);
	REJECTS(key_heads = 24);
	REJECTS(window = -1);
	REJECTS(no_bias = DBERT_BIAS_END);
	REJECTS(head_mean = 2);
	REJECTS(heads = 256);
	REJECTS(heads = 384);
	good.rotary = DBERT_ROTARY_NONE;
	CHECK(!dbert_config_valid(&good));	/* it has no rows of positions, either */
}

int
main(void)
{
	RUN(test_modernbert);
	RUN(test_modernbert_dialects);
	RUN(test_modernbert_refused);
	RUN(test_nomic);
	RUN(test_nomic_refused);
	RUN(test_gte);
	RUN(test_eurobert);
	RUN(test_hostile_image);
	return tests_end();
}
