/*
 * tokenizerjson.c -- tokenizer.json, the file of Hugging Face's tokenizers.
 *
 * It can describe any tokenizer; read here is what BERT's is made of: model
 * WordPiece, normalizer BertNormalizer or none, pre-tokenizer
 * BertPreTokenizer, post-processor "[CLS] A [SEP] B [SEP]".  Everything else
 * is refused by name.  Its truncation and padding blocks are of no matter.
 */
#include "model/tokenspec.h"

#include <stdio.h>
#include <string.h>

/* The value of "type"; "" when there is none. */
static DbertStatus
read_type(const DbertJson *object, const char **type, DbertError *err)
{
	*type = "";
	return dbert_json_string(object, "type", type, err);
}

static DbertStatus
unsupported(const DbertJson *object, const char *type, const char *want, DbertError *err)
{
	char		clip[DBERT_CLIP];

	return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: type \"%s\" is not supported, only \"%s\" is",
					  object->where, dbert_clip(type, clip), want);
}

/* A "Sequence" of one element stands for that element. */
static DbertStatus
unwrap(DbertJson *object, const char *list_key, DbertError *err)
{
	const char *type;
	DbertJson	list;

	DBERT_TRY(read_type(object, &type, err));
	if (strcmp(type, "Sequence") != 0)
		return DBERT_OK;
	DBERT_TRY(dbert_json_child(object, list_key, JSON_ARRAY, &list, err));
	if (json_array_size(list.value) != 1)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: a sequence of %zu is not supported",
						  object->where, json_array_size(list.value));
	object->value = json_array_get(list.value, 0);
	return dbert_json_expect(object, JSON_OBJECT, err);
}

static DbertStatus
read_vocab(const DbertJson *model, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	vocab;
	const char *token;
	json_t	   *id;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_child(model, "vocab", JSON_OBJECT, &vocab, err));
	if (vocab.value == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"vocab\"", model->where);
	json_object_foreach((json_t *) vocab.value, token, id)
	{
		if (!json_is_integer(id))
			return dbert_fail(err, DBERT_E_FORMAT, "%s: the id of \"%s\" is not an integer",
							  vocab.where, dbert_clip(token, clip));
		if (token[0] != '\0')	/* of a blank line in the vocab.txt it was made from */
			DBERT_TRY(dbert_token_spec_put(t, json_integer_value(id), token, strlen(token), err));
	}
	if (t->spec.n_tokens == 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: holds no token", vocab.where);
	return dbert_token_spec_index(t, err);
}

static DbertStatus
read_model(const DbertJson *root, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	model;
	const char *type;
	int64_t		max_chars = t->spec.max_word_chars;

	DBERT_TRY(dbert_json_child(root, "model", JSON_OBJECT, &model, err));
	if (model.value == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"model\"", root->where);
	DBERT_TRY(read_type(&model, &type, err));
	/* old files have no type; only WordPiece has a longest word */
	if (type[0] == '\0' && json_object_get(model.value, "max_input_chars_per_word") != NULL)
		type = "WordPiece";
	if (strcmp(type, "WordPiece") != 0)
		return unsupported(&model, type, "WordPiece", err);
	DBERT_TRY(dbert_json_string(&model, "unk_token", &t->role[DBERT_SPECIAL_UNK], err));
	DBERT_TRY(dbert_json_string(&model, "continuing_subword_prefix", &t->spec.prefix, err));
	DBERT_TRY(dbert_json_int(&model, "max_input_chars_per_word", 1, 1000000, &max_chars, err));
	t->spec.max_word_chars = (int32_t) max_chars;
	return read_vocab(&model, t, err);
}

static DbertStatus
read_normalizer(const DbertJson *root, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	object;
	const char *type;
	bool		strip = false;

	/* without a normalizer nothing is changed */
	t->spec.clean_text = t->spec.split_cjk = t->spec.lowercase = false;
	t->strip_accents = 0;
	DBERT_TRY(dbert_json_child(root, "normalizer", JSON_OBJECT, &object, err));
	if (object.value == NULL)
		return DBERT_OK;
	DBERT_TRY(unwrap(&object, "normalizers", err));
	DBERT_TRY(read_type(&object, &type, err));
	if (strcmp(type, "BertNormalizer") != 0)
		return unsupported(&object, type, "BertNormalizer", err);
	t->spec.clean_text = t->spec.split_cjk = t->spec.lowercase = true;
	DBERT_TRY(dbert_json_bool(&object, "clean_text", &t->spec.clean_text, err));
	DBERT_TRY(dbert_json_bool(&object, "handle_chinese_chars", &t->spec.split_cjk, err));
	DBERT_TRY(dbert_json_bool(&object, "lowercase", &t->spec.lowercase, err));
	DBERT_TRY(dbert_json_bool(&object, "strip_accents", &strip, err));
	t->strip_accents = json_is_boolean(json_object_get(object.value, "strip_accents")) ? strip : -1;
	return DBERT_OK;
}

static DbertStatus
read_pre_tokenizer(const DbertJson *root, DbertError *err)
{
	DbertJson	object;
	const char *type;

	DBERT_TRY(dbert_json_child(root, "pre_tokenizer", JSON_OBJECT, &object, err));
	if (object.value == NULL)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: no pre-tokenizer, only \"BertPreTokenizer\" is supported",
						  root->where);
	DBERT_TRY(unwrap(&object, "pretokenizers", err));
	DBERT_TRY(read_type(&object, &type, err));
	if (strcmp(type, "BertPreTokenizer") != 0)
		return unsupported(&object, type, "BertPreTokenizer", err);
	return DBERT_OK;
}

/* ---- the post-processor ---- */

/* BertProcessing: "cls": ["[CLS]", 101] */
static DbertStatus
read_pair(const DbertJson *object, const char *key, DbertSpecialToken role, DbertTokenSpec *t,
		  DbertError *err)
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
	if (dbert_token_spec_find(t, t->role[role]) != json_integer_value(id))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"%s\" has id %lld, in the vocabulary %d",
						  object->where, dbert_clip(t->role[role], clip),
						  (long long) json_integer_value(id),
						  (int) dbert_token_spec_find(t, t->role[role]));
	return DBERT_OK;
}

/*
 * Whether piece i of a template is {"kind": {"id": id, "type_id": type}}; id
 * NULL: any, returned in *found.
 */
static bool
piece_is(const json_t *list, size_t i, const char *kind, const char *id, int type,
		 const char **found)
{
	const json_t *piece = json_object_get(json_array_get(list, i), kind);
	const char *name = json_string_value(json_object_get(piece, "id"));
	const json_t *type_id = json_object_get(piece, "type_id");

	if (name == NULL || !json_is_integer(type_id) || json_integer_value(type_id) != type)
		return false;
	if (found != NULL)
		*found = name;
	return id == NULL || strcmp(name, id) == 0;
}

/*
 * TemplateProcessing that says "[CLS] $A [SEP]" and "[CLS] $A [SEP] $B:1
 * [SEP]:1"
 */
static DbertStatus
read_template(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	single,
				pair;
	const char *cls = NULL,
			   *sep = NULL;

	DBERT_TRY(dbert_json_child(object, "single", JSON_ARRAY, &single, err));
	DBERT_TRY(dbert_json_child(object, "pair", JSON_ARRAY, &pair, err));
	if (json_array_size(single.value) != 3 ||
		!piece_is(single.value, 0, "SpecialToken", NULL, 0, &cls) ||
		!piece_is(single.value, 1, "Sequence", "A", 0, NULL) ||
		!piece_is(single.value, 2, "SpecialToken", NULL, 0, &sep) ||
		json_array_size(pair.value) != 5 ||
		!piece_is(pair.value, 0, "SpecialToken", cls, 0, NULL) ||
		!piece_is(pair.value, 1, "Sequence", "A", 0, NULL) ||
		!piece_is(pair.value, 2, "SpecialToken", sep, 0, NULL) ||
		!piece_is(pair.value, 3, "Sequence", "B", 1, NULL) ||
		!piece_is(pair.value, 4, "SpecialToken", sep, 1, NULL))
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: only BERT's template \"[CLS] A [SEP] B [SEP]\" is supported",
						  object->where);
	t->role[DBERT_SPECIAL_CLS] = cls;
	t->role[DBERT_SPECIAL_SEP] = sep;
	return DBERT_OK;
}

static DbertStatus
read_post_processor(const DbertJson *root, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	object;
	const char *type;

	DBERT_TRY(dbert_json_child(root, "post_processor", JSON_OBJECT, &object, err));
	if (object.value == NULL)
		return DBERT_OK;		/* transformers' BertTokenizer puts the standard one */
	DBERT_TRY(unwrap(&object, "processors", err));
	DBERT_TRY(read_type(&object, &type, err));
	if (strcmp(type, "TemplateProcessing") == 0)
		return read_template(&object, t, err);
	if (strcmp(type, "BertProcessing") != 0)
		return unsupported(&object, type, "BertProcessing", err);
	DBERT_TRY(read_pair(&object, "cls", DBERT_SPECIAL_CLS, t, err));
	return read_pair(&object, "sep", DBERT_SPECIAL_SEP, t, err);
}

static DbertStatus
read_added(const DbertJson *root, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	list;

	DBERT_TRY(dbert_json_child(root, "added_tokens", JSON_ARRAY, &list, err));
	for (size_t i = 0; i < json_array_size(list.value); i++)
	{
		DbertAddedToken token = {.id = -1};
		DbertJson	object;
		int64_t		id = -1;

		object.value = json_array_get(list.value, i);
		snprintf(object.where, sizeof(object.where), "%.255s: added token %zu", root->where, i);
		DBERT_TRY(dbert_json_expect(&object, JSON_OBJECT, err));
		DBERT_TRY(dbert_token_flags(&object, &token, err));
		DBERT_TRY(dbert_json_int(&object, "id", 0, INT32_MAX, &id, err));
		token.id = (int32_t) id;
		DBERT_TRY(dbert_token_spec_add(t, &token, err));
	}
	return DBERT_OK;
}

DbertStatus
dbert_tokenizer_json_read(const DbertJson *root, DbertTokenSpec *t, DbertError *err)
{
	DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
	DBERT_TRY(read_model(root, t, err));
	DBERT_TRY(read_added(root, t, err));
	DBERT_TRY(read_normalizer(root, t, err));
	DBERT_TRY(read_pre_tokenizer(root, err));
	return read_post_processor(root, t, err);
}
