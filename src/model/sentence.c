/*
 * sentence.c -- see sentence.h.
 *
 * Conducts the reading: what holds for all modules, the list of modules
 * (sentencemodules.c), the encoder's own settings.
 */
#include "model/sentence.h"

#include "model/configfile.h"
#include "model/sentencemodules.h"
#include "model/sentencesettings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The encoder's own settings beside config.json. */
static DbertStatus
read_encoder_settings(const DbertJson *root, DbertSentence *out, DbertError *err)
{
	double		tokens = 0;

	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	DBERT_TRY(dbert_sentence_refuse_settings(root, out->cross && !out->pools, err));
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
		status = dbert_sentence_read_modules(source, &at, arena, poll, out, list, err);
	if (status == DBERT_OK && tree.root != NULL && !out->lookup)
		status = read_encoder_file(source, arena, poll, out, list, err);
	out->present = tree.root != NULL && !out->cross;
	dbert_json_free(&tree);
	return status;
}
