/* tokenspec.c -- see tokenspec.h. */
#include "model/tokenspec.h"

#include "base/sort.h"

#include <string.h>

DbertStatus
dbert_token_spec_poll(const DbertTokenSpec *t, int64_t i, DbertError *err)
{
	if (i % 1024 == 1023 && dbert_stopped(t->poll))
		return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
	return DBERT_OK;
}

typedef struct DbertVocabEntry
{
	const char *text;
	int32_t		id;
} DbertVocabEntry;

DbertStatus
dbert_token_spec_put(DbertTokenSpec *t, int64_t id, const char *text, size_t len, DbertError *err)
{
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_token_spec_poll(t, id, err));
	if (id < 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: token \"%s\" has the negative id %lld",
						  t->file, dbert_clip(text, clip), (long long) id);
	if (id >= t->limit)
		return dbert_fail(err, DBERT_E_SHAPE,
						  "%s: token \"%s\" has id %lld, but the word embedding has %d rows",
						  t->file, dbert_clip(text, clip), (long long) id, t->limit);
	if (t->tokens[id] != NULL)
	{
		char		other[DBERT_CLIP];

		return dbert_fail(err, DBERT_E_FORMAT, "%s: tokens \"%s\" and \"%s\" both have id %lld",
						  t->file, dbert_clip(t->tokens[id], other), dbert_clip(text, clip),
						  (long long) id);
	}
	t->tokens[id] = text;
	t->lens[id] = len;
	if (id >= t->spec.n_tokens)
		t->spec.n_tokens = (int32_t) id + 1;
	return DBERT_OK;
}

static int
compare_entries(const void *a, const void *b)
{
	const DbertVocabEntry *x = a,
			   *y = b;
	int			order = strcmp(x->text, y->text);

	return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

DbertStatus
dbert_token_spec_index(DbertTokenSpec *t, DbertError *err)
{
	size_t		n = 0,
				kept = 0;

	t->sorted = dbert_arena_alloc(t->arena, (size_t) t->spec.n_tokens, sizeof(*t->sorted));
	if (t->sorted == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (int32_t id = 0; id < t->spec.n_tokens; id++)
		if (t->tokens[id] != NULL)
			t->sorted[n++] = (DbertVocabEntry) {t->tokens[id], id};
	DBERT_TRY(dbert_sort(t->sorted, n, sizeof(*t->sorted), compare_entries, t->arena->alloc,
						 t->poll, err));
	for (size_t i = 0; i < n; i++)
	{
		/* equal texts lie in a row, the last id last */
		if (i + 1 < n && strcmp(t->sorted[i].text, t->sorted[i + 1].text) == 0)
			t->tokens[t->sorted[i].id] = NULL;
		else
			t->sorted[kept++] = t->sorted[i];
	}
	t->n_sorted = kept;
	return DBERT_OK;
}

DbertStatus
dbert_token_spec_index_once(DbertTokenSpec *t, DbertError *err)
{
	const char **texts = dbert_arena_alloc(t->arena, (size_t) t->spec.n_tokens, sizeof(*texts));
	char		clip[DBERT_CLIP];

	if (texts == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	memcpy(texts, t->tokens, (size_t) t->spec.n_tokens * sizeof(*texts));
	DBERT_TRY(dbert_token_spec_index(t, err));
	for (int32_t id = 0; id < t->spec.n_tokens; id++)
		if (t->tokens[id] != texts[id])
			return dbert_fail(err, DBERT_E_FORMAT, "%s: piece %d, \"%s\", is there a second time",
							  t->file, (int) id, dbert_clip(texts[id], clip));
	return DBERT_OK;
}

DbertStatus
dbert_token_spec_scores(DbertTokenSpec *t, DbertError *err)
{
	t->scores = dbert_arena_alloc(t->arena, (size_t) t->limit, sizeof(*t->scores));
	t->spec.scores = t->scores;
	return t->scores != NULL ? DBERT_OK : dbert_fail(err, DBERT_E_NOMEM, "out of memory");
}

static const DbertAddedToken *
find_added(const DbertTokenSpec *t, const char *text)
{
	for (int i = 0; i < t->spec.n_added; i++)
		if (strcmp(t->added[i].text, text) == 0)
			return &t->added[i];
	return NULL;
}

static int32_t
find_vocab(const DbertTokenSpec *t, const char *text)
{
	DbertVocabEntry key = {text, 0};
	size_t		low = 0,
				high = t->n_sorted;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;
		int			order = strcmp(key.text, t->sorted[middle].text);

		if (order == 0)
			return t->sorted[middle].id;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

int32_t
dbert_token_spec_find(const DbertTokenSpec *t, const char *text)
{
	const DbertAddedToken *added;
	int32_t		id = find_vocab(t, text);

	if (id >= 0)
		return id;
	added = find_added(t, text);
	return added != NULL ? added->id : -1;
}

DbertStatus
dbert_token_spec_add(DbertTokenSpec *t, const DbertAddedToken *token, DbertError *err)
{
	int32_t		id = find_vocab(t, token->text);
	char		clip[DBERT_CLIP];

	if (token->len == 0 || find_added(t, token->text) != NULL)
		return DBERT_OK;
	if (t->spec.n_added == DBERT_MAX_ADDED)
		return dbert_fail(err, DBERT_E_LIMIT, "%s: more than %d added tokens", t->file,
						  DBERT_MAX_ADDED);
	if (id < 0)
	{
		id = t->spec.n_tokens;
		DBERT_TRY(dbert_token_spec_put(t, id, token->text, token->len, err));
		/*
		 * words are cut with the vocabulary alone: the id has its text from
		 * added[]
		 */
		t->tokens[id] = NULL;
		t->lens[id] = 0;
	}
	if (token->id >= 0 && token->id != id)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: added token \"%s\" has id %d, expected %d",
						  t->file, dbert_clip(token->text, clip), token->id, id);
	t->added[t->spec.n_added] = *token;
	t->added[t->spec.n_added].id = id;
	t->spec.n_added++;
	return DBERT_OK;
}

DbertStatus
dbert_token_flags(const DbertJson *object, DbertAddedToken *token, DbertError *err)
{
	const char *content = NULL;

	DBERT_TRY(dbert_json_string(object, "content", &content, err));
	if (content == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"content\"", object->where);
	token->text = content;
	token->len = strlen(content);
	DBERT_TRY(dbert_json_bool(object, "special", &token->special, err));
	token->normalized = !token->special;
	DBERT_TRY(dbert_json_bool(object, "single_word", &token->single_word, err));
	DBERT_TRY(dbert_json_bool(object, "lstrip", &token->lstrip, err));
	DBERT_TRY(dbert_json_bool(object, "rstrip", &token->rstrip, err));
	return dbert_json_bool(object, "normalized", &token->normalized, err);
}

int
dbert_compare_added(const void *a, const void *b)
{
	const DbertAddedToken *x = a,
			   *y = b;

	return (x->id > y->id) - (x->id < y->id);
}
