/*
 * tokenizerspaces.c -- steps of tokenizer.json that change spaces and other
 * short texts, and the character map: what SentencePiece's kinds are made of.
 */
#include "model/base64.h"
#include "model/tokenspec.h"
#include "text/charsmap.h"

#include <stdio.h>
#include <string.h>

/* A text of a step, not longer than the step's code takes. */
static DbertStatus
read_text(const DbertJson *object, const char *key, const char **text, size_t *len,
		  DbertError *err)
{
	*text = NULL;
	DBERT_TRY(dbert_json_string(object, key, text, err));
	if (*text == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"%s\"", object->where, key);
	*len = strlen(*text);
	if (*len > DBERT_STEP_TEXT_MAX)
		return dbert_fail(err, DBERT_E_LIMIT, "%s: \"%s\" has more than %d bytes", object->where,
						  key, DBERT_STEP_TEXT_MAX);
	return DBERT_OK;
}

static DbertStatus
add_normalizer(const DbertJson *object, DbertTokenSpec *t, DbertStepSpec step, DbertError *err)
{
	return dbert_tokenizer_step_add(object, t->normalizers, &t->spec.n_normalizers, step, err);
}

DbertStatus
dbert_token_spec_charsmap(const char *bytes, size_t size, const char *what, DbertStepSpec *step,
						  DbertError *err)
{
	DbertCharsmap map;
	DbertError	inner;
	DbertStatus status = dbert_charsmap_open(bytes, size, &map, &inner);

	*step = (DbertStepSpec) {.kind = DBERT_STEP_CHARSMAP, .text = bytes, .len = size};
	return status == DBERT_OK ? status : dbert_fail(err, status, "%s: %s", what, inner.msg);
}

/* ---- normalizers ---- */

DbertStatus
dbert_read_precompiled(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	char		what[sizeof(object->where) + 32];
	const char *text = NULL;
	uint8_t    *bytes = NULL;
	size_t		size = 0;
	DbertStepSpec step;

	DBERT_TRY(dbert_json_string(object, "precompiled_charsmap", &text, err));
	if (text == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"precompiled_charsmap\"", object->where);
	snprintf(what, sizeof(what), "%s: precompiled_charsmap", object->where);
	DBERT_TRY(dbert_base64_read(text, strlen(text), what, t->arena, &bytes, &size, err));
	DBERT_TRY(dbert_token_spec_charsmap((const char *) bytes, size, what, &step, err));
	return add_normalizer(object, t, step, err);
}

/* {"String": text} or {"Regex": one of those that are known} */
static DbertStatus
read_pattern(const DbertJson *object, DbertStepSpec *step, DbertError *err)
{
	DbertJson	pattern;
	const char *regex = NULL;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_child(object, "pattern", JSON_OBJECT, &pattern, err));
	if (pattern.value == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"pattern\"", object->where);
	DBERT_TRY(dbert_json_string(&pattern, "Regex", &regex, err));
	if (regex == NULL)
	{
		DBERT_TRY(read_text(&pattern, "String", &step->text, &step->len, err));
		if (step->len == 0)
			return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"String\" is empty", pattern.where);
		step->mode = DBERT_REPLACE_TEXT;
	}
	else if (strcmp(regex, " {2,}") == 0)
		step->mode = DBERT_REPLACE_SPACES;
	else if (strcmp(regex, "\\s+") == 0)
		step->mode = DBERT_REPLACE_WHITE_RUN;
	else if (strcmp(regex, "\\s{2,}|[\\n\\r\\t]") == 0)
		step->mode = DBERT_REPLACE_WHITE;
	else
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: the regular expression \"%s\" is not supported, only \" {2,}\", "
						  "\"\\s+\" and \"\\s{2,}|[\\n\\r\\t]\" are", pattern.where,
						  dbert_clip(regex, clip));
	return DBERT_OK;
}

static bool
is_ascii(const DbertStepSpec *step)
{
	return step->mode == DBERT_REPLACE_TEXT && step->len == 1 && (uint8_t) step->text[0] < 0x80;
}

/*
 * May step be done together with last?  Both replace single characters, and
 * step's is nothing that last puts or takes.
 */
static bool
may_join(const DbertStepSpec *last, const DbertStepSpec *step)
{
	return last->kind == DBERT_STEP_REPLACE && is_ascii(step) &&
		(is_ascii(last) || last->mode == DBERT_REPLACE_EACH) &&
		memchr(last->text, step->text[0], last->len) == NULL &&
		memchr(last->more, step->text[0], last->more_len) == NULL;
}

/*
 * model2vec replaces each of 32 marks in a step of its own: last does what step
 * does, too.
 */
static DbertStatus
join(DbertStepSpec *last, const DbertStepSpec *step, DbertTokenSpec *t, DbertError *err)
{
	size_t		before = last->more_len + (last->mode == DBERT_REPLACE_TEXT);
	char	   *text = dbert_arena_alloc(t->arena, last->len + 1, 1),
			   *more = dbert_arena_alloc(t->arena, before + step->more_len + 1, 1);

	/* an arena's memory is zero: so the texts of more have their ends */
	if (text == NULL || more == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	memcpy(text, last->text, last->len);
	text[last->len] = step->text[0];
	memcpy(more, last->more, last->more_len);
	memcpy(more + before, step->more, step->more_len);
	*last = (DbertStepSpec) {.kind = DBERT_STEP_REPLACE, .mode = DBERT_REPLACE_EACH, .text = text,
	.len = last->len + 1, .more = more, .more_len = before + step->more_len + 1};
	return DBERT_OK;
}

DbertStatus
dbert_read_replace(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	DbertStepSpec step = {.kind = DBERT_STEP_REPLACE};
	DbertStepSpec *last =
		t->spec.n_normalizers > 0 ? &t->normalizers[t->spec.n_normalizers - 1] : NULL;

	DBERT_TRY(read_text(object, "content", &step.more, &step.more_len, err));
	DBERT_TRY(read_pattern(object, &step, err));
	if (last != NULL && may_join(last, &step))
		return join(last, &step, t, err);
	return add_normalizer(object, t, step, err);
}

DbertStatus
dbert_read_strip(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	DbertStepSpec step = {.kind = DBERT_STEP_STRIP};
	bool		left = true,
				right = true;

	DBERT_TRY(dbert_json_bool(object, "strip_left", &left, err));
	DBERT_TRY(dbert_json_bool(object, "strip_right", &right, err));
	step.mode = (left ? DBERT_STRIP_LEFT : 0) | (right ? DBERT_STRIP_RIGHT : 0);
	return add_normalizer(object, t, step, err);
}

DbertStatus
dbert_read_prepend(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	DbertStepSpec step = {.kind = DBERT_STEP_PREPEND};

	DBERT_TRY(read_text(object, "prepend", &step.text, &step.len, err));
	return add_normalizer(object, t, step, err);
}

/* ---- pre-tokenizers ---- */

/*
 * Old files have "add_prefix_space" in place of "prepend_scheme", and "str_rep"
 * beside "replacement", which means nothing.
 */
DbertStatus
dbert_read_metaspace(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	static const char *const schemes[] = {
		[DBERT_METASPACE_NEVER] = "never",
		[DBERT_METASPACE_FIRST] = "first",
		[DBERT_METASPACE_ALWAYS] = "always"
	};
	const char *replacement = NULL,
			   *scheme = NULL;
	bool		prefix = true,
				split = true;
	int			mode;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(object, "replacement", &replacement, err));
	if (replacement == NULL || strcmp(replacement, "\xe2\x96\x81") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: only the replacement U+2581 is supported",
						  object->where);
	DBERT_TRY(dbert_json_bool(object, "add_prefix_space", &prefix, err));
	DBERT_TRY(dbert_json_bool(object, "split", &split, err));
	DBERT_TRY(dbert_json_string(object, "prepend_scheme", &scheme, err));
	if (scheme == NULL)
		scheme = schemes[prefix ? DBERT_METASPACE_ALWAYS : DBERT_METASPACE_NEVER];
	for (mode = DBERT_METASPACE_NEVER; strcmp(scheme, schemes[mode]) != 0; mode++)
		if (mode == DBERT_METASPACE_ALWAYS)
			return dbert_fail(err, DBERT_E_UNSUPPORTED,
							  "%s: the prepend_scheme \"%s\" is not supported", object->where,
							  dbert_clip(scheme, clip));
	mode |= split ? DBERT_METASPACE_SPLIT : 0;
	return dbert_tokenizer_step_add(object, t->splitters, &t->spec.n_splitters,
									(DbertStepSpec) {.kind = DBERT_STEP_METASPACE, .mode = mode},
									err);
}
