/*
 * tokenizersteps.c -- tokenizer.json's normalizer and pre-tokenizer.
 *
 * Each is one step or a "Sequence" of them, which may hold sequences again; the
 * steps' readers stand in a table.  A reader adds steps of text/tokenizer.h, or
 * sets what the spec has a field for.
 */
#include "model/tokenspec.h"

#include <stdio.h>
#include <string.h>

typedef struct StepReader
{
	const char *type;
	DbertStatus (*read) (const DbertJson *object, DbertTokenSpec *t, DbertError *err);
} StepReader;

DbertStatus
dbert_tokenizer_step_add(const DbertJson *object, DbertStepSpec *list, int32_t *n,
						 DbertStepSpec step, DbertError *err)
{
	if (*n == DBERT_MAX_STEPS)
		return dbert_fail(err, DBERT_E_LIMIT, "%s: more than %d steps", object->where,
						  DBERT_MAX_STEPS);
	list[(*n)++] = step;
	return DBERT_OK;
}

static DbertStatus
add_normalizer(const DbertJson *object, DbertTokenSpec *t, DbertStepSpec step, DbertError *err)
{
	return dbert_tokenizer_step_add(object, t->normalizers, &t->spec.n_normalizers, step, err);
}

static DbertStatus
add_splitter(const DbertJson *object, DbertTokenSpec *t, DbertStepSpec step, DbertError *err)
{
	return dbert_tokenizer_step_add(object, t->splitters, &t->spec.n_splitters, step, err);
}

/* ---- normalizers ---- */

static DbertStatus
read_bert_normalizer(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	bool		strip = false;

	if (t->spec.n_normalizers > 0 || t->bert_normalizer)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: \"BertNormalizer\" behind another normalizer is not supported",
						  object->where);
	t->bert_normalizer = true;
	t->spec.clean_text = t->spec.split_cjk = t->spec.lowercase = true;
	DBERT_TRY(dbert_json_bool(object, "clean_text", &t->spec.clean_text, err));
	DBERT_TRY(dbert_json_bool(object, "handle_chinese_chars", &t->spec.split_cjk, err));
	DBERT_TRY(dbert_json_bool(object, "lowercase", &t->spec.lowercase, err));
	DBERT_TRY(dbert_json_bool(object, "strip_accents", &strip, err));
	t->strip_accents = json_is_boolean(json_object_get(object->value, "strip_accents")) ? strip
																						: -1;
	return DBERT_OK;
}

static DbertStatus
read_lowercase(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	return add_normalizer(object, t, (DbertStepSpec) {.kind = DBERT_STEP_LOWERCASE}, err);
}

static DbertStatus
read_form(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	static const struct
	{
		const char *type;
		DbertStepKind kind;
	}			forms[] = {
		{"NFC", DBERT_STEP_NFC}, {"NFD", DBERT_STEP_NFD}, {"NFKC", DBERT_STEP_NFKC},
		{"NFKD", DBERT_STEP_NFKD}
	};
	DbertStepSpec step = {0};
	const char *type;

	DBERT_TRY(dbert_tokenizer_json_type(object, &type, err));
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(type, forms[i].type) == 0)
			step.kind = forms[i].kind;
	return add_normalizer(object, t, step, err);
}

static DbertStatus
read_nmt(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	return add_normalizer(object, t, (DbertStepSpec) {.kind = DBERT_STEP_NMT}, err);
}

static DbertStatus
read_strip_accents(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	return add_normalizer(object, t, (DbertStepSpec) {.kind = DBERT_STEP_STRIP_ACCENTS}, err);
}

static const StepReader normalizers[] = {
	{"BertNormalizer", read_bert_normalizer},
	{"Lowercase", read_lowercase},
	{"NFC", read_form},
	{"NFD", read_form},
	{"NFKC", read_form},
	{"NFKD", read_form},
	{"StripAccents", read_strip_accents},
	{"Nmt", read_nmt},
	{"Precompiled", dbert_read_precompiled},
	{"Replace", dbert_read_replace},
	{"Strip", dbert_read_strip},
	{"Prepend", dbert_read_prepend},
	{NULL, NULL}
};

/* ---- pre-tokenizers ---- */

static DbertStatus
read_bert_words(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	return add_splitter(object, t, (DbertStepSpec) {.kind = DBERT_STEP_BERT_WORDS}, err);
}

static DbertStatus
read_whitespace(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	return add_splitter(object, t, (DbertStepSpec) {.kind = DBERT_STEP_WHITESPACE}, err);
}

static DbertStatus
read_words(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	return add_splitter(object, t, (DbertStepSpec) {.kind = DBERT_STEP_WORDS}, err);
}

static DbertStatus
read_digits(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	bool		individual = false;

	DBERT_TRY(dbert_json_bool(object, "individual_digits", &individual, err));
	return add_splitter(object, t, (DbertStepSpec) {.kind = DBERT_STEP_DIGITS,
						.mode = individual ? DBERT_SPLIT_ISOLATED : DBERT_SPLIT_CONTIGUOUS}, err);
}

static DbertStatus
read_punctuation(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	DbertStepSpec step = {.kind = DBERT_STEP_SPLIT_AT};

	DBERT_TRY(dbert_tokenizer_behavior_read(object, &step.mode, err));
	return add_splitter(object, t, step, err);
}

static const StepReader splitters[] = {
	{"BertPreTokenizer", read_bert_words},
	{"Whitespace", read_words},
	{"WhitespaceSplit", read_whitespace},
	{"Digits", read_digits},
	{"CharDelimiterSplit", dbert_read_delimiter},
	{"Punctuation", read_punctuation},
	{"Metaspace", dbert_read_metaspace},
	{"ByteLevel", dbert_read_byte_level},
	{"Split", dbert_read_split},
	{NULL, NULL}
};

/* ---- both ---- */

/* A step, or a sequence of those in list_key; sequences nest as JSON may. */
static DbertStatus
read_step(const DbertJson *object, const StepReader *readers, const char *list_key,
		  DbertTokenSpec *t, DbertError *err)
{
	const char *type;
	DbertJson	list,
				item;

	DBERT_TRY(dbert_tokenizer_json_type(object, &type, err));
	for (const StepReader *r = readers; r->type != NULL; r++)
		if (strcmp(type, r->type) == 0)
			return r->read(object, t, err);
	if (strcmp(type, "Sequence") != 0)
		return dbert_tokenizer_json_unknown(object, type, err);
	DBERT_TRY(dbert_json_child(object, list_key, JSON_ARRAY, &list, err));
	for (size_t i = 0; i < json_array_size(list.value); i++)
	{
		DBERT_TRY(dbert_tokenizer_json_item(&list, i, &item, err));
		DBERT_TRY(read_step(&item, readers, list_key, t, err));
	}
	return DBERT_OK;
}

DbertStatus
dbert_tokenizer_steps_read(const DbertJson *root, DbertTokenSpec *t, DbertError *err)
{
	DbertJson	object;

	/* without a normalizer nothing is changed */
	t->spec.clean_text = t->spec.split_cjk = t->spec.lowercase = false;
	t->strip_accents = 0;
	DBERT_TRY(dbert_json_child(root, "normalizer", JSON_OBJECT, &object, err));
	if (object.value != NULL)
		DBERT_TRY(read_step(&object, normalizers, "normalizers", t, err));
	DBERT_TRY(dbert_json_child(root, "pre_tokenizer", JSON_OBJECT, &object, err));
	if (object.value != NULL)
		DBERT_TRY(read_step(&object, splitters, "pretokenizers", t, err));

	if (t->bytes && t->spec.n_splitters > t->bytes_at)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: a pre-tokenizer behind \"ByteLevel\" is not supported",
						  object.where);

	/* BERT's alone is built in */
	t->spec.split_by_steps =
		t->spec.n_splitters != 1 || t->splitters[0].kind != DBERT_STEP_BERT_WORDS;
	if (!t->spec.split_by_steps)
		t->spec.n_splitters = 0;
	return DBERT_OK;
}
