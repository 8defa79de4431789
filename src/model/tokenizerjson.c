/*
 * tokenizerjson.c -- tokenizer.json, the file of Hugging Face's tokenizers.
 *
 * It can describe any tokenizer; models, normalizers, pre-tokenizers and
 * post-processors that have a line in a table are read, everything else is
 * refused by name.  The steps are read before the model: they tell whether it
 * is one of bytes.  Its truncation and padding blocks are of no matter; neither
 * is its decoder, which follows from the rest.
 */
#include "model/tokenspec.h"

#include <stdio.h>
#include <string.h>

DbertStatus
dbert_tokenizer_json_type(const DbertJson *object, const char **type, DbertError *err)
{
	*type = "";
	return dbert_json_string(object, "type", type, err);
}

DbertStatus
dbert_tokenizer_json_unknown(const DbertJson *object, const char *type, DbertError *err)
{
	char		clip[DBERT_CLIP];

	return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: type \"%s\" is not supported", object->where,
					  dbert_clip(type, clip));
}

DbertStatus
dbert_tokenizer_json_item(const DbertJson *list, size_t i, DbertJson *item, DbertError *err)
{
	item->value = json_array_get(list->value, i);
	snprintf(item->where, sizeof(item->where), "%.290s: item %zu", list->where, i);
	return dbert_json_expect(item, JSON_OBJECT, err);
}

DbertStatus
dbert_tokenizer_vocab_read(const DbertJson *vocab, DbertTokenSpec *t, DbertError *err)
{
	const char *token;
	json_t	   *id;
	char		clip[DBERT_CLIP];

	json_object_foreach((json_t *) vocab->value, token, id)
	{
		if (!json_is_integer(id))
			return dbert_fail(err, DBERT_E_FORMAT, "%s: the id of \"%s\" is not an integer",
							  vocab->where, dbert_clip(token, clip));
		if (token[0] != '\0')	/* of a blank line in the vocab.txt it was made from */
			DBERT_TRY(dbert_token_spec_put(t, json_integer_value(id), token, strlen(token), err));
	}
	if (t->spec.n_tokens == 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: holds no token", vocab->where);
	return dbert_token_spec_index(t, err);
}

/* The model's "vocab". */
DbertStatus
dbert_tokenizer_model_vocab(const DbertJson *model, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	vocab;

	DBERT_TRY(dbert_json_child(model, "vocab", JSON_OBJECT, &vocab, err));
	if (vocab.value == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"vocab\"", model->where);
	return dbert_tokenizer_vocab_read(&vocab, t, err);
}

static DbertStatus
read_wordpiece(const DbertJson *model, DbertTokenSpec *t, DbertError *err)
{
	int64_t		max_chars = t->spec.max_word_chars;

	t->spec.kind = DBERT_KIND_WORDPIECE;
	DBERT_TRY(dbert_json_string(model, "unk_token", &t->role[DBERT_SPECIAL_UNK], err));
	DBERT_TRY(dbert_json_string(model, "continuing_subword_prefix", &t->spec.prefix, err));
	DBERT_TRY(dbert_json_int(model, "max_input_chars_per_word", 1, 1000000, &max_chars, err));
	t->spec.max_word_chars = (int32_t) max_chars;
	return dbert_tokenizer_model_vocab(model, t, err);
}

/* Element i of Unigram's vocabulary: [piece, score]. */
static DbertStatus
read_scored(const DbertJson *vocab, size_t i, DbertTokenSpec *t, DbertError *err)
{
	const json_t *pair = json_array_get(vocab->value, i);
	const json_t *piece = json_array_get(pair, 0),
			   *score = json_array_get(pair, 1);

	if (!json_is_string(piece) || json_string_length(piece) == 0 || !json_is_number(score))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: item %zu is no piece with its score",
						  vocab->where, i);
	DBERT_TRY(dbert_token_spec_put(t, (int64_t) i, json_string_value(piece),
								   json_string_length(piece), err));
	t->scores[i] = json_number_value(score);
	return DBERT_OK;
}

static DbertStatus
read_unigram(const DbertJson *model, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	vocab;
	int64_t		unk_id = -1;

	t->spec.kind = DBERT_KIND_UNIGRAM;
	DBERT_TRY(dbert_json_child(model, "vocab", JSON_ARRAY, &vocab, err));
	DBERT_TRY(dbert_token_spec_scores(t, err));
	for (size_t i = 0; i < json_array_size(vocab.value); i++)
		DBERT_TRY(read_scored(&vocab, i, t, err));
	if (t->spec.n_tokens == 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"vocab\" holds no piece", model->where);
	DBERT_TRY(dbert_json_int(model, "unk_id", 0, t->spec.n_tokens - 1, &unk_id, err));
	if (unk_id < 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: no \"unk_id\"", model->where);
	t->role[DBERT_SPECIAL_UNK] = t->tokens[unk_id];
	t->own_unknown = true;		/* unless it is among the added tokens */
	DBERT_TRY(dbert_json_bool(model, "byte_fallback", &t->spec.byte_fallback, err));
	return dbert_token_spec_index_once(t, err);
}

static const struct
{
	const char *type;
	const char *key;			/* that only it has, for old files without a type */
	DbertStatus (*read) (const DbertJson *model, DbertTokenSpec *t, DbertError *err);
}			models[] = {
	{"WordPiece", "max_input_chars_per_word", read_wordpiece},
	{"Unigram", "unk_id", read_unigram},
	{"BPE", "merges", dbert_tokenizer_bpe_read},
};

static DbertStatus
read_model(const DbertJson *root, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	model;
	const char *type;

	DBERT_TRY(dbert_json_child(root, "model", JSON_OBJECT, &model, err));
	if (model.value == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"model\"", root->where);
	DBERT_TRY(dbert_tokenizer_json_type(&model, &type, err));
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (strcmp(type, models[i].type) == 0 ||
			(type[0] == '\0' && json_object_get(model.value, models[i].key) != NULL))
		{
			DBERT_TRY(models[i].read(&model, t, err));
			if (t->bytes && t->spec.kind != DBERT_KIND_BYTEBPE)
				return dbert_fail(err, DBERT_E_UNSUPPORTED,
								  "%s: type \"%s\" behind \"ByteLevel\" is not supported",
								  model.where, models[i].type);
			return DBERT_OK;
		}
	return dbert_tokenizer_json_unknown(&model, type, err);
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
	DBERT_TRY(dbert_tokenizer_steps_read(root, t, err));
	DBERT_TRY(read_model(root, t, err));
	DBERT_TRY(read_added(root, t, err));
	return dbert_tokenizer_template_read(root, t, err);
}
