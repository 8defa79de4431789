/*
 * configfile.c -- config.json to DbertConfig: sizes, activation, limits.
 *
 * DistilBERT and BERT name the same things differently; both defaults are
 * those of transformers' DistilBertConfig and BertConfig.  What would change
 * the numbers and has no code here is refused, never ignored.
 */
#include "model/configfile.h"

#include <string.h>

/*
 * An integer with its key, an alias that transformers accepts, and its default.
 */
typedef struct SizeKey
{
	const char *key;
	const char *alias;			/* or NULL */
	int32_t		preset;
	int32_t		min;
	int32_t		max;
	size_t		field;			/* in DbertConfig */
} SizeKey;

#define FIELD(name) offsetof(DbertConfig, name)

static const SizeKey distilbert_sizes[] = {
	{"vocab_size", NULL, 30522, 1, DBERT_MAX_VOCAB, FIELD(vocab)},
	{"max_position_embeddings", NULL, 512, DBERT_MIN_TOKENS, DBERT_MAX_POSITIONS, FIELD(positions)},
	{"n_layers", "num_hidden_layers", 6, 1, DBERT_MAX_LAYERS, FIELD(layers)},
	{"n_heads", "num_attention_heads", 12, 1, DBERT_MAX_HEADS, FIELD(heads)},
	{"dim", "hidden_size", 768, 1, DBERT_MAX_HIDDEN, FIELD(hidden)},
	{"hidden_dim", NULL, 3072, 1, DBERT_MAX_FFN, FIELD(ffn)},
	{NULL, NULL, 0, 0, 0, 0}
};

static const SizeKey bert_sizes[] = {
	{"vocab_size", NULL, 30522, 1, DBERT_MAX_VOCAB, FIELD(vocab)},
	{"max_position_embeddings", NULL, 512, DBERT_MIN_TOKENS, DBERT_MAX_POSITIONS, FIELD(positions)},
	{"num_hidden_layers", NULL, 12, 1, DBERT_MAX_LAYERS, FIELD(layers)},
	{"num_attention_heads", NULL, 12, 1, DBERT_MAX_HEADS, FIELD(heads)},
	{"hidden_size", NULL, 768, 1, DBERT_MAX_HIDDEN, FIELD(hidden)},
	{"intermediate_size", NULL, 3072, 1, DBERT_MAX_FFN, FIELD(ffn)},
	/* pairs carry type 1 */
	{"type_vocab_size", NULL, 2, 2, DBERT_MAX_TYPES, FIELD(types)},
	{NULL, NULL, 0, 0, 0, 0}
};

static DbertStatus
read_size(const DbertJson *root, const SizeKey *size, DbertConfig *config, DbertError *err)
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

static DbertStatus
read_family(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	const char *type = NULL;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(root, "model_type", &type, err));
	if (type == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"model_type\"", root->where);
	if (strcmp(type, "distilbert") == 0)
		config->family = DBERT_FAMILY_DISTILBERT;
	else if (strcmp(type, "bert") == 0)
		config->family = DBERT_FAMILY_BERT;
	else
		return dbert_fail(
			err, DBERT_E_UNSUPPORTED,
			"%s: model type \"%s\" is not supported, only \"distilbert\" and \"bert\" are",
			root->where, dbert_clip(type, clip));
	return DBERT_OK;
}

static DbertStatus
read_activation(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	const char *key = config->family == DBERT_FAMILY_DISTILBERT ? "activation" : "hidden_act";
	const char *name = "gelu";
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(root, key, &name, err));
	if (strcmp(name, "gelu") == 0)
		config->act = DBERT_ACT_GELU;
	else if (strcmp(name, "gelu_new") == 0 || strcmp(name, "gelu_pytorch_tanh") == 0)
		config->act = DBERT_ACT_GELU_TANH;
	else if (strcmp(name, "relu") == 0)
		config->act = DBERT_ACT_RELU;
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
	double		eps = 1e-12;	/* DistilBERT's, which no key changes */

	memset(config, 0, sizeof(*config));
	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	DBERT_TRY(read_family(root, config, err));
	for (const SizeKey *size = config->family == DBERT_FAMILY_DISTILBERT ? distilbert_sizes
																		 : bert_sizes;
		 size->key != NULL; size++)
		DBERT_TRY(read_size(root, size, config, err));
	if (config->hidden % config->heads != 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: %d heads do not divide the hidden size %d",
						  root->where, config->heads, config->hidden);
	DBERT_TRY(read_activation(root, config, err));
	DBERT_TRY(refuse_variants(root, err));
	if (config->family == DBERT_FAMILY_BERT)
		DBERT_TRY(dbert_json_real(root, "layer_norm_eps", 1e-30, 1, &eps, err));
	config->norm_eps = (float) eps;
	config->max_tokens = config->positions;
	config->pooling = DBERT_POOL_MEAN;
	config->embedding = config->hidden;
	return DBERT_OK;
}

static bool
within(int32_t value, int32_t min, int32_t max)
{
	return value >= min && value <= max;
}

bool
dbert_config_valid(const DbertConfig *c)
{
	return within(c->family, DBERT_FAMILY_DISTILBERT, DBERT_FAMILY_BERT) &&
		within(c->head, DBERT_HEAD_NONE, DBERT_HEAD_MASK) &&
		within(c->act, DBERT_ACT_NONE, DBERT_ACT_TANH) &&
		within(c->problem, DBERT_PROBLEM_SINGLE, DBERT_PROBLEM_REGRESSION) &&
		within(c->layers, 1, DBERT_MAX_LAYERS) &&
		within(c->hidden, 1, DBERT_MAX_HIDDEN) &&
		within(c->heads, 1, DBERT_MAX_HEADS) &&
		c->hidden % c->heads == 0 &&
		within(c->ffn, 1, DBERT_MAX_FFN) &&
		within(c->vocab, 1, DBERT_MAX_VOCAB) &&
		within(c->positions, DBERT_MIN_TOKENS, DBERT_MAX_POSITIONS) &&
		within(c->types, c->family == DBERT_FAMILY_BERT ? 2 : 0,
			   c->family == DBERT_FAMILY_BERT ? DBERT_MAX_TYPES : 0) &&
		within(c->n_labels, 0, DBERT_MAX_LABELS) &&
		(c->n_labels > 0) == (c->head == DBERT_HEAD_SEQUENCE || c->head == DBERT_HEAD_TOKEN ||
							  c->head == DBERT_HEAD_SPAN) &&
		within(c->max_tokens, DBERT_MIN_TOKENS, c->positions) &&
		within(c->pooling, DBERT_POOL_MEAN, DBERT_POOL_LAST) &&
		within(c->embedding, 1, DBERT_MAX_HIDDEN) &&
		within(c->dense, 0, 1) &&
		(c->dense || c->embedding == c->hidden) &&
		within(c->dense_bias, 0, 1) &&
		within(c->dense_act, DBERT_ACT_NONE, DBERT_ACT_TANH) &&
		within(c->skip_prompt, 0, 1) &&
		within(c->normalize, 0, 1) &&
		within(c->precision, DBERT_PRECISION_FP32, DBERT_PRECISION_INT8) &&
		c->norm_eps > 0 && c->norm_eps <= 1 &&
		memchr(c->architecture, '\0', sizeof(c->architecture)) != NULL;
}
