/*
 * tokenizerbpe.c -- BPE models: "BPE" of tokenizer.json, vocab.json and
 * merges.txt.
 *
 * Merges are strings "left right" or pairs [left, right]; left, right and what
 * they become must be tokens.  Whether tokens are of bytes or of characters,
 * the pre-tokenizer tells.
 */
#include "model/tokenspec.h"

#include <stdio.h>
#include <string.h>

/* Longer than two tokens of any vocabulary. */
#define MERGED_MAX 4096

static DbertStatus
find_token(const DbertTokenSpec *t, const char *where, const char *text, int32_t *id,
		   DbertError *err)
{
	char		clip[DBERT_CLIP];

	*id = dbert_token_spec_find(t, text);
	if (*id >= 0)
		return DBERT_OK;
	return dbert_fail(err, DBERT_E_FORMAT, "%s: merge %d needs \"%s\", which is no token", where,
					  (int) t->spec.n_merges, dbert_clip(text, clip));
}

DbertStatus
dbert_token_spec_merges(DbertTokenSpec *t, const char *where, size_t n, DbertError *err)
{
	if (n > INT32_MAX / 4)
		return dbert_fail(err, DBERT_E_LIMIT, "%s: too many merges", where);
	t->merges = dbert_arena_alloc(t->arena, n, sizeof(*t->merges));
	t->spec.merges = t->merges;
	t->spec.n_merges = 0;
	return t->merges != NULL ? DBERT_OK : dbert_fail(err, DBERT_E_NOMEM, "out of memory");
}

/* The next merge, by rank. */
static DbertStatus
add_merge(DbertTokenSpec *t, const char *where, const char *left, const char *right,
		  DbertError *err)
{
	DbertMerge	merge;
	char		merged[MERGED_MAX];

	DBERT_TRY(dbert_token_spec_poll(t, t->spec.n_merges, err));
	DBERT_TRY(find_token(t, where, left, &merge.left, err));
	DBERT_TRY(find_token(t, where, right, &merge.right, err));
	snprintf(merged, sizeof(merged), "%s%s", left, right);
	DBERT_TRY(find_token(t, where, merged, &merge.merged, err));
	t->merges[t->spec.n_merges++] = merge;
	return DBERT_OK;
}

/* A merge as a string, which is changed: "left right". */
static DbertStatus
add_line(DbertTokenSpec *t, const char *where, char *line, DbertError *err)
{
	char	   *space = strchr(line, ' ');
	char		clip[DBERT_CLIP];

	if (t->spec.n_merges == 0 && strncmp(line, "#version", 8) == 0)
		return DBERT_OK;
	if (space == NULL || strchr(space + 1, ' ') != NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"%s\" is no merge of two tokens", where,
						  dbert_clip(line, clip));
	*space = '\0';
	return add_merge(t, where, line, space + 1, err);
}

/* ---- tokenizer.json ---- */

static DbertStatus
read_merge(const DbertJson *list, const json_t *item, DbertTokenSpec *t, DbertError *err)
{
	const char *left = json_string_value(json_array_get(item, 0)),
			   *right = json_string_value(json_array_get(item, 1));
	char	   *line;

	if (json_is_string(item))
	{
		line = dbert_arena_strndup(t->arena, json_string_value(item), json_string_length(item));
		if (line == NULL)
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
		return add_line(t, list->where, line, err);
	}
	if (left == NULL || right == NULL || json_array_size(item) != 2)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: merge %d is no pair of tokens", list->where,
						  (int) t->spec.n_merges);
	return add_merge(t, list->where, left, right, err);
}

static DbertStatus
read_merges(const DbertJson *model, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	list;

	DBERT_TRY(dbert_json_child(model, "merges", JSON_ARRAY, &list, err));
	if (list.value == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"merges\"", model->where);
	DBERT_TRY(dbert_token_spec_merges(t, list.where, json_array_size(list.value), err));
	for (size_t i = 0; i < json_array_size(list.value); i++)
		DBERT_TRY(read_merge(&list, json_array_get(list.value, i), t, err));
	return DBERT_OK;
}

/* What would change the tokens and has no code. */
static DbertStatus
refuse_settings(const DbertJson *model, DbertError *err)
{
	static const char *const keys[] = {"continuing_subword_prefix", "end_of_word_suffix"};
	double		dropout = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
	{
		const char *text = "";

		DBERT_TRY(dbert_json_string(model, keys[i], &text, err));
		if (text[0] != '\0')
			return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"%s\" is not supported",
							  model->where, keys[i]);
	}
	DBERT_TRY(dbert_json_real(model, "dropout", 0, 1, &dropout, err));
	if (dropout > 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"dropout\" is not supported",
						  model->where);
	return DBERT_OK;
}

DbertStatus
dbert_tokenizer_bpe_read(const DbertJson *model, DbertTokenSpec *t, DbertError *err)
{
	const char *unknown = "";

	t->spec.kind = t->bytes ? DBERT_KIND_BYTEBPE : DBERT_KIND_CHARBPE;
	t->own_unknown = !t->bytes;
	DBERT_TRY(refuse_settings(model, err));
	DBERT_TRY(dbert_tokenizer_model_vocab(model, t, err));
	DBERT_TRY(read_merges(model, t, err));
	DBERT_TRY(dbert_json_bool(model, "ignore_merges", &t->spec.ignore_merges, err));
	DBERT_TRY(dbert_json_bool(model, "fuse_unk", &t->spec.fuse_unk, err));
	DBERT_TRY(dbert_json_bool(model, "byte_fallback", &t->spec.byte_fallback, err));
	DBERT_TRY(dbert_json_string(model, "unk_token", &unknown, err));
	if (unknown[0] == '\0')
		return DBERT_OK;
	t->role[DBERT_SPECIAL_UNK] = unknown;
	t->spec.unknown_id = dbert_token_spec_find(t, unknown);
	if (t->spec.unknown_id < 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"unk_token\" is no token", model->where);
	return DBERT_OK;
}

/* ---- vocab.json and merges.txt ---- */

static DbertStatus
read_lines(char *text, size_t len, const char *where, DbertTokenSpec *t, DbertError *err)
{
	size_t		n = 1;

	if (memchr(text, '\0', len) != NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: holds a zero byte", where);
	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	DBERT_TRY(dbert_token_spec_merges(t, where, n, err));
	while (text != NULL)
	{
		char	   *end = strchr(text, '\n'),
				   *next = end != NULL ? end + 1 : NULL;

		if (end == NULL)
			end = text + strlen(text);
		if (end > text && end[-1] == '\r')
			end--;
		*end = '\0';
		if (text[0] != '\0')
			DBERT_TRY(add_line(t, where, text, err));
		text = next;
	}
	return DBERT_OK;
}

DbertStatus
dbert_vocab_merges_read(const DbertJson *vocab, char *merges, size_t len,
						const DbertJson *config, DbertTokenSpec *t, DbertError *err)
{
	bool		space = false;

	t->spec.kind = DBERT_KIND_BYTEBPE;
	t->spec.clean_text = t->spec.split_cjk = t->spec.lowercase = false;
	t->spec.trim_offsets = true;
	DBERT_TRY(dbert_tokenizer_vocab_read(vocab, t, err));
	DBERT_TRY(read_lines(merges, len, "merges.txt", t, err));
	DBERT_TRY(dbert_json_bool(config, "add_prefix_space", &space, err));
	DBERT_TRY(dbert_json_bool(config, "trim_offsets", &t->spec.trim_offsets, err));
	t->spec.trim_keeps_first = space;
	t->spec.split_by_steps = true;
	if (space)
		t->splitters[t->spec.n_splitters++].kind = DBERT_STEP_SPACE_BEFORE;
	t->splitters[t->spec.n_splitters++] =
		(DbertStepSpec) {.kind = DBERT_STEP_REGEX, .mode = DBERT_REGEX_SPACE_NUMBER};
	return DBERT_OK;
}
