/*
 * sentencemodules.c -- see sentencemodules.h.
 *
 * modules.json is a list of {type, path} in the order of computation:
 * Transformer, Pooling, any number of Dense and LayerNorm, and perhaps
 * Normalize; Dropout is of use in training alone.  Types are class paths that
 * have moved between releases; their last part names the module.
 *
 * A cross-encoder is the encoder with its own head, or one that pools, whose
 * last Dense gives the scores.
 */
#include "model/sentencemodules.h"

#include "model/family.h"
#include "model/sentencesettings.h"

#include <stdio.h>
#include <string.h>

/* What a module's own file says; root is NULL where it may be missing. */
typedef DbertStatus (*ReadModule) (const DbertJson *root, DbertSentence *out, DbertError *err);

/* ---- Pooling ---- */

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
	out->pools = true;
	DBERT_TRY(dbert_json_bool(root, "include_prompt", &include_prompt, err));
	out->skip_prompt = !include_prompt && !out->cross;	/* which has no prompts */
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

/* ---- Dense, LayerNorm, Normalize ---- */

/* torch's modules of which a Dense may have one; their last part names them. */
static DbertStatus
read_activation(const DbertJson *root, DbertPooledStep *step, DbertError *err)
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
		step->act = acts[i].act;
		if (strcmp(dot != NULL ? dot + 1 : name, acts[i].name) == 0)
			return DBERT_OK;
	}
	return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: activation function \"%s\" is not supported",
					  root->where, dbert_clip(name, clip));
}

/* The last Dense of a cross-encoder says that it gives the scores. */
static DbertStatus
read_places(const DbertJson *root, DbertSentence *out, DbertError *err)
{
	const char *to = NULL;

	DBERT_TRY(dbert_json_string(root, "module_output_name", &to, err));
	out->scores = out->cross && to != NULL && strcmp(to, "scores") == 0;
	return dbert_sentence_refuse_places(root, out->scores ? "scores" : "sentence_embedding", err);
}

static DbertStatus
read_dense(const DbertJson *root, DbertSentence *out, DbertError *err)
{
	DbertSentenceStep *step = &out->steps[out->n_steps++];
	int64_t		width = 0;
	bool		bias = true,
				residual = false;

	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	DBERT_TRY(dbert_json_int(root, "in_features", 1, DBERT_MAX_HIDDEN, &step->takes, err));
	DBERT_TRY(dbert_json_int(root, "out_features", 1, DBERT_MAX_HIDDEN, &width, err));
	if (step->takes == 0 || width == 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"in_features\" or no \"out_features\"",
						  root->where);
	DBERT_TRY(dbert_json_bool(root, "bias", &bias, err));
	DBERT_TRY(dbert_json_bool(root, "use_residual", &residual, err));
	step->step = (DbertPooledStep) {
		.kind = DBERT_POOLED_STEP_DENSE, .width = (int32_t) width, .bias = bias
	};
	if (residual)
		step->step.residual =
			step->takes == width ? DBERT_RESIDUAL_SAME : DBERT_RESIDUAL_PROJECTED;
	DBERT_TRY(read_places(root, out, err));
	return read_activation(root, &step->step, err);
}

static DbertStatus
read_norm(const DbertJson *root, DbertSentence *out, DbertError *err)
{
	DbertSentenceStep *step = &out->steps[out->n_steps++];

	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	DBERT_TRY(dbert_json_int(root, "dimension", 1, DBERT_MAX_HIDDEN, &step->takes, err));
	if (step->takes == 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"dimension\"", root->where);
	step->step = (DbertPooledStep) {.kind = DBERT_POOLED_STEP_NORM,.width = (int32_t) step->takes};
	return DBERT_OK;
}

/* It has had no file for long. */
static DbertStatus
read_normalize(const DbertJson *root, DbertSentence *out, DbertError *err)
{
	out->normalize = 1;
	if (root->value == NULL)
		return DBERT_OK;
	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	return dbert_sentence_refuse_places(root, "sentence_embedding", err);
}

/* ---- the list ---- */

/* What may come next. */
typedef enum Stage
{
	BEFORE_ENCODER,
	BEFORE_POOLING,
	BEFORE_STEP,
	AT_END						/* nothing but Dropout */
} Stage;

static const struct Kind
{
	const char *type;
	Stage		at,
				then;
	ReadModule	read;			/* NULL: nothing in its file counts here */
	bool		file_optional,
				is_step;
}			kinds[] = {
	{"Transformer", BEFORE_ENCODER, BEFORE_POOLING, NULL, false, false},
	{"StaticEmbedding", BEFORE_ENCODER, BEFORE_STEP, NULL, true, false},
	{"Pooling", BEFORE_POOLING, BEFORE_STEP, read_pooling, false, false},
	{"Dense", BEFORE_STEP, BEFORE_STEP, read_dense, false, true},
	{"LayerNorm", BEFORE_STEP, BEFORE_STEP, read_norm, false, true},
	{"Normalize", BEFORE_STEP, AT_END, read_normalize, true, false},
};

/* One entry of modules.json: its type's last part and its folder. */
static DbertStatus
read_entry(const DbertJson *list, size_t i, const char **type, const char **path, DbertError *err)
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

/* The kind of that type, if it may stand here. */
static DbertStatus
find_kind(const DbertJson *list, size_t i, const char *type, Stage stage, const struct Kind **kind,
		  DbertError *err)
{
	char		clip[DBERT_CLIP];

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
	{
		*kind = &kinds[k];
		if (strcmp(type, kinds[k].type) == 0 && stage == kinds[k].at)
			return DBERT_OK;
	}
	return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: module %zu, \"%s\", is not supported",
					  list->where, i, dbert_clip(type, clip));
}

/* The module's own file. */
static DbertStatus
read_file(const DbertSource *source, const struct Kind *kind, const char *path, DbertArena *arena,
		  const DbertPoll *poll, DbertSentence *out, DbertError *err)
{
	DbertJsonTree tree;
	DbertJson	at;
	DbertStatus status;

	status = dbert_json_load(source, path, "config.json", DBERT_JSON_MAX, 0, kind->file_optional,
							 arena->alloc, poll, &tree, &at, err);
	if (status == DBERT_OK)
		status = kind->read(&at, out, err);
	dbert_json_free(&tree);
	return status;
}

/* Where it stands, and what its file says. */
static DbertStatus
read_module(const DbertSource *source, const struct Kind *kind, const char *path, DbertArena *arena,
			const DbertPoll *poll, DbertSentence *out, DbertFileList *files, DbertError *err)
{
	char	   *dir = out->dir;

	if (kind->is_step && out->n_steps == DBERT_MAX_POOLED_STEPS)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "modules.json: more than %d modules behind the pooling are not supported",
						  DBERT_MAX_POOLED_STEPS);
	if (kind->is_step)
		dir = out->steps[out->n_steps].dir;
	else if (kind->read == read_pooling)
		dir = out->pooling_dir;
	else if (kind->at == BEFORE_ENCODER)
		out->lookup = kind->then == BEFORE_STEP;	/* it needs no pooling */
	DBERT_TRY(dbert_file_list_add(files, arena, source, path, "config.json", err));
	if (kind->read != read_normalize)
		snprintf(dir, DBERT_FILE_NAME_MAX, "%s", path);
	return kind->read != NULL ? read_file(source, kind, path, arena, poll, out, err) : DBERT_OK;
}

static DbertStatus
check_end(const DbertJson *list, Stage stage, const DbertSentence *out, DbertError *err)
{
	if (stage == BEFORE_ENCODER || (stage == BEFORE_POOLING && !out->cross))
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: no Transformer followed by a Pooling module", list->where);
	if (out->cross && out->pools && !out->scores)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: no Dense module of the cross-encoder gives \"scores\"", list->where);
	return DBERT_OK;
}

DbertStatus
dbert_sentence_read_modules(const DbertSource *source, const DbertJson *list, DbertArena *arena,
							const DbertPoll *poll, DbertSentence *out, DbertFileList *files,
							DbertError *err)
{
	Stage		stage = BEFORE_ENCODER;
	size_t		n = json_array_size(list->value);

	for (size_t i = 0; i < n; i++)
	{
		const struct Kind *kind;
		const char *type,
				   *path;

		DBERT_TRY(read_entry(list, i, &type, &path, err));
		if (stage >= BEFORE_STEP && strcmp(type, "Dropout") == 0)
			continue;			/* of use in training alone */
		DBERT_TRY(find_kind(list, i, type, stage, &kind, err));
		DBERT_TRY(read_module(source, kind, path, arena, poll, out, files, err));
		stage = out->scores ? AT_END : kind->then;
	}
	return check_end(list, stage, out, err);
}
