/*
 * tokenadded.c -- added tokens that are named beside a vocabulary: in
 * tokenizer_config.json, special_tokens_map.json and added_tokens.json.
 */
#include "model/vocabsource.h"

#include <stdlib.h>
#include <string.h>

/* Add tokens in the order of their ids, in which they were added first. */
static DbertStatus
add_sorted(DbertAddedToken *tokens, size_t n, DbertTokenSpec *t, DbertError *err)
{
	if (n > 0)
		qsort(tokens, n, sizeof(*tokens), dbert_compare_added);
	for (size_t i = 0; i < n; i++)
		DBERT_TRY(dbert_token_spec_add(t, &tokens[i], err));
	return DBERT_OK;
}

static DbertStatus
id_of_key(const char *where, const char *key, int32_t *id, DbertError *err)
{
	char	   *end;
	long		value = strtol(key, &end, 10);
	char		clip[DBERT_CLIP];

	if (key[0] < '0' || key[0] > '9' || *end != '\0' || value > INT32_MAX)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"%s\" is no token id", where,
						  dbert_clip(key, clip));
	*id = (int32_t) value;
	return DBERT_OK;
}

/* tokenizer_config.json's "added_tokens_decoder": id -> token */
static DbertStatus
add_decoder(const DbertJson *config, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	map;
	DbertAddedToken *tokens;
	size_t		n = 0;
	const char *key;
	json_t	   *value;

	DBERT_TRY(dbert_json_child(config, "added_tokens_decoder", JSON_OBJECT, &map, err));
	if (map.value == NULL)
		return DBERT_OK;
	tokens = dbert_arena_alloc(t->arena, json_object_size(map.value), sizeof(*tokens));
	if (tokens == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	json_object_foreach((json_t *) map.value, key, value)
	{
		DbertJson	object = map;

		object.value = value;
		DBERT_TRY(dbert_json_expect(&object, JSON_OBJECT, err));
		DBERT_TRY(dbert_token_flags(&object, &tokens[n], err));
		DBERT_TRY(id_of_key(map.where, key, &tokens[n].id, err));
		n++;
	}
	return add_sorted(tokens, n, t, err);
}

/* A token as a string, or as an object with its "content". */
static bool
is_token(const json_t *value, const char *text)
{
	const char *content;

	if (json_is_object(value))
		value = json_object_get(value, "content");
	content = json_string_value(value);
	return content != NULL && strcmp(content, text) == 0;
}

/* Has a token a role: by a key "..._token" of a file, or in the class? */
static bool
has_role(const DbertVocabSource *f, const char *text)
{
	const json_t *objects[] = {f->config.value, f->special_map.value};
	const char *key;
	json_t	   *value;

	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		json_object_foreach((json_t *) objects[i], key, value)
		{
			size_t		n = strlen(key);

			if (n > 6 && strcmp(key + n - 6, "_token") == 0 && is_token(value, text))
				return true;
		}
	for (int i = 0; f->named != NULL && i < DBERT_SPECIALS; i++)
		if (strcmp(f->named->roles[i], text) == 0)
			return true;
	return false;
}

/*
 * added_tokens.json: token -> id.  It tells nothing else: a token with a role
 * is special, others are not, and are found in normalised text.
 */
static DbertStatus
add_map(const DbertVocabSource *f, DbertTokenSpec *t, DbertError *err)
{
	const DbertJson *map = &f->added_map;
	DbertAddedToken *tokens;
	size_t		n = 0;
	const char *text;
	json_t	   *id;

	if (map->value == NULL)
		return DBERT_OK;
	tokens = dbert_arena_alloc(t->arena, json_object_size(map->value), sizeof(*tokens));
	if (tokens == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	json_object_foreach((json_t *) map->value, text, id)
	{
		if (!json_is_integer(id) || json_integer_value(id) < 0 ||
			json_integer_value(id) > INT32_MAX)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: a value is no token id", map->where);
		tokens[n] = (DbertAddedToken)
		{
			.text = text,.len = strlen(text),.id = (int32_t) json_integer_value(id),
				.special = has_role(f, text)
		};
		tokens[n].normalized = !tokens[n].special;
		n++;
	}
	return add_sorted(tokens, n, t, err);
}

/* One more special token: a string, or an object with flags. */
static DbertStatus
add_special(const DbertJson *item, DbertTokenSpec *t, DbertError *err)
{
	DbertAddedToken token = {.id = -1};

	if (json_is_string(item->value))
	{
		token.text = json_string_value(item->value);
		token.len = strlen(token.text);
	}
	else
	{
		DBERT_TRY(dbert_json_expect(item, JSON_OBJECT, err));
		DBERT_TRY(dbert_token_flags(item, &token, err));
		if (json_object_get(item->value, "normalized") == NULL)
			token.normalized = false;
	}
	token.special = true;
	return dbert_token_spec_add(t, &token, err);
}

/* Further special tokens, a list, or an object of which the values count. */
static DbertStatus
add_specials(const DbertJson *object, const char *key, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	list;
	const char *name;
	json_t	   *value;

	if (json_is_object(json_object_get(object->value, key)))
	{
		DBERT_TRY(dbert_json_child(object, key, JSON_OBJECT, &list, err));
		json_object_foreach((json_t *) list.value, name, value)
		{
			DbertJson	item = list;

			item.value = value;
			DBERT_TRY(add_special(&item, t, err));
		}
		return DBERT_OK;
	}
	DBERT_TRY(dbert_json_child(object, key, JSON_ARRAY, &list, err));
	for (size_t i = 0; i < json_array_size(list.value); i++)
	{
		DbertJson	item = list;

		item.value = json_array_get(list.value, i);
		DBERT_TRY(add_special(&item, t, err));
	}
	return DBERT_OK;
}

DbertStatus
dbert_vocab_source_add(const DbertVocabSource *f, DbertTokenSpec *t, DbertError *err)
{
	DBERT_TRY(add_decoder(&f->config, t, err));
	DBERT_TRY(add_map(f, t, err));
	DBERT_TRY(add_specials(&f->config, "additional_special_tokens", t, err));
	DBERT_TRY(add_specials(&f->config, "extra_special_tokens", t, err));
	return add_specials(&f->special_map, "additional_special_tokens", t, err);
}
