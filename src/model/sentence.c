/*
 * sentence.c -- see sentence.h.
 *
 * modules.json is a list of {type, path} in the order of computation:
 * Transformer, Pooling, and perhaps Normalize.  Types are class paths that
 * have moved between releases; their last part names the module.
 */
#include "model/sentence.h"

#include "model/configfile.h"

#include <stdio.h>
#include <string.h>

/* The modes in which Pooling may be configured, old key and new name. */
static const struct
{
	const char *key;
	const char *name;
	int			pooling;		/* -1: no code for it */
}			modes[] = {
	{"pooling_mode_cls_token", "cls", DBERT_POOL_CLS},
	{"pooling_mode_mean_tokens", "mean", DBERT_POOL_MEAN},
	{"pooling_mode_max_tokens", "max", DBERT_POOL_MAX},
	{"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", -1},
	{"pooling_mode_weightedmean_tokens", "weightedmean", -1},
	{"pooling_mode_lasttoken", "lasttoken", -1},
};

#define N_MODES ((int) (sizeof(modes) / sizeof(modes[0])))

/* The new key: a name, or a list of one name. */
static DbertStatus
mode_by_name(const DbertJson *root, const json_t *value, int *mode, DbertError *err)
{
	char		clip[DBERT_CLIP];

	if (json_is_array(value) && json_array_size(value) == 1)
		value = json_array_get(value, 0);
	if (json_is_array(value))
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: several pooling modes are not supported",
						  root->where);
	if (!json_is_string(value))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"pooling_mode\" must be a string", root->where);
	for (int i = 0; i < N_MODES; i++)
	{
		if (strcmp(modes[i].name, json_string_value(value)) == 0)
		{
			*mode = i;
			return DBERT_OK;
		}
	}
	return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: pooling mode \"%s\" is not supported",
					  root->where, dbert_clip(json_string_value(value), clip));
}

/* The old keys: one flag for each mode. */
static DbertStatus
mode_by_flags(const DbertJson *root, int *mode, DbertError *err)
{
	for (int i = 0; i < N_MODES; i++)
	{
		bool		set = false;

		DBERT_TRY(dbert_json_bool(root, modes[i].key, &set, err));
		if (set && *mode >= 0)
			return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: several pooling modes are not supported",
							  root->where);
		if (set)
			*mode = i;
	}
	return DBERT_OK;
}

static DbertStatus
read_pooling(const DbertJson *root, DbertSentence *out, DbertError *err)
{
	const json_t *value = json_object_get(root->value, "pooling_mode");
	int			mode = -1;

	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	DBERT_TRY(dbert_json_int(root, "word_embedding_dimension", 1, DBERT_MAX_HIDDEN, &out->width, err));
	DBERT_TRY(dbert_json_int(root, "embedding_dimension", 1, DBERT_MAX_HIDDEN, &out->width, err));
	if (value != NULL && !json_is_null(value))
		DBERT_TRY(mode_by_name(root, value, &mode, err));
	else
		DBERT_TRY(mode_by_flags(root, &mode, err));
	if (mode < 0)
		return DBERT_OK;		/* none chosen: mean, as sentence-transformers has it */
	if (modes[mode].pooling < 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: pooling mode \"%s\" is not supported",
						  root->where, modes[mode].name);
	out->pooling = modes[mode].pooling;
	return DBERT_OK;
}

static DbertStatus
read_pooling_file(const DbertSource *source, const char *dir, DbertModelPool *pool,
				  const DbertPoll *poll, DbertSentence *out, DbertError *err)
{
	json_t	   *root;
	DbertJson	at;
	DbertStatus status;

	status = dbert_json_load(source, dir, "config.json", DBERT_JSON_MAX, 0, false,
							 pool->alloc, poll, &root, &at, err);
	if (status == DBERT_OK)
		status = read_pooling(&at, out, err);
	json_decref(root);
	return status;
}

/* The encoder's own settings beside config.json. */
static DbertStatus
read_encoder_settings(const DbertJson *root, DbertSentence *out, DbertError *err)
{
	double		tokens = 0;

	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	DBERT_TRY(dbert_json_real(root, "max_seq_length", -1e300, 1e300, &tokens, err));
	if (tokens > 0 && tokens <= DBERT_MAX_POSITIONS)
		out->max_tokens = (int64_t) tokens;
	return dbert_json_bool(root, "do_lower_case", &out->lowercases, err);
}

static DbertStatus
read_encoder_file(const DbertSource *source, DbertModelPool *pool, const DbertPoll *poll,
				  DbertSentence *out, DbertFileList *list, DbertError *err)
{
	static const char *const names[] = {"sentence_bert_config.json", "sentence_distilbert_config.json"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		json_t	   *root;
		DbertJson	at;
		DbertStatus status;

		DBERT_TRY(dbert_file_list_add(list, pool, source, out->dir, names[i], err));
		status = dbert_json_load(source, out->dir, names[i], DBERT_JSON_MAX, DBERT_JSON_REALS,
								 true, pool->alloc, poll, &root, &at, err);
		if (status == DBERT_OK && root != NULL)
			status = read_encoder_settings(&at, out, err);
		json_decref(root);
		if (status != DBERT_OK || at.value != NULL)
			return status;
	}
	return DBERT_OK;
}

/* A prompt that is put before every text would have to be put there here too. */
static DbertStatus
refuse_prompt(const DbertSource *source, DbertModelPool *pool, const DbertPoll *poll, DbertError *err)
{
	json_t	   *root;
	DbertJson	at;
	const char *prompt = NULL;
	char		clip[DBERT_CLIP];
	DbertStatus status;

	status = dbert_json_load(source, "", "config_sentence_transformers.json", DBERT_JSON_MAX,
							 DBERT_JSON_REALS, true, pool->alloc, poll, &root, &at, err);
	if (status == DBERT_OK && root != NULL)
		status = dbert_json_expect(&at, JSON_OBJECT, err);
	if (status == DBERT_OK && root != NULL)
		status = dbert_json_string(&at, "default_prompt_name", &prompt, err);
	if (status == DBERT_OK && prompt != NULL)
		status = dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: default prompt \"%s\" is not supported",
							at.where, dbert_clip(prompt, clip));
	json_decref(root);
	return status;
}

/* One entry of modules.json: its type's last part and its folder. */
static DbertStatus
read_module(const DbertJson *list, size_t i, const char **type, const char **path, DbertError *err)
{
	DbertJson	module;
	const char *dot;

	module.value = json_array_get(list->value, i);
	snprintf(module.where, sizeof(module.where), "%.255s: module %zu", list->where, i);
	*type = *path = NULL;
	DBERT_TRY(dbert_json_expect(&module, JSON_OBJECT, err));
	DBERT_TRY(dbert_json_string(&module, "type", type, err));
	DBERT_TRY(dbert_json_string(&module, "path", path, err));
	if (*type == NULL || *path == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"type\" or no \"path\"", module.where);
	if (**path != '\0' && !dbert_file_name_plain(*path))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"path\" is no plain folder name", module.where);
	dot = strrchr(*type, '.');
	if (dot != NULL)
		*type = dot + 1;
	return DBERT_OK;
}

/* The modules in their order; any other order or module is not supported. */
static DbertStatus
read_modules(const DbertSource *source, const DbertJson *list, DbertModelPool *pool,
			 const DbertPoll *poll, DbertSentence *out, DbertFileList *files, DbertError *err)
{
	static const char *const order[] = {"Transformer", "Pooling", "Normalize"};
	size_t		n = json_array_size(list->value);
	char		clip[DBERT_CLIP];

	for (size_t i = 0; i < n; i++)
	{
		const char *type,
				   *path;

		DBERT_TRY(read_module(list, i, &type, &path, err));
		if (i >= 3 || strcmp(type, order[i]) != 0)
			return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: module %zu, \"%s\", is not supported",
							  list->where, i, dbert_clip(type, clip));
		DBERT_TRY(dbert_file_list_add(files, pool, source, path, "config.json", err));
		if (i == 0)
			snprintf(out->dir, sizeof(out->dir), "%s", path);
		else if (i == 1)
			DBERT_TRY(read_pooling_file(source, path, pool, poll, out, err));
		else
			out->normalize = 1;
	}
	if (n < 2)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: no Transformer followed by a Pooling module",
						  list->where);
	return DBERT_OK;
}

DbertStatus
dbert_sentence_read(const DbertSource *source, DbertModelPool *pool, const DbertPoll *poll,
					DbertSentence *out, DbertFileList *list, DbertError *err)
{
	json_t	   *root;
	DbertJson	at;
	DbertStatus status;

	memset(out, 0, sizeof(*out));
	out->pooling = DBERT_POOL_MEAN;
	DBERT_TRY(dbert_file_list_add(list, pool, source, "", "modules.json", err));
	DBERT_TRY(dbert_file_list_add(list, pool, source, "", "config_sentence_transformers.json", err));
	status = dbert_json_load(source, "", "modules.json", DBERT_JSON_MAX, 0, true,
							 pool->alloc, poll, &root, &at, err);
	if (status == DBERT_OK && root != NULL)
		status = dbert_json_expect(&at, JSON_ARRAY, err);
	if (status == DBERT_OK && root != NULL)
		status = read_modules(source, &at, pool, poll, out, list, err);
	out->present = root != NULL;
	json_decref(root);
	if (status != DBERT_OK || !out->present)
		return status;
	DBERT_TRY(refuse_prompt(source, pool, poll, err));
	return read_encoder_file(source, pool, poll, out, list, err);
}
