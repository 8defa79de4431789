/*
 * generating.c -- see generating.h.
 *
 * Where generation_config.json is there, it says all; what it leaves out has
 * the presets of transformers' GenerationConfig.  config.json counts only where
 * it is not there.
 */
#include "model/generating.h"

#include <math.h>
#include <string.h>

#define GENERATION_FILE "generation_config.json"

/* Settings that change what is written, unless they are what is given here. */
static const struct
{
	const char *key;
	double		neutral;
}			others[] = {
	{"repetition_penalty", 1},
	{"encoder_repetition_penalty", 1},
	{"no_repeat_ngram_size", 0},
	{"encoder_no_repeat_ngram_size", 0},
	{"min_length", 0},
	{"min_new_tokens", 0},
	{"num_beam_groups", 1},
	{"diversity_penalty", 0},
	{"penalty_alpha", 0},
	{"guidance_scale", 1},
	{"num_return_sequences", 1},
};

/* The same of those that must not be there. */
static const char *const absent[] = {
	"forced_bos_token_id", "suppress_tokens", "begin_suppress_tokens", "sequence_bias",
	"exponential_decay_length_penalty", "constraints", "force_words_ids", "stop_strings",
	"watermarking_config"
};

static DbertStatus
refuse_others(const DbertJson *at, DbertError *err)
{
	bool		sample = false;

	DBERT_TRY(dbert_json_bool(at, "do_sample", &sample, err));
	if (sample)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"do_sample\" is not supported",
						  at->where);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
	{
		double		value = others[i].neutral;

		DBERT_TRY(dbert_json_real(at, others[i].key, -1e9, 1e9, &value, err));
		if (value != others[i].neutral)
			return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"%s\" of %g is not supported",
							  at->where, others[i].key, value);
	}
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
	{
		const json_t *value = json_object_get(at->value, absent[i]);

		if (value != NULL && !json_is_null(value))
			return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"%s\" is not supported", at->where,
							  absent[i]);
	}
	return DBERT_OK;
}

/* A token, or a list of one. */
static DbertStatus
read_token(const DbertJson *at, const char *key, const DbertConfig *config, int32_t *token,
		   DbertError *err)
{
	const json_t *value = json_object_get(at->value, key);
	int64_t		id = *token;

	if (json_is_array(value) && json_array_size(value) == 1)
		value = json_array_get(value, 0);
	if (value == NULL || json_is_null(value))
		return DBERT_OK;
	if (json_is_array(value))
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: more than one \"%s\" is not supported",
						  at->where, key);
	if (json_is_integer(value))
		id = json_integer_value(value);
	if (!json_is_integer(value) || id < 0 || id >= config->vocab)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"%s\" is none of the %d tokens", at->where,
						  key, (int) config->vocab);
	*token = (int32_t) id;
	return DBERT_OK;
}

static DbertStatus
read_forbidden(const DbertJson *at, const DbertConfig *config, DbertGeneration *g, DbertError *err)
{
	DbertJson	list;

	DBERT_TRY(dbert_json_child(at, "bad_words_ids", JSON_ARRAY, &list, err));
	for (size_t i = 0; i < json_array_size(list.value); i++)
	{
		const json_t *words = json_array_get(list.value, i),
				   *id = json_array_get(words, 0);

		if (json_array_size(words) != 1 || g->n_forbidden == DBERT_MAX_FORBIDDEN)
			return dbert_fail(err, DBERT_E_UNSUPPORTED,
							  "%s: more than %d words, or words of several tokens, are not "
							  "supported", list.where, DBERT_MAX_FORBIDDEN);
		if (!json_is_integer(id) || json_integer_value(id) < 0 ||
			json_integer_value(id) >= config->vocab)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: a word is none of the %d tokens",
							  list.where, (int) config->vocab);
		/* as transformers has it, the end is never forbidden */
		if (json_integer_value(id) != g->end)
			g->forbidden[g->n_forbidden++] = (int32_t) json_integer_value(id);
	}
	return DBERT_OK;
}

static DbertStatus
read_early(const DbertJson *at, DbertGeneration *g, DbertError *err)
{
	const json_t *value = json_object_get(at->value, "early_stopping");
	bool		full = false;

	if (json_is_string(value) && strcmp(json_string_value(value), "never") == 0)
	{
		g->early = DBERT_STOP_NEVER;
		return DBERT_OK;
	}
	DBERT_TRY(dbert_json_bool(at, "early_stopping", &full, err));
	g->early = full ? DBERT_STOP_FULL : DBERT_STOP_LIKELY;
	return DBERT_OK;
}

static DbertStatus
read_length(const DbertJson *at, const DbertConfig *config, DbertGeneration *g, DbertError *err)
{
	int64_t		length = config->positions,
				more = 0;

	DBERT_TRY(dbert_json_int(at, "max_length", 2, INT32_MAX, &length, err));
	DBERT_TRY(dbert_json_int(at, "max_new_tokens", 1, INT32_MAX - 1, &more, err));
	if (more > 0)
		length = more + 1;
	g->max_length = (int32_t) (length < config->positions ? length : config->positions);
	return DBERT_OK;
}

static DbertStatus
read_settings(const DbertJson *at, const DbertConfig *config, DbertGeneration *g, DbertError *err)
{
	int64_t		beams = 1;
	double		penalty = 1;
	bool		renormalize = false;

	DBERT_TRY(dbert_json_expect(at, JSON_OBJECT, err));
	DBERT_TRY(refuse_others(at, err));
	DBERT_TRY(read_token(at, "decoder_start_token_id", config, &g->start, err));
	DBERT_TRY(read_token(at, "eos_token_id", config, &g->end, err));
	DBERT_TRY(read_token(at, "forced_eos_token_id", config, &g->forced_end, err));
	if (g->start < 0 || g->end < 0)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: no \"decoder_start_token_id\" or no \"eos_token_id\"", at->where);
	if (g->forced_end >= 0 && g->forced_end != g->end)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: a \"forced_eos_token_id\" other than \"eos_token_id\" is not "
						  "supported", at->where);
	DBERT_TRY(read_forbidden(at, config, g, err));
	DBERT_TRY(dbert_json_int(at, "num_beams", 1, DBERT_MAX_BEAMS, &beams, err));
	DBERT_TRY(dbert_json_real(at, "length_penalty", -100, 100, &penalty, err));
	DBERT_TRY(dbert_json_bool(at, "renormalize_logits", &renormalize, err));
	DBERT_TRY(read_early(at, g, err));
	g->beams = (int32_t) beams;
	g->length_penalty = (float) penalty;
	g->renormalize = renormalize;
	return read_length(at, config, g, err);
}

/* What config.json says of tokens holds where the other file is silent. */
static DbertStatus
begin_tokens(const DbertJson *root, const DbertConfig *config, DbertGeneration *g, DbertError *err)
{
	*g = (DbertGeneration) {.start = -1, .end = -1, .forced_end = -1};
	DBERT_TRY(read_token(root, "decoder_start_token_id", config, &g->start, err));
	return read_token(root, "eos_token_id", config, &g->end, err);
}

DbertStatus
dbert_generation_read(const DbertSource *source, const char *dir, const DbertJson *root,
					  const DbertAllocator *alloc, DbertArena *arena, const DbertPoll *poll,
					  DbertConfig *config, DbertFileList *list, DbertError *err)
{
	DbertJsonTree tree;
	DbertJson	at;
	DbertStatus status;

	DBERT_TRY(begin_tokens(root, config, &config->generation, err));
	DBERT_TRY(dbert_file_list_add(list, arena, source, dir, GENERATION_FILE, err));
	status = dbert_json_load(source, dir, GENERATION_FILE, DBERT_JSON_MAX, 0, true, alloc, poll,
							 &tree, &at, err);
	if (status == DBERT_OK)
		status = read_settings(at.value != NULL ? &at : root, config, &config->generation, err);
	dbert_json_free(&tree);
	return status;
}

static bool
is_token(const DbertConfig *config, int32_t id)
{
	return id >= 0 && id < config->vocab;
}

bool
dbert_generation_valid(const DbertConfig *c)
{
	const DbertGeneration *g = &c->generation;

	if (dbert_decoder_layers(c) == 0)
		return c->head != DBERT_HEAD_TRANSLATE;
	if (!is_token(c, g->start) || !is_token(c, g->end) ||
		(g->forced_end != -1 && g->forced_end != g->end) || g->max_length < 2 ||
		g->max_length > c->positions || g->beams < 1 || g->beams > DBERT_MAX_BEAMS ||
		g->early < DBERT_STOP_LIKELY || g->early > DBERT_STOP_NEVER || g->renormalize < 0 ||
		g->renormalize > 1 || !(fabsf(g->length_penalty) <= 100) || g->n_forbidden < 0 ||
		g->n_forbidden > DBERT_MAX_FORBIDDEN)
		return false;
	for (int i = 0; i < g->n_forbidden; i++)
		if (!is_token(c, g->forbidden[i]))
			return false;
	return c->decoder_layers <= DBERT_MAX_LAYERS;
}
