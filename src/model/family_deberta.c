/*
 * family_deberta.c -- DeBERTa's second and third version: BERT's layers whose
 * queries and keys meet vectors for distances, too.
 *
 * The vectors are one table's rows, for all layers, projected as the layer's
 * words are or by layers of its own; far distances may share rows.  Most models
 * have no rows for positions and none for token types.  The largest have a
 * convolution beside the first layer.  Heads for masked words come under two
 * names.
 *
 * Source: He et al. 2020 (arXiv:2006.03654), He et al. 2021 (arXiv:2111.09543);
 * transformers' modeling_deberta_v2.py, DebertaV2Config.
 */
#include "model/bertlayers.h"
#include "model/json.h"

#include <stdio.h>
#include <string.h>

#define WORD DBERT_CLIP			/* room for a word, of a longer one for its beginning */

/* The next of the words that bars separate, without spaces; NULL: no more. */
static const char *
next_word(const char **at, char word[WORD])
{
	size_t		n;

	*at += strspn(*at, " |");
	n = strcspn(*at, " |");
	if (n == 0)
		return NULL;
	snprintf(word, WORD, "%.*s", (int) (n < WORD ? n : WORD - 1), *at);
	*at += n;
	return word;
}

static DbertStatus
read_kind(const char *where, const char *kind, DbertDistances *d, DbertError *err)
{
	char		clip[DBERT_CLIP];

	if (strcmp(kind, "c2p") == 0)
		d->queries = 1;
	else if (strcmp(kind, "p2c") == 0)
		d->keys = 1;
	else
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: \"pos_att_type\" of \"%s\" is not supported, only \"c2p\" and "
						  "\"p2c\" are",
						  where, dbert_clip(kind, clip));
	return DBERT_OK;
}

/* A list of words, or one string of them. */
static DbertStatus
read_kinds(const DbertJson *root, DbertDistances *d, DbertError *err)
{
	const char *words = "";
	char		word[WORD];
	DbertJson	list;

	if (json_is_string(json_object_get(root->value, "pos_att_type")))
	{
		DBERT_TRY(dbert_json_string(root, "pos_att_type", &words, err));
		while (next_word(&words, word) != NULL)
			DBERT_TRY(read_kind(root->where, word, d, err));
		return DBERT_OK;
	}
	DBERT_TRY(dbert_json_child(root, "pos_att_type", JSON_ARRAY, &list, err));
	for (size_t i = 0; list.value != NULL && i < json_array_size(list.value); i++)
	{
		const json_t *item = json_array_get(list.value, i);

		DBERT_TRY(read_kind(root->where, json_is_string(item) ? json_string_value(item) : "", d,
							err));
	}
	return DBERT_OK;
}

static DbertStatus
read_norm(const DbertJson *root, DbertDistances *d, DbertError *err)
{
	const char *words = "";
	char		word[WORD];

	DBERT_TRY(dbert_json_string(root, "norm_rel_ebd", &words, err));
	while (next_word(&words, word) != NULL)
		d->normed |= strcmp(word, "layer_norm") == 0;
	return DBERT_OK;
}

/* How many rows the table has, and which distances share them. */
static DbertStatus
read_rows(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	DbertDistances *d = &config->distances;
	int64_t		most = -1,
				buckets = -1;

	DBERT_TRY(dbert_json_int(root, "max_relative_positions", -1, DBERT_MAX_DISTANCES, &most, err));
	DBERT_TRY(dbert_json_int(root, "position_buckets", -1, DBERT_MAX_DISTANCES, &buckets, err));
	DBERT_TRY(read_norm(root, d, err));
	d->most = (int32_t) (most < 1 ? config->positions : most);
	d->buckets = (int32_t) (buckets < 1 ? 0 : buckets);
	d->span = d->buckets > 0 ? d->buckets : d->most;
	if (config->positions > DBERT_MAX_RELATIVE)
		return dbert_fail(err, DBERT_E_LIMIT,
						  "%s: \"max_position_embeddings\" of %d is too large for relative "
						  "attention, %d are the most",
						  root->where, config->positions, DBERT_MAX_RELATIVE);
	if (d->buckets > 0 && (d->buckets < 2 || d->most - 1 <= d->buckets / 2))
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: \"position_buckets\" of %d do not fit distances below %d",
						  root->where, d->buckets, d->most);
	return DBERT_OK;
}

static DbertStatus
read_distances(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	DbertDistances *d = &config->distances;
	bool		relative = false,
				shares = false;

	DBERT_TRY(dbert_json_bool(root, "relative_attention", &relative, err));
	DBERT_TRY(dbert_json_bool(root, "share_att_key", &shares, err));
	DBERT_TRY(read_kinds(root, d, err));
	/* transformers counts the terms even where it does not add them */
	config->extra_terms = d->queries + d->keys;
	if (!relative)
		d->queries = d->keys = 0;
	if (d->queries == 0 && d->keys == 0)
		return DBERT_OK;
	d->own_layers = !shares;
	return read_rows(root, config, err);
}

/* *act: what this key names; it is left as it is where the key is absent. */
static DbertStatus
read_act(const DbertJson *root, const char *key, int32_t *act, DbertError *err)
{
	const char *name = NULL;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(root, key, &name, err));
	if (name == NULL)
		return DBERT_OK;
	if (strcmp(name, "gelu") == 0)
		*act = DBERT_ACT_GELU;
	else if (strcmp(name, "tanh") == 0)
		*act = DBERT_ACT_TANH;
	else if (strcmp(name, "relu") == 0)
		*act = DBERT_ACT_RELU;
	else
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"%s\" of \"%s\" is not supported",
						  root->where, key, dbert_clip(name, clip));
	return DBERT_OK;
}

static DbertStatus
read_conv(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	int64_t		width = 0,
				groups = 1;

	DBERT_TRY(dbert_json_int(root, "conv_kernel_size", 0, DBERT_MAX_CONV, &width, err));
	DBERT_TRY(dbert_json_int(root, "conv_groups", 1, DBERT_MAX_HIDDEN, &groups, err));
	if (width > 0 && (width % 2 == 0 || groups != 1))
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: a convolution over %d tokens in %d groups is not supported, only "
						  "odd numbers of tokens and one group are",
						  root->where, (int) width, (int) groups);
	if (width == 0)
		return DBERT_OK;
	config->conv = (int32_t) width;
	config->conv_act = DBERT_ACT_TANH;
	return read_act(root, "conv_act", &config->conv_act, err);
}

static DbertStatus
read_config(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	bool		has_positions = true,
				legacy = true;
	int64_t		columns = config->hidden / config->heads;
	double		eps = 1e-7;

	DBERT_TRY(dbert_json_real(root, "layer_norm_eps", 1e-30, 1, &eps, err));
	config->norm_eps = (float) eps;
	DBERT_TRY(dbert_json_int(root, "attention_head_size", 1, DBERT_MAX_HIDDEN, &columns, err));
	if (columns * config->heads != config->hidden)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: \"attention_head_size\" of %d is not supported, %d heads of %d "
						  "hidden numbers have %d",
						  root->where, (int) columns, config->heads, config->hidden,
						  config->hidden / config->heads);
	DBERT_TRY(dbert_json_bool(root, "position_biased_input", &has_positions, err));
	config->no_positions = !has_positions;
	DBERT_TRY(dbert_json_bool(root, "legacy", &legacy, err));
	config->other_mask_head = !legacy;
	config->head_act = DBERT_ACT_GELU;
	DBERT_TRY(read_act(root, "pooler_hidden_act", &config->head_act, err));
	DBERT_TRY(read_conv(root, config, err));
	return read_distances(root, config, err);
}

const DbertFamily dbert_family_deberta = {
	.model_type = "deberta-v2",
	.architecture = "DebertaV2",
	.prefix = "deberta.",
	.layers = "encoder.layer.",
	.modules = {
		[DBERT_MODULE_WORD] = {"embeddings.word_embeddings"},
		[DBERT_MODULE_POSITION] = {"embeddings.position_embeddings"},
		[DBERT_MODULE_TYPE] = {"embeddings.token_type_embeddings"},
		[DBERT_MODULE_EMBED_NORM] = {"embeddings.LayerNorm"},
		[DBERT_MODULE_EMBED_PROJECT] = {"embeddings.embed_proj"},
		[DBERT_MODULE_DISTANCES] = {"encoder.rel_embeddings"},
		[DBERT_MODULE_DISTANCES_NORM] = {"encoder.LayerNorm"},
		[DBERT_MODULE_CONV] = {"encoder.conv.conv"},
		[DBERT_MODULE_CONV_NORM] = {"encoder.conv.LayerNorm"},
		[DBERT_MODULE_QKV] = {"attention.self.query_proj", "attention.self.key_proj",
			"attention.self.value_proj"},
		[DBERT_MODULE_ATTN_OUT] = {"attention.output.dense"},
		[DBERT_MODULE_ATTN_NORM] = {"attention.output.LayerNorm"},
		[DBERT_MODULE_FFN_IN] = {"intermediate.dense"},
		[DBERT_MODULE_FFN_OUT] = {"output.dense"},
		[DBERT_MODULE_FFN_NORM] = {"output.LayerNorm"},
		[DBERT_MODULE_QUERY_ROWS] = {"attention.self.pos_key_proj"},
		[DBERT_MODULE_KEY_ROWS] = {"attention.self.pos_query_proj"},
	},
	.heads = {
		[DBERT_HEAD_SEQUENCE] = {
			.dense = "pooler.dense",
			.act = DBERT_ACT_OF_HEAD,
			.out = "classifier"
		},
		[DBERT_HEAD_TOKEN] = {.out = "classifier"},
		[DBERT_HEAD_SPAN] = {.out = "qa_outputs"},
		[DBERT_HEAD_MASK] = {
			.dense = "cls.predictions.transform.dense",
			.act = DBERT_ACT_OF_MODEL,
			.norm = "cls.predictions.transform.LayerNorm",
			.out = "cls.predictions.decoder",
			.bias = "cls.predictions",
			.embed_width = true
		},
	},
	.other_mask_head = {
		.dense = "lm_predictions.lm_head.dense",
		.act = DBERT_ACT_OF_MODEL,
		.norm = "lm_predictions.lm_head.LayerNorm",
		.out = "lm_predictions.lm_head.decoder",
		.bias = "lm_predictions.lm_head",
		.embed_width = true
	},
	.sizes = {
		DBERT_BERT_SIZES(128100, 24, 24, 1536, 6144),
		{"type_vocab_size", NULL, 0, 0, DBERT_MAX_TYPES, DBERT_SIZE_OF(types)},
		{"embedding_size", NULL, 0, 0, DBERT_MAX_HIDDEN, DBERT_SIZE_OF(embed_width)},
	},
	.act_key = "hidden_act",
	.types_for_pairs = true,
	.projects_first = true,
	.read_config = read_config,
	.not_trained = true,
};
