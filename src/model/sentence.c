/*
 * sentence.c -- see sentence.h.
 *
 * modules.json is a list of {type, path} in the order of computation:
 * Transformer, Pooling, and perhaps Dense and Normalize.  Types are class paths
 * that have moved between releases; their last part names the module.
 */
#include "model/sentence.h"

#include "model/configfile.h"
#include "model/sentencesettings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The modes in which Pooling may be configured, old key and new name. */
static const struct
{
	const char *key;
	const char *name;
	DbertPooling pooling;
}			modes[] = {
	{"pooling_mode_cls_token", "cls", DBERT_POOL_CLS},
	{"pooling_mode_mean_tokens", "mean", DBERT_POOL_MEAN},
	{"pooling_mode_max_tokens", "max", DBERT_POOL_MAX},
	{"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", DBERT_POOL_MEAN_SQRT_LEN},
	{"pooling_mode_weightedmean_tokens", "weightedmean", DBERT_POOL_WEIGHTED_MEAN},
	{"pooling_mode_lasttoken", "lasttoken", DBERT_POOL_LAST},
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
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"pooling_mode\" must be a string",
						  root->where);
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
			return dbert_fail(err, DBERT_E_UNSUPPORTED,
							  "%s: several pooling modes are not supported", root->where);
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
	bool		include_prompt = true;

	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	DBERT_TRY(dbert_json_bool(root, "include_prompt", &include_prompt, err));
	out->skip_prompt = !include_prompt;
	DBERT_TRY(
		dbert_json_int(root, "word_embedding_dimension", 1, DBERT_MAX_HIDDEN, &out->width, err));
	DBERT_TRY(dbert_json_int(root, "embedding_dimension", 1, DBERT_MAX_HIDDEN, &out->width, err));
	if (value != NULL && !json_is_null(value))
		DBERT_TRY(mode_by_name(root, value, &mode, err));
	else
		DBERT_TRY(mode_by_flags(root, &mode, err));
	if (mode < 0)
		return DBERT_OK;		/* none chosen: mean, as sentence-transformers has it */
	out->pooling = modes[mode].pooling;
	return DBERT_OK;
}

/*
 * torch's modules of which a Dense module may have one; their last part names
 * them.
 */
static DbertStatus
read_activation(const DbertJson *root, DbertSentence *out, DbertError *err)
{
	static const struct
	{
		const char *name;
		DbertAct	act;
	}			acts[] = {
		{"Identity", DBERT_ACT_NONE},
		{"Tanh", DBERT_ACT_TANH},
		{"ReLU", DBERT_ACT_RELU},
		{"GELU", DBERT_ACT_GELU}
	};
	const char *name = "torch.nn.modules.activation.Tanh";
	const char *dot;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(root, "activation_function", &name, err));
	dot = strrchr(name, '.');
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
	{
		out->dense_act = acts[i].act;
		if (strcmp(dot != NULL ? dot + 1 : name, acts[i].name) == 0)
			return DBERT_OK;
	}
	return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: activation function \"%s\" is not supported",
					  root->where, dbert_clip(name, clip));
}

static DbertStatus
read_dense(const DbertJson *root, DbertSentence *out, DbertError *err)
{
	bool		residual = false;

	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	out->dense = out->dense_bias = true;
	DBERT_TRY(dbert_json_int(root, "in_features", 1, DBERT_MAX_HIDDEN, &out->dense_in, err));
	DBERT_TRY(dbert_json_int(root, "out_features", 1, DBERT_MAX_HIDDEN, &out->dense_out, err));
	if (out->dense_in == 0 || out->dense_out == 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"in_features\" or no \"out_features\"",
						  root->where);
	DBERT_TRY(dbert_json_bool(root, "bias", &out->dense_bias, err));
	DBERT_TRY(dbert_json_bool(root, "use_residual", &residual, err));
	if (residual)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"use_residual\" is not supported",
						  root->where);
	DBERT_TRY(dbert_sentence_refuse_places(root, err));
	return read_activation(root, out, err);
}

/* The config.json of a module, by its reader. */
static DbertStatus
read_module_file(const DbertSource *source, const char *dir, DbertArena *arena,
				 const DbertPoll *poll,
				 DbertStatus (*reader)(const DbertJson *root, DbertSentence *out, DbertError *err),
				 DbertSentence *out, DbertError *err)
{
	DbertJsonTree tree;
	DbertJson	at;
	DbertStatus status;

	status = dbert_json_load(source, dir, "config.json", DBERT_JSON_MAX, 0, false,
							 arena->alloc, poll, &tree, &at, err);
	if (status == DBERT_OK)
		status = reader(&at, out, err);
	dbert_json_free(&tree);
	return status;
}

/* The encoder's own settings beside config.json. */
static DbertStatus
read_encoder_settings(const DbertJson *root, DbertSentence *out, DbertError *err)
{
	double		tokens = 0;

	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	DBERT_TRY(dbert_sentence_refuse_settings(root, out->cross, err));
	DBERT_TRY(dbert_json_real(root, "max_seq_length", -1e300, 1e300, &tokens, err));
	if (tokens > 0 && tokens <= DBERT_MAX_POSITIONS)
		out->max_tokens = (int64_t) tokens;
	return dbert_json_bool(root, "do_lower_case", &out->lowercases, err);
}

static DbertStatus
read_encoder_file(const DbertSource *source, DbertArena *arena, const DbertPoll *poll,
				  DbertSentence *out, DbertFileList *list, DbertError *err)
{
	static const char *const names[] = { "sentence_bert_config.json",
										 "sentence_distilbert_config.json" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		DbertJsonTree tree;
		DbertJson	at;
		bool		exists;
		DbertStatus status;

		DBERT_TRY(dbert_file_list_add(list, arena, source, out->dir, names[i], err));
		status = dbert_json_load(source, out->dir, names[i], DBERT_JSON_MAX, DBERT_JSON_REALS,
								 true, arena->alloc, poll, &tree, &at, err);
		if (status == DBERT_OK && tree.root != NULL)
			status = read_encoder_settings(&at, out, err);
		out->settings = names[i];
		exists = tree.root != NULL;
		dbert_json_free(&tree);
		if (status != DBERT_OK || exists)
			return status;
	}
	return DBERT_OK;
}

/* ---- prompts ---- */

/* *out = the prompt of that name, if there is one and it is not empty. */
static DbertStatus
read_prompt(const DbertJson *prompts, const char *name, DbertArena *arena, const char **out,
			DbertError *err)
{
	const char *text = NULL;

	if (prompts->value != NULL)
		DBERT_TRY(dbert_json_string(prompts, name, &text, err));
	if (text == NULL || *text == '\0')
		return DBERT_OK;
	*out = dbert_arena_strndup(arena, text, strlen(text));
	return *out != NULL ? DBERT_OK : dbert_fail(err, DBERT_E_NOMEM, "out of memory");
}

/*
 * As SentenceTransformer's encode, encode_query and encode_document choose:
 * the default applies where nothing else is asked for, a query has the prompt
 * "query" or none.  A passage's has had three names; the later in this list
 * counts more.
 */
static DbertStatus
read_prompts(const DbertJson *root, DbertArena *arena, DbertSentence *out, DbertError *err)
{
	static const char *const passage[] = {"corpus", "passage", "document"};
	DbertJson	prompts;
	const char *name = NULL;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_child(root, "prompts", JSON_OBJECT, &prompts, err));
	DBERT_TRY(dbert_json_string(root, "default_prompt_name", &name, err));
	if (name != NULL && (prompts.value == NULL || json_object_get(prompts.value, name) == NULL) &&
		strcmp(name, "query") != 0 && strcmp(name, "document") != 0)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: there is no prompt \"%s\", which is the default", root->where,
						  dbert_clip(name, clip));
	if (name != NULL)
		DBERT_TRY(read_prompt(&prompts, name, arena, &out->prompts[DBERT_PROMPT_DEFAULT], err));
	DBERT_TRY(read_prompt(&prompts, "query", arena, &out->prompts[DBERT_PROMPT_QUERY], err));
	for (int i = 0; i < 3; i++)
		DBERT_TRY(
			read_prompt(&prompts, passage[i], arena, &out->prompts[DBERT_PROMPT_PASSAGE], err));
	return DBERT_OK;
}

/* Embeddings are cut to so many numbers; more than they have cuts nothing. */
static DbertStatus
read_dimensions(const DbertJson *root, DbertSentence *out, DbertError *err)
{
	double		n = 0;

	DBERT_TRY(dbert_json_real(root, "truncate_dim", 1, 1e300, &n, err));
	if (n != floor(n))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"truncate_dim\" must be an integer, found %g",
						  root->where, n);
	out->dimensions = n > DBERT_MAX_HIDDEN ? DBERT_MAX_HIDDEN : (int64_t) n;
	return DBERT_OK;
}

/* A cross-encoder gives the two texts to the encoder as they are. */
static DbertStatus
read_cross_encoder(const DbertJson *root, DbertArena *arena, DbertSentence *out, DbertError *err)
{
	const char *prompt = NULL,
			   *name = NULL;

	DBERT_TRY(dbert_json_string(root, "default_prompt_name", &prompt, err));
	if (prompt != NULL)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: prompts of a cross-encoder are not supported", root->where);
	DBERT_TRY(dbert_json_string(root, "activation_fn", &name, err));
	if (name == NULL)
		return DBERT_OK;
	out->activation = dbert_arena_strndup(arena, name, strlen(name));
	return out->activation != NULL ? DBERT_OK : dbert_fail(err, DBERT_E_NOMEM, "out of memory");
}

static DbertStatus
read_whole_model(const DbertJson *root, DbertArena *arena, DbertSentence *out, DbertError *err)
{
	const char *type = "SentenceTransformer";
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	DBERT_TRY(dbert_json_string(root, "model_type", &type, err));
	out->cross = strcmp(type, "CrossEncoder") == 0;
	if (out->cross)
		return read_cross_encoder(root, arena, out, err);
	if (strcmp(type, "SentenceTransformer") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: model type \"%s\" is not supported",
						  root->where, dbert_clip(type, clip));
	DBERT_TRY(read_dimensions(root, out, err));
	return read_prompts(root, arena, out, err);
}

/* What holds for all modules. */
static DbertStatus
read_whole_file(const DbertSource *source, DbertArena *arena, const DbertPoll *poll,
				DbertSentence *out, DbertError *err)
{
	DbertJsonTree tree;
	DbertJson	at;
	DbertStatus status;

	status = dbert_json_load(source, "", DBERT_SENTENCE_FILE, DBERT_JSON_MAX, DBERT_JSON_REALS,
							 true, arena->alloc, poll, &tree, &at, err);
	if (status == DBERT_OK && tree.root != NULL)
		status = read_whole_model(&at, arena, out, err);
	dbert_json_free(&tree);
	return status;
}

/* ---- modules ---- */

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
	if (strcmp(*path, ".") == 0)
		*path = "";
	if (**path != '\0' && !dbert_file_name_plain(*path))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"path\" is no plain folder name",
						  module.where);
	dot = strrchr(*type, '.');
	if (dot != NULL)
		*type = dot + 1;
	return DBERT_OK;
}

/* Normalize has had no file for long. */
static DbertStatus
read_normalize(const DbertSource *source, const char *path, DbertArena *arena,
			   const DbertPoll *poll, DbertError *err)
{
	DbertJsonTree tree;
	DbertJson	at;
	DbertStatus status;

	status = dbert_json_load(source, path, "config.json", DBERT_JSON_MAX, 0, true, arena->alloc,
							 poll, &tree, &at, err);
	if (status == DBERT_OK && tree.root != NULL)
		status = dbert_json_expect(&at, JSON_OBJECT, err);
	if (status == DBERT_OK && tree.root != NULL)
		status = dbert_sentence_refuse_places(&at, err);
	dbert_json_free(&tree);
	return status;
}

/* The module's own files. */
static DbertStatus
read_known_module(const DbertSource *source, const char *type, const char *path, DbertArena *arena,
				  const DbertPoll *poll, DbertSentence *out, DbertFileList *files, DbertError *err)
{
	DBERT_TRY(dbert_file_list_add(files, arena, source, path, "config.json", err));
	if (strcmp(type, "Transformer") == 0)
		snprintf(out->dir, sizeof(out->dir), "%s", path);
	else if (strcmp(type, "Pooling") == 0)
	{
		snprintf(out->pooling_dir, sizeof(out->pooling_dir), "%s", path);
		return read_module_file(source, path, arena, poll, read_pooling, out, err);
	}
	else if (strcmp(type, "Dense") == 0)
	{
		snprintf(out->dense_dir, sizeof(out->dense_dir), "%s", path);
		return read_module_file(source, path, arena, poll, read_dense, out, err);
	}
	else
	{
		out->normalize = 1;
		return read_normalize(source, path, arena, poll, err);
	}
	return DBERT_OK;
}

/*
 * The modules in their order, the last two may be missing; nothing else but
 * Dropout behind the second is supported.  A StaticEmbedding is both of the
 * first two.
 */
static DbertStatus
read_modules(const DbertSource *source, const DbertJson *list, DbertArena *arena,
			 const DbertPoll *poll, DbertSentence *out, DbertFileList *files, DbertError *err)
{
	static const char *const order[] = {"Transformer", "Pooling", "Dense", "Normalize"};
	size_t		n = json_array_size(list->value),
				next = 0;
	char		clip[DBERT_CLIP];

	for (size_t i = 0; i < n; i++)
	{
		const char *type,
				   *path;

		DBERT_TRY(read_module(list, i, &type, &path, err));
		if (next >= 2 && strcmp(type, "Dropout") == 0)
			continue;			/* of use in training alone */
		if (next == 2 && strcmp(type, "Dense") != 0)
			next++;
		if (i == 0 && strcmp(type, "StaticEmbedding") == 0 && !out->cross)
		{
			out->lookup = true;
			snprintf(out->dir, sizeof(out->dir), "%s", path);
			next = 2;
			continue;
		}
		if (next >= 4 || strcmp(type, order[next]) != 0)
			return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: module %zu, \"%s\", is not supported",
							  list->where, i, dbert_clip(type, clip));
		next++;
		DBERT_TRY(read_known_module(source, type, path, arena, poll, out, files, err));
	}
	if (out->cross && n != 1)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: a cross-encoder of several modules is not supported", list->where);
	if (next < 2 && !out->cross)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: no Transformer followed by a Pooling module", list->where);
	return DBERT_OK;
}

DbertStatus
dbert_sentence_read(const DbertSource *source, DbertArena *arena, const DbertPoll *poll,
					DbertSentence *out, DbertFileList *list, DbertError *err)
{
	DbertJsonTree tree;
	DbertJson	at;
	DbertStatus status;

	memset(out, 0, sizeof(*out));
	out->pooling = DBERT_POOL_MEAN;
	for (int i = 0; i < DBERT_PROMPTS; i++)
		out->prompts[i] = "";
	DBERT_TRY(dbert_file_list_add(list, arena, source, "", "modules.json", err));
	DBERT_TRY(dbert_file_list_add(list, arena, source, "", DBERT_SENTENCE_FILE, err));
	status = dbert_json_load(source, "", "modules.json", DBERT_JSON_MAX, 0, true,
							 arena->alloc, poll, &tree, &at, err);
	if (status == DBERT_OK && tree.root != NULL)
		status = dbert_json_expect(&at, JSON_ARRAY, err);
	if (status == DBERT_OK && tree.root != NULL)
		status = read_whole_file(source, arena, poll, out, err);
	if (status == DBERT_OK && tree.root != NULL)
		status = read_modules(source, &at, arena, poll, out, list, err);
	if (status == DBERT_OK && tree.root != NULL && !out->lookup)
		status = read_encoder_file(source, arena, poll, out, list, err);
	out->present = tree.root != NULL && !out->cross;
	dbert_json_free(&tree);
	return status;
}
