/*
 * configfile.c -- config.json to DbertConfig: sizes, activation, limits.
 *
 * What the sizes are called and which defaults they have stands in the family's
 * table.  What would change the numbers and has no code here is refused, never
 * ignored.
 */
#include "model/configfile.h"

#include "model/generating.h"

#include <stdio.h>
#include <string.h>

static DbertStatus
read_size(const DbertJson *root, const DbertSizeKey *size, DbertConfig *config, DbertError *err)
{
	int64_t		value = -1,
				other = -1;

	DBERT_TRY(dbert_json_int(root, size->key, size->min, size->max, &value, err));
	if (size->alias != NULL)
		DBERT_TRY(dbert_json_int(root, size->alias, size->min, size->max, &other, err));
	if (value >= 0 && other >= 0 && value != other)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"%s\" is %d, but \"%s\" is %d", root->where,
						  size->key, (int) value, size->alias, (int) other);
	if (value < 0)
		value = other >= 0 ? other : size->preset;
	*(int32_t *) ((char *) config + size->field) = (int32_t) value;
	return DBERT_OK;
}

/*
 * Families that people may come with, and that there is no code for: to be told
 * from a name that is none.
 */
static const char *const known_families[] = {
	"big_bird", "convbert", "deberta", "ernie", "esm", "flaubert", "fnet", "funnel", "gemma2",
	"gemma3_text", "gpt2", "ibert", "jina_bert", "jina_embeddings_v3", "layoutlm", "layoutlmv2",
	"layoutlmv3", "lilt", "llama", "longformer", "luke", "megatron-bert", "mistral", "mobilebert",
	"mra", "nezha", "nystromformer", "qdqbert", "qwen2", "qwen3", "reformer", "rembert",
	"roberta-prelayernorm", "roc_bert", "roformer", "splinter", "squeezebert", "tapas", "xlm",
	"xlm-roberta-xl", "xlnet", "xmod", "yoso", NULL
};

/* Those of them that have an encoder and a decoder, as "marian" has. */
static const char *const known_translators[] = {
	"bart", "bigbird_pegasus", "encoder-decoder", "fsmt", "longt5", "m2m_100", "mbart", "mt5",
	"nllb-moe", "pegasus", "pegasus_x", "plbart", "prophetnet", "seamless_m4t", "t5", "umt5", NULL
};

static bool
is_among(const char *const *list, const char *type)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, type) == 0)
			return true;
	return false;
}

/* '"distilbert" and "bert"' */
static void
list_families(char *out, size_t size)
{
	size_t		n = 0;

	for (int id = 0; id < DBERT_FAMILY_END && n < size; id++)
		n += (size_t) snprintf(out + n, size - n, "%s\"%s\"",
							   id == 0 ? "" : id == DBERT_FAMILY_END - 1 ? " and " : ", ",
							   dbert_family(id)->model_type);
}

static DbertStatus
read_family(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	const char *type = NULL;
	char		clip[DBERT_CLIP],
				known[DBERT_FAMILY_END * 32];

	DBERT_TRY(dbert_json_string(root, "model_type", &type, err));
	if (type == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"model_type\"", root->where);
	config->family = dbert_family_find(type);
	if (config->family >= 0)
		return DBERT_OK;
	if (is_among(known_translators, type))
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: model type \"%s\" is known, but not supported; of models with an "
						  "encoder and a decoder only \"marian\" is", root->where, type);
	list_families(known, sizeof(known));
	return dbert_fail(err, DBERT_E_UNSUPPORTED,
					  "%s: model type \"%s\" is %s, only %s are", root->where,
					  dbert_clip(type, clip),
					  is_among(known_families, type) ? "known, but not supported" : "not supported",
					  known);
}

static DbertStatus
read_activation(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	static const struct
	{
		const char *name;
		DbertAct	act;
	}			acts[] = {
		{"gelu", DBERT_ACT_GELU},
		{"gelu_python", DBERT_ACT_GELU},
		{"gelu_new", DBERT_ACT_GELU_TANH},
		{"gelu_pytorch_tanh", DBERT_ACT_GELU_TANH},
		{"gelu_fast", DBERT_ACT_GELU_TANH},
		{"gelu_accurate", DBERT_ACT_GELU_TANH},
		{"relu", DBERT_ACT_RELU},
		{"silu", DBERT_ACT_SILU},
		{"swish", DBERT_ACT_SILU},
	};
	const DbertFamily *family = dbert_family_of(config);
	const char *name = family->act_preset != NULL ? family->act_preset : acts[0].name;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(root, family->act_key, &name, err));
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
	{
		config->act = acts[i].act;
		if (strcmp(acts[i].name, name) == 0)
			return DBERT_OK;
	}
	return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: activation \"%s\" is not supported",
					  root->where, dbert_clip(name, clip));
}

/* What transformers would compute differently for. */
static DbertStatus
refuse_variants(const DbertJson *root, const DbertConfig *config, DbertError *err)
{
	static const char *const flags[] = {"is_decoder", "add_cross_attention", "is_encoder_decoder"};
	const char *embedding = "absolute";
	char		clip[DBERT_CLIP];
	DbertJson	object;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
	{
		bool		set = false;

		DBERT_TRY(dbert_json_bool(root, flags[i], &set, err));
		if (set && !(i == 2 && dbert_family_of(config)->decoder != NULL))
			return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"%s\" is not supported",
							  root->where, flags[i]);
	}
	if (config->rotary == DBERT_ROTARY_NONE)
		DBERT_TRY(dbert_json_string(root, "position_embedding_type", &embedding, err));
	if (strcmp(embedding, "absolute") != 0)
		return dbert_fail(
			err, DBERT_E_UNSUPPORTED,
			"%s: position embedding type \"%s\" is not supported, only \"absolute\" is",
			root->where, dbert_clip(embedding, clip));
	DBERT_TRY(dbert_json_child(root, "quantization_config", JSON_OBJECT, &object, err));
	if (object.value != NULL)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: quantized checkpoints are not supported",
						  root->where);
	DBERT_TRY(dbert_json_child(root, "pruned_heads", JSON_OBJECT, &object, err));
	if (object.value != NULL && json_object_size(object.value) > 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: pruned heads are not supported",
						  root->where);
	return DBERT_OK;
}

/* Where positions begin, and how many tokens that leaves. */
static DbertStatus
read_positions(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	const DbertFamily *family = dbert_family_of(config);
	int64_t		pad = family->pad_preset;

	if (family->pad_key != NULL)
		DBERT_TRY(dbert_json_int(root, family->pad_key, 0, config->vocab - 1, &pad, err));
	if (family->pad_key != NULL || pad > 0)
		config->first_position = (int32_t) pad + 1;
	config->max_tokens = config->positions - config->first_position;
	if (config->max_tokens < DBERT_MIN_TOKENS)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: %d positions, the first %d of which are not used, are too few",
						  root->where, config->positions, config->first_position);
	return DBERT_OK;
}

/* Layers that share weights: config's are those that run. */
static DbertStatus
count_layers(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	if (config->groups == 0)
		return DBERT_OK;
	if ((int64_t) config->layers * config->inner_layers > DBERT_MAX_LAYERS ||
		config->groups > config->layers)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: %d layers of %d inner ones in %d groups: at most %d in all, "
						  "and no more groups than layers, are allowed",
						  root->where, config->layers, config->inner_layers, config->groups,
						  DBERT_MAX_LAYERS);
	config->layers *= config->inner_layers;
	return DBERT_OK;
}

static DbertStatus
read_sizes(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	for (const DbertSizeKey *size = dbert_family_of(config)->sizes; size->key != NULL; size++)
		DBERT_TRY(read_size(root, size, config, err));
	if (config->embed_width == 0)
		config->embed_width = config->hidden;
	if (config->hidden % config->heads != 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: %d heads do not divide the hidden size %d",
						  root->where, config->heads, config->hidden);
	DBERT_TRY(count_layers(root, config, err));
	return read_positions(root, config, err);
}

DbertStatus
dbert_config_read(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	const DbertFamily *family;
	bool		tied = true;
	double		eps = 1e-12;

	memset(config, 0, sizeof(*config));
	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	DBERT_TRY(read_family(root, config, err));
	family = dbert_family_of(config);
	DBERT_TRY(read_sizes(root, config, err));
	DBERT_TRY(read_activation(root, config, err));
	if (family->eps_key != NULL)
		DBERT_TRY(dbert_json_real(root, family->eps_key, 1e-30, 1, &eps, err));
	config->norm_eps = (float) eps;
	DBERT_TRY(dbert_json_bool(root, "tie_word_embeddings", &tied, err));
	config->tie_words = tied;
	config->pair_types = family->types_for_pairs && config->types > 0;
	if (family->read_config != NULL)
		DBERT_TRY(family->read_config(root, config, err));
	if (config->rotary != DBERT_ROTARY_NONE && config->hidden / config->heads % 2 != 0)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: %d heads of %d hidden numbers have an odd number of columns each, "
						  "which cannot rotate in pairs",
						  root->where, config->heads, config->hidden);
	DBERT_TRY(refuse_variants(root, config, err));
	config->pooling = DBERT_POOL_MEAN;
	config->embedding = config->dimensions = config->hidden;
	return DBERT_OK;
}

static bool
types_below(const DbertTemplate *t, int texts, int32_t end)
{
	for (int i = 0; i < dbert_template_size(t); i++)
		if (t->types[i] >= end)
			return false;
	for (int i = 0; i < texts; i++)
		if (t->text_types[i] >= end)
			return false;
	return true;
}

bool
dbert_config_has_types(const DbertConfig *config, const DbertTokenizer *t)
{
	return !config->pair_types ||
		   (types_below(t->single, 1, config->types) &&
			(!dbert_config_takes_pairs(config) || types_below(t->pair, 2, config->types)));
}

static bool
within(int32_t value, int32_t min, int32_t max)
{
	return value >= min && value <= max;
}

static bool
valid_first_position(const DbertConfig *c)
{
	const DbertFamily *family = dbert_family_of(c);

	if (family->pad_key != NULL)
		return within(c->first_position, 1, c->vocab);
	return c->first_position == (family->pad_preset > 0 ? family->pad_preset + 1 : 0);
}

/* Sizes within the family's limits; of what it does not have there is none. */
static bool
valid_sizes(const DbertConfig *c)
{
	const DbertFamily *family = dbert_family_of(c);

	for (const DbertSizeKey *size = family->sizes; size->key != NULL; size++)
		if (!within(*(const int32_t *) ((const char *) c + size->field), size->min, size->max))
			return false;
	return c->hidden % c->heads == 0 &&
		   (c->types == 0 || family->modules[DBERT_MODULE_TYPE][0] != NULL) &&
		   (c->embed_width == c->hidden || dbert_config_projects(c)) &&
		   valid_first_position(c) &&
		   within(c->pair_types, 0, family->types_for_pairs && c->types > 0);
}

/* Layers in groups: of as many inner ones, and no more than there are. */
static bool
valid_groups(const DbertConfig *c)
{
	if (c->groups == 0)
		return dbert_family_of(c)->inner == NULL && c->inner_layers == 0;
	return dbert_family_of(c)->inner != NULL && c->inner_layers > 0 &&
		   c->layers % c->inner_layers == 0 && c->groups <= c->layers / c->inner_layers;
}

static bool
valid_step(const DbertPooledStep *step, int32_t width)
{
	return within(step->kind, DBERT_POOLED_STEP_DENSE, DBERT_POOLED_STEP_NORM) &&
		within(step->width, 1, DBERT_MAX_HIDDEN) &&
		(step->kind != DBERT_POOLED_STEP_NORM ||
		 (step->width == width && step->residual == DBERT_RESIDUAL_NONE)) &&
		within(step->residual, DBERT_RESIDUAL_NONE, DBERT_RESIDUAL_PROJECTED) &&
		(step->residual != DBERT_RESIDUAL_SAME || step->width == width) &&
		within(step->bias, 0, 1) &&
		within(step->act, DBERT_ACT_NONE, DBERT_ACT_TANH);
}

/* What stands behind the pooling, and how wide that makes an embedding. */
static bool
valid_steps(const DbertConfig *c)
{
	int32_t		width = c->hidden;

	if (!within(c->n_steps, 0, DBERT_MAX_POOLED_STEPS) || !within(c->pooled_head, 0, 1))
		return false;
	for (int i = 0; i < c->n_steps; i++)
	{
		if (!valid_step(&c->steps[i], width))
			return false;
		width = c->steps[i].width;
	}
	if (c->pooled_head)
		return c->n_steps > 0 && c->head == DBERT_HEAD_SEQUENCE && c->n_labels == width &&
			   c->embedding == c->hidden;
	return c->embedding == width;
}

/* Numbers of a rotation: finite, and as far from 0 as the files' must be. */
static bool
valid_rotary(const DbertConfig *c)
{
	if (c->rotary == DBERT_ROTARY_NONE)
		return dbert_family_of(c)->lookup ||
			   dbert_family_of(c)->modules[DBERT_MODULE_POSITION][0] != NULL;
	return within(c->rotary, DBERT_ROTARY_PLAIN, DBERT_ROTARY_DYNAMIC) &&
		   c->hidden / c->heads % 2 == 0 && c->rotary_base >= 1 && c->rotary_base <= 1e12f &&
		   (c->rotary_local_base == 0 ||
			(c->rotary_local_base >= 1 && c->rotary_local_base <= 1e12f)) &&
		   (c->rotary == DBERT_ROTARY_PLAIN ||
			(c->rotary_factor >= 1 && c->rotary_factor <= 1000)) &&
		   (c->rotary != DBERT_ROTARY_DYNAMIC ||
			(c->hidden / c->heads > 2 && within(c->rotary_trained, 1, DBERT_MAX_POSITIONS)));
}

/* Vectors for distances, and the convolution, as their family reads them. */
static bool
valid_distances(const DbertConfig *c)
{
	const DbertDistances *d = &c->distances;
	bool		any = d->queries || d->keys;

	if (dbert_family_of(c)->modules[DBERT_MODULE_DISTANCES][0] == NULL)
		return !any && d->span == 0 && c->conv == 0 && c->extra_terms == 0;
	return within(d->queries, 0, 1) && within(d->keys, 0, 1) && within(c->extra_terms, 0, 2) &&
		within(d->span, any, any ? DBERT_MAX_DISTANCES : 0) && within(d->buckets, 0, d->span) &&
		within(d->most, 0, DBERT_MAX_DISTANCES) && within(d->own_layers, 0, 1) &&
		within(d->normed, 0, any) && (!any || c->positions <= DBERT_MAX_RELATIVE) &&
		within(c->conv, 0, DBERT_MAX_CONV) && c->conv % 2 == (c->conv > 0) &&
		within(c->conv_act, DBERT_ACT_NONE, DBERT_ACT_SILU);
}

static bool
valid_layers(const DbertConfig *c)
{
	return within(c->key_heads, 0, c->heads) &&
		   (c->key_heads == 0 || c->heads % c->key_heads == 0) &&
		   within(c->no_bias, 0, DBERT_BIAS_END - 1) && within(c->head_mean, 0, 1) &&
		   within(c->window, 0, DBERT_MAX_POSITIONS) && within(c->no_positions, 0, 1) &&
		   within(c->head_act, DBERT_ACT_NONE, DBERT_ACT_SILU) &&
		   within(c->other_mask_head, 0, dbert_family_of(c)->other_mask_head.out != NULL) &&
		   valid_rotary(c) && valid_distances(c);
}

bool
dbert_config_valid(const DbertConfig *c)
{
	return within(c->family, 0, DBERT_FAMILY_END - 1) &&
		within(c->head, 0, DBERT_HEADS - 1) &&
		dbert_family_has_head(dbert_family_of(c), c->head) &&
		within(c->act, DBERT_ACT_NONE, DBERT_ACT_SILU) &&
		within(c->problem, DBERT_PROBLEM_SINGLE, DBERT_PROBLEM_REGRESSION) &&
		valid_sizes(c) && valid_groups(c) && valid_layers(c) &&
		within(c->tie_words, 0, 1) &&
		within(c->n_labels, 0, DBERT_MAX_LABELS) &&
		(c->n_labels > 0) == dbert_head_names_columns(c->head) &&
		within(c->max_tokens, DBERT_MIN_TOKENS, c->positions - c->first_position) &&
		within(c->pooling, DBERT_POOL_MEAN, DBERT_POOL_LAST) &&
		valid_steps(c) && within(c->scale_words, 0, 1) && dbert_generation_valid(c) &&
		within(c->dimensions, 1, c->embedding) &&
		within(c->skip_prompt, 0, 1) &&
		within(c->normalize, 0, 1) &&
		within(c->precision, DBERT_PRECISION_FP32, DBERT_PRECISIONS - 1) &&
		within(c->raw_scores, 0, 1) &&
		within(c->skip_unknown, 0, 1) && c->max_chars >= 0 &&
		c->norm_eps > 0 && c->norm_eps <= 1 &&
		memchr(c->architecture, '\0', sizeof(c->architecture)) != NULL;
}
