/*
 * tokenizertemplate.c -- tokenizer.json's post-processor: what is put around
 * texts.
 *
 * BertProcessing "cls A sep B sep", RobertaProcessing "cls A sep sep B sep",
 * TemplateProcessing as it is written; ByteLevel only trims offsets.  In a
 * "Sequence" each of the two is there once at most.
 */
#include "model/tokenspec.h"

#include <string.h>

/* ---- tokens and their ids ---- */

/* "cls": ["[CLS]", 101] */
static DbertStatus
read_token(const DbertJson *object, const char *key, DbertSpecialToken role, DbertTokenSpec *t,
		   int32_t *out, DbertError *err)
{
	DbertJson	pair;
	const json_t *name,
			   *id;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_child(object, key, JSON_ARRAY, &pair, err));
	name = json_array_get(pair.value, 0);
	id = json_array_get(pair.value, 1);
	if (!json_is_string(name) || !json_is_integer(id))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"%s\" is no token with its id",
						  object->where, key);
	t->role[role] = json_string_value(name);
	*out = dbert_token_spec_find(t, t->role[role]);
	if (*out < 0 || *out != json_integer_value(id))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"%s\" has id %lld, in the vocabulary %d",
						  object->where, dbert_clip(t->role[role], clip),
						  (long long) json_integer_value(id), (int) *out);
	return DBERT_OK;
}

/* Append one token to a template; part: its head, middle or tail. */
static DbertStatus
add_id(const DbertJson *where, DbertTemplate *to, int32_t *part, int32_t id, uint8_t type,
	   DbertError *err)
{
	int32_t		n = dbert_template_size(to);

	if (n == DBERT_TEMPLATE_MAX)
		return dbert_fail(err, DBERT_E_LIMIT, "%s: more than %d tokens in a template",
						  where->where, DBERT_TEMPLATE_MAX);
	to->ids[n] = id;
	to->types[n] = type;
	(*part)++;
	return DBERT_OK;
}

/* ---- BertProcessing, RobertaProcessing ---- */

static DbertStatus
read_pairwise(const DbertJson *object, int32_t separators, uint8_t second, DbertTokenSpec *t,
			  DbertError *err)
{
	int32_t		cls,
				sep;

	DBERT_TRY(read_token(object, "cls", DBERT_SPECIAL_CLS, t, &cls, err));
	DBERT_TRY(read_token(object, "sep", DBERT_SPECIAL_SEP, t, &sep, err));
	t->single = (DbertTemplate) {.ids = {cls, sep}, .head = 1, .tail = 1};
	t->pair = (DbertTemplate) {.ids = {cls}, .head = 1, .text_types = {0, second}};
	for (int32_t i = 0; i < separators; i++)
		DBERT_TRY(add_id(object, &t->pair, &t->pair.middle, sep, 0, err));
	return add_id(object, &t->pair, &t->pair.tail, sep, second, err);
}

static DbertStatus
read_trimming(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	t->spec.trim_offsets = t->spec.trim_keeps_first = true;
	DBERT_TRY(dbert_json_bool(object, "trim_offsets", &t->spec.trim_offsets, err));
	return dbert_json_bool(object, "add_prefix_space", &t->spec.trim_keeps_first, err);
}

/* ---- TemplateProcessing ---- */

/* Append the ids of a special token, by the object's "special_tokens". */
static DbertStatus
add_special(const DbertJson *object, const char *name, uint8_t type, DbertTokenSpec *t,
			DbertTemplate *to, int32_t *part, DbertError *err)
{
	const json_t *entry = json_object_get(json_object_get(object->value, "special_tokens"), name);
	const json_t *ids = json_object_get(entry, "ids");
	char		clip[DBERT_CLIP];

	if (!json_is_array(ids))
	{
		int32_t		id = dbert_token_spec_find(t, name);

		if (entry != NULL || id < 0)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: \"special_tokens\" has no ids of \"%s\"",
							  object->where, dbert_clip(name, clip));
		return add_id(object, to, part, id, type, err);
	}
	for (size_t i = 0; i < json_array_size(ids); i++)
	{
		const json_t *id = json_array_get(ids, i);

		if (!json_is_integer(id) || json_integer_value(id) < 0 ||
			json_integer_value(id) >= t->spec.n_tokens)
			return dbert_fail(err, DBERT_E_FORMAT,
							  "%s: an id of \"%s\" is outside the vocabulary of %d", object->where,
							  dbert_clip(name, clip), (int) t->spec.n_tokens);
		DBERT_TRY(add_id(object, to, part, (int32_t) json_integer_value(id), type, err));
	}
	return DBERT_OK;
}

/*
 * {"SpecialToken": {"id": name, "type_id": type}}, or {"Sequence": ...}:
 * *special tells which.
 */
static DbertStatus
read_piece(const DbertJson *object, const DbertJson *list, size_t i, bool *special,
		   const char **name, uint8_t *type, DbertError *err)
{
	const json_t *item = json_array_get(list->value, i);
	const json_t *piece = json_object_get(item, "SpecialToken");
	json_int_t	type_id;

	*special = (piece != NULL);
	if (piece == NULL)
		piece = json_object_get(item, "Sequence");
	*name = json_string_value(json_object_get(piece, "id"));
	type_id = json_integer_value(json_object_get(piece, "type_id"));
	if (*name == NULL || type_id < 0 || type_id > UINT8_MAX)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: piece %zu of a template is malformed",
						  object->where, i);
	*type = (uint8_t) type_id;
	return DBERT_OK;
}

/* One template; it holds A, and then B when texts is 2, each once. */
static DbertStatus
read_template(const DbertJson *object, const char *key, int texts, DbertTokenSpec *t,
			  DbertTemplate *to, DbertError *err)
{
	static const char *const names[] = {"A", "B"};
	DbertJson	list;
	int			seen = 0;

	memset(to, 0, sizeof(*to));
	DBERT_TRY(dbert_json_child(object, key, JSON_ARRAY, &list, err));
	for (size_t i = 0; i < json_array_size(list.value); i++)
	{
		int32_t    *part = seen == 0 ? &to->head : seen < texts ? &to->middle : &to->tail;
		const char *name;
		bool		special;
		uint8_t		type = 0;

		DBERT_TRY(read_piece(object, &list, i, &special, &name, &type, err));
		if (special)
		{
			DBERT_TRY(add_special(object, name, type, t, to, part, err));
			if (seen == 0)
				t->role[DBERT_SPECIAL_CLS] = name;
			else
				t->role[DBERT_SPECIAL_SEP] = name;
		}
		else if (seen < texts && strcmp(name, names[seen]) == 0)
			to->text_types[seen++] = type;
		else
			seen = texts + 1;
	}
	if (seen != texts)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: template \"%s\" has not each text once and in order",
						  object->where, key);
	return DBERT_OK;
}

/* ---- the post-processor ---- */

static DbertStatus
read_processor(const DbertJson *object, DbertTokenSpec *t, bool *found, DbertError *err)
{
	const char *type;
	DbertJson	list,
				item;

	DBERT_TRY(dbert_tokenizer_json_type(object, &type, err));
	if (strcmp(type, "ByteLevel") == 0)
		return read_trimming(object, t, err);
	if (strcmp(type, "Sequence") == 0)
	{
		DBERT_TRY(dbert_json_child(object, "processors", JSON_ARRAY, &list, err));
		for (size_t i = 0; i < json_array_size(list.value); i++)
		{
			DBERT_TRY(dbert_tokenizer_json_item(&list, i, &item, err));
			DBERT_TRY(read_processor(&item, t, found, err));
		}
		return DBERT_OK;
	}
	if (*found)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: a second post-processor that adds tokens is not supported",
						  object->where);
	*found = true;
	if (strcmp(type, "BertProcessing") == 0)
		return read_pairwise(object, 1, 1, t, err);
	if (strcmp(type, "RobertaProcessing") == 0)
	{
		DBERT_TRY(read_trimming(object, t, err));
		return read_pairwise(object, 2, 0, t, err);
	}
	if (strcmp(type, "TemplateProcessing") != 0)
		return dbert_tokenizer_json_unknown(object, type, err);
	DBERT_TRY(read_template(object, "single", 1, t, &t->single, err));
	return read_template(object, "pair", 2, t, &t->pair, err);
}

DbertStatus
dbert_tokenizer_template_read(const DbertJson *root, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	object;
	bool		found = false;

	DBERT_TRY(dbert_json_child(root, "post_processor", JSON_OBJECT, &object, err));
	if (object.value != NULL)
		DBERT_TRY(read_processor(&object, t, &found, err));
	/* transformers' BertTokenizer puts the standard one where there is none */
	if (!found && t->spec.kind == DBERT_KIND_WORDPIECE)
		return DBERT_OK;
	if (!found)
		t->pair.text_types[1] = 1;
	t->spec.single = &t->single;
	t->spec.pair = &t->pair;
	return DBERT_OK;
}
