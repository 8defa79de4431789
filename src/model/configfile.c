/*
 * configfile.c -- config.json to DbertConfig: sizes, activation, limits.
 *
 * What the sizes are called and which defaults they have stands in the family's
 * table.  What would change the numbers and has no code here is refused, never
 * ignored.
 */
#include "model/configfile.h"

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
	list_families(known, sizeof(known));
	return dbert_fail(err, DBERT_E_UNSUPPORTED,
					  "%s: model type \"%s\" is not supported, only %s are", root->where,
					  dbert_clip(type, clip), known);
}

static DbertStatus
read_activation(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	const char *name = "gelu";
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(root, dbert_family_of(config)->act_key, &name, err));
	if (strcmp(name, "gelu") == 0)
		config->act = DBERT_ACT_GELU;
	else if (strcmp(name, "gelu_new") == 0 || strcmp(name, "gelu_pytorch_tanh") == 0)
		config->act = DBERT_ACT_GELU_TANH;
	else if (strcmp(name, "relu") == 0)
		config->act = DBERT_ACT_RELU;
	else if (strcmp(name, "silu") == 0 || strcmp(name, "swish") == 0)
		config->act = DBERT_ACT_SILU;
	else
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: activation \"%s\" is not supported",
						  root->where, dbert_clip(name, clip));
	return DBERT_OK;
}

/* What transformers would compute differently for. */
static DbertStatus
refuse_variants(const DbertJson *root, DbertError *err)
{
	static const char *const flags[] = {"is_decoder", "add_cross_attention", "is_encoder_decoder"};
	const char *embedding = "absolute";
	char		clip[DBERT_CLIP];
	DbertJson	object;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
	{
		bool		set = false;

		DBERT_TRY(dbert_json_bool(root, flags[i], &set, err));
		if (set)
			return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"%s\" is not supported",
							  root->where, flags[i]);
	}
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

DbertStatus
dbert_config_read(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	const DbertFamily *family;
	double		eps = 1e-12;

	memset(config, 0, sizeof(*config));
	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	DBERT_TRY(read_family(root, config, err));
	family = dbert_family_of(config);
	for (const DbertSizeKey *size = family->sizes; size->key != NULL; size++)
		DBERT_TRY(read_size(root, size, config, err));
	if (config->embed_width == 0)
		config->embed_width = config->hidden;
	if (config->hidden % config->heads != 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: %d heads do not divide the hidden size %d",
						  root->where, config->heads, config->hidden);
	DBERT_TRY(read_activation(root, config, err));
	DBERT_TRY(refuse_variants(root, err));
	if (family->eps_key != NULL)
		DBERT_TRY(dbert_json_real(root, family->eps_key, 1e-30, 1, &eps, err));
	config->norm_eps = (float) eps;
	config->max_tokens = config->positions;
	config->pooling = DBERT_POOL_MEAN;
	config->embedding = config->dimensions = config->hidden;
	return DBERT_OK;
}

static bool
within(int32_t value, int32_t min, int32_t max)
{
	return value >= min && value <= max;
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
		   (c->embed_width == c->hidden || family->modules[DBERT_MODULE_EMBED_PROJECT][0] != NULL);
}

bool
dbert_config_valid(const DbertConfig *c)
{
	return within(c->family, 0, DBERT_FAMILY_END - 1) &&
		within(c->head, 0, DBERT_HEADS - 1) &&
		dbert_family_has_head(dbert_family_of(c), c->head) &&
		within(c->act, DBERT_ACT_NONE, DBERT_ACT_SILU) &&
		within(c->problem, DBERT_PROBLEM_SINGLE, DBERT_PROBLEM_REGRESSION) &&
		valid_sizes(c) &&
		within(c->n_labels, 0, DBERT_MAX_LABELS) &&
		(c->n_labels > 0) == dbert_head_names_columns(c->head) &&
		within(c->max_tokens, DBERT_MIN_TOKENS, c->positions) &&
		within(c->pooling, DBERT_POOL_MEAN, DBERT_POOL_LAST) &&
		within(c->embedding, 1, DBERT_MAX_HIDDEN) &&
		within(c->dimensions, 1, c->embedding) &&
		within(c->dense, 0, 1) &&
		(c->dense || c->embedding == c->hidden) &&
		within(c->dense_bias, 0, 1) &&
		within(c->dense_act, DBERT_ACT_NONE, DBERT_ACT_TANH) &&
		within(c->skip_prompt, 0, 1) &&
		within(c->normalize, 0, 1) &&
		within(c->precision, DBERT_PRECISION_FP32, DBERT_PRECISION_INT8) &&
		within(c->raw_scores, 0, 1) &&
		within(c->skip_unknown, 0, 1) &&
		c->norm_eps > 0 && c->norm_eps <= 1 &&
		memchr(c->architecture, '\0', sizeof(c->architecture)) != NULL;
}
