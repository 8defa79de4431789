/*
 * tokenizerfiles.c -- conducts the reading of a tokenizer's files.
 *
 * What stands in several files is taken as transformers' BertTokenizer takes
 * it: the vocabulary, the template and the added tokens from tokenizer.json,
 * or from vocab.txt and tokenizer_config.json; do_lower_case, strip_accents
 * and tokenize_chinese_chars, where tokenizer_config.json says them, override
 * tokenizer.json's normalizer.  The tokens with a role are added tokens too.
 * Of SentencePiece models the class says what they mean (tokenizerclass.h).
 *
 * Where it says nothing tokenizer.json stands, though transformers would assume
 * lower-casing; and a [PAD] or [MASK] that the vocabulary lacks is absent,
 * though transformers would give it an id that has no trained embedding.
 */
#include "model/tokenizerfiles.h"

#include "model/family.h"
#include "model/vocabsource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const role_keys[DBERT_SPECIALS] = {
	"unk_token", "cls_token", "sep_token", "pad_token", "mask_token", "bos_token", "eos_token"
};

static const char *const role_names[DBERT_SPECIALS] = {
	"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "", ""
};

/*
 * A token given as a string or as an object with flags; text NULL: not given.
 */
static DbertStatus
read_token(const DbertJson *object, const char *key, DbertAddedToken *token, DbertError *err)
{
	const json_t *value = json_object_get(object->value, key);
	DbertJson	child;

	if (value == NULL || json_is_null(value))
		return DBERT_OK;
	if (json_is_string(value))
	{
		token->text = json_string_value(value);
		token->len = strlen(token->text);
		return DBERT_OK;
	}
	DBERT_TRY(dbert_json_child(object, key, JSON_OBJECT, &child, err));
	DBERT_TRY(dbert_token_flags(&child, token, err));
	token->special = true;
	if (json_object_get(child.value, "normalized") == NULL)
		token->normalized = false;
	return DBERT_OK;
}

/*
 * The tokens with a role, as tokenizer_config.json and the older map name them.
 */
static DbertStatus
read_roles(const DbertVocabSource *f, DbertAddedToken roles[DBERT_SPECIALS], DbertError *err)
{
	for (int i = 0; i < DBERT_SPECIALS; i++)
	{
		roles[i] = (DbertAddedToken) {.id = -1,.special = true};
		if (f->class != NULL)
		{
			roles[i].lstrip = i == DBERT_SPECIAL_MASK && f->class->mask_lstrip;
			roles[i].normalized = f->class->normalized >> i & 1;
		}
		DBERT_TRY(read_token(&f->config, role_keys[i], &roles[i], err));
		DBERT_TRY(read_token(&f->special_map, role_keys[i], &roles[i], err));
		if (roles[i].text == NULL)
		{
			roles[i].text = f->named != NULL ? f->named->roles[i] : role_names[i];
			roles[i].len = strlen(roles[i].text);
		}
	}
	return DBERT_OK;
}

/* ---- flags ---- */

static bool
is_class_of(const DbertFamily *family, const char *name)
{
	size_t		n = family->tokenizer != NULL ? strlen(family->tokenizer) : 0;

	return n > 0 && strncmp(name, family->tokenizer, n) == 0 &&
		   (name[n] == '\0' || strcmp(name + n, "Fast") == 0);
}

/*
 * Whether the class is transformers' BERT tokenizer, by the name that any
 * family gives it; an absent one is.
 */
static DbertStatus
is_bert_class(const DbertJson *config, bool *bert, DbertError *err)
{
	const char *name = "BertTokenizer";

	DBERT_TRY(dbert_json_string(config, "tokenizer_class", &name, err));
	*bert = false;
	for (int id = 0; id < DBERT_FAMILY_END; id++)
		*bert |= is_class_of(dbert_family(id), name);
	return DBERT_OK;
}

static DbertStatus
override_flags(const DbertJson *config, DbertTokenSpec *t, DbertError *err)
{
	const json_t *strip = json_object_get(config->value, "strip_accents");

	DBERT_TRY(dbert_json_bool(config, "do_lower_case", &t->spec.lowercase, err));
	DBERT_TRY(dbert_json_bool(config, "tokenize_chinese_chars", &t->spec.split_cjk, err));
	if (strip != NULL && !json_is_boolean(strip) && !json_is_null(strip))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"strip_accents\" must be true, false or null",
						  config->where);
	if (strip != NULL)
		t->strip_accents = json_is_null(strip) ? -1 : json_is_true(strip);
	return DBERT_OK;
}

/* f->named; and f->class, where there is no tokenizer.json; NULL: BERT's. */
static DbertStatus
find_class(DbertVocabSource *f, const char *model_type, const char *file, DbertError *err)
{
	const char *name = NULL;
	bool		bert;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(&f->config, "tokenizer_class", &name, err));
	/* only BERTweet's has such files; its models are of RoBERTa's type */
	f->named = dbert_tokenizer_class(name, f->form == DBERT_VOCAB_CODES ? "bertweet" : model_type);
	if (f->form == DBERT_VOCAB_TOKENIZER)
		return DBERT_OK;
	f->class = f->named;
	if (f->class != NULL && f->class->form == f->form)
		return DBERT_OK;
	DBERT_TRY(is_bert_class(&f->config, &bert, err));
	if (f->class == NULL && bert && f->form == DBERT_VOCAB_LINES)
		return DBERT_OK;
	return dbert_fail(err, DBERT_E_UNSUPPORTED,
					  "%s: tokenizer class \"%s\" is not supported with this file alone", file,
					  dbert_clip(name != NULL ? name : model_type, clip));
}

/*
 * The vocabulary, the added tokens and the flags, from whichever files there
 * are.
 */
static DbertStatus
read_vocabulary(DbertVocabSource *f, DbertTokenSpec *t, DbertError *err)
{
	bool		bert;

	switch (f->form)
	{
		case DBERT_VOCAB_TOKENIZER:
			DBERT_TRY(is_bert_class(&f->config, &bert, err));
			DBERT_TRY(dbert_tokenizer_json_read(&f->vocab, t, err));
			return bert && t->bert_normalizer ? override_flags(&f->config, t, err) : DBERT_OK;
		case DBERT_VOCAB_PIECES:
			DBERT_TRY(dbert_pieces_spec(&f->pieces, f->class, &f->config, t, err));
			return dbert_vocab_source_add(f, t, err);
		case DBERT_VOCAB_TWO:
			DBERT_TRY(dbert_marian_spec(&f->pieces, &f->vocab, &f->config, t, err));
			return dbert_vocab_source_add(f, t, err);
		case DBERT_VOCAB_MERGES:
			DBERT_TRY(dbert_vocab_merges_read(&f->vocab, f->beside, f->beside_len, &f->config, t,
											  err));
			return dbert_vocab_source_add(f, t, err);
		case DBERT_VOCAB_CODES:
			DBERT_TRY(dbert_vocab_codes_read(f->text, f->len, f->beside, f->beside_len, &f->config,
											 t, err));
			return dbert_vocab_source_add(f, t, err);
		case DBERT_VOCAB_LINES:
			DBERT_TRY(dbert_json_string(&f->config, "wordpieces_prefix", &t->spec.prefix, err));
			DBERT_TRY(dbert_vocab_file_read(f->text, f->len, t, err));
			DBERT_TRY(dbert_vocab_source_add(f, t, err));
			return override_flags(&f->config, t, err);
	}
	return DBERT_OK;
}

/* Where the special tokens do not count. */
static const DbertTemplate no_template;

/* Does a model of this type pool the template's tokens? */
static bool
pools_template(const char *model_type)
{
	int			id = dbert_family_find(model_type);

	return id < 0 || !dbert_family(id)->lookup;
}

/* BERT's template has [CLS] and [SEP], words may be unknown to WordPiece. */
static bool
needs_role(const DbertTokenSpec *t, DbertSpecialToken role)
{
	if (role == DBERT_SPECIAL_UNK)
		return t->spec.kind == DBERT_KIND_WORDPIECE;
	return t->spec.single == NULL && !t->bare &&
		   (role == DBERT_SPECIAL_CLS || role == DBERT_SPECIAL_SEP);
}

/* Resolve the tokens with a role and add those that are in the vocabulary. */
static DbertStatus
resolve_roles(DbertAddedToken roles[DBERT_SPECIALS], DbertTokenSpec *t, DbertError *err)
{
	int32_t		unused;
	int32_t    *ids[DBERT_SPECIALS] = {
		&t->spec.unk_id, &t->spec.cls_id, &t->spec.sep_id, &t->spec.pad_id, &t->spec.mask_id,
		&unused, &unused
	};
	char		clip[DBERT_CLIP];

	for (int i = 0; i < DBERT_SPECIALS; i++)
	{
		const char *name = t->role[i] != NULL ? t->role[i] : roles[i].text;

		*ids[i] = dbert_token_spec_find(t, name);
		if (*ids[i] < 0 && needs_role(t, i))
			return dbert_fail(err, DBERT_E_FORMAT, "%s: the vocabulary has no token \"%s\"",
							  t->file, dbert_clip(name, clip));
		if (*ids[i] < 0 || (i == DBERT_SPECIAL_UNK && t->own_unknown))
			continue;
		roles[i].text = name;
		roles[i].len = strlen(name);
		DBERT_TRY(dbert_token_spec_add(t, &roles[i], err));
	}
	if (t->bare && (t->spec.cls_id < 0 || t->spec.sep_id < 0))
		t->spec.single = t->spec.pair = &no_template;
	/*
	 * the order means nothing; this one does not depend on which file said it
	 */
	qsort(t->added, (size_t) t->spec.n_added, sizeof(*t->added), dbert_compare_added);
	return DBERT_OK;
}

static DbertStatus
begin_spec(DbertTokenSpec *t, DbertArena *arena, int32_t vocab, DbertError *err)
{
	memset(t, 0, sizeof(*t));
	t->arena = arena;
	t->limit = vocab;
	t->tokens = dbert_arena_alloc(arena, (size_t) vocab, sizeof(*t->tokens));
	t->lens = dbert_arena_alloc(arena, (size_t) vocab, sizeof(*t->lens));
	t->added = dbert_arena_alloc(arena, DBERT_MAX_ADDED, sizeof(*t->added));
	if (t->tokens == NULL || t->lens == NULL || t->added == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	t->spec.tokens = t->tokens;
	t->spec.token_lens = t->lens;
	t->spec.added = t->added;
	t->spec.unknown_id = -1;
	t->spec.normalizers = t->normalizers;
	t->spec.splitters = t->splitters;
	t->spec.prefix = "##";
	t->spec.max_word_chars = 100;
	t->spec.clean_text = t->spec.split_cjk = t->spec.lowercase = true;
	t->strip_accents = -1;
	return DBERT_OK;
}

/* What would change the tokens and has no code. */
static DbertStatus
refuse_settings(const DbertJson *config, DbertError *err)
{
	const char *side = "right";
	bool		splits = false;

	DBERT_TRY(dbert_json_string(config, "truncation_side", &side, err));
	if (strcmp(side, "right") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: \"truncation_side\" other than \"right\" is not supported",
						  config->where);
	DBERT_TRY(dbert_json_bool(config, "split_special_tokens", &splits, err));
	if (splits)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"split_special_tokens\" is not supported",
						  config->where);
	return DBERT_OK;
}

/* Is there a list of the model's inputs that lacks the token types? */
static DbertStatus
read_inputs(const DbertJson *config, bool *omits_types, DbertError *err)
{
	DbertJson	list;

	DBERT_TRY(dbert_json_child(config, "model_input_names", JSON_ARRAY, &list, err));
	*omits_types = list.value != NULL;
	for (size_t i = 0; i < json_array_size(list.value); i++)
	{
		const char *name = json_string_value(json_array_get(list.value, i));

		if (name != NULL && strcmp(name, "token_type_ids") == 0)
			*omits_types = false;
	}
	return DBERT_OK;
}

/* SentencePiece models; of target.spm only whether it is one. */
static DbertStatus
read_pieces(DbertVocabSource *f, DbertTokenSpec *t, DbertError *err)
{
	if (f->form == DBERT_VOCAB_TWO)
		DBERT_TRY(dbert_pieces_read(f->beside, f->beside_len, "target.spm", t->arena, &f->pieces,
									err));
	if (f->form == DBERT_VOCAB_PIECES || f->form == DBERT_VOCAB_TWO)
		return dbert_pieces_read(f->text, f->len, t->file, t->arena, &f->pieces, err);
	return DBERT_OK;
}

/* All but the compiling. */
static DbertStatus
build_spec(DbertVocabSource *f, const char *model_type, DbertTokenSpec *t, int64_t *max_tokens,
		   DbertError *err)
{
	DbertAddedToken roles[DBERT_SPECIALS];
	double		length = 0;

	DBERT_TRY(refuse_settings(&f->config, err));
	DBERT_TRY(find_class(f, model_type, t->file, err));
	DBERT_TRY(read_pieces(f, t, err));
	DBERT_TRY(read_roles(f, roles, err));
	DBERT_TRY(read_vocabulary(f, t, err));
	/* DeBERTa's mask has the row behind the pieces, if there is one */
	if (f->class != NULL && f->class->adds_mask && t->spec.n_tokens < t->limit)
		DBERT_TRY(dbert_token_spec_add(t, &roles[DBERT_SPECIAL_MASK], err));
	DBERT_TRY(resolve_roles(roles, t, err));
	if (f->form == DBERT_VOCAB_PIECES)
		DBERT_TRY(dbert_pieces_add(&f->pieces, t, err));
	if (f->form == DBERT_VOCAB_TWO)
		DBERT_TRY(dbert_marian_add(&f->pieces, t, err));
	if (f->class != NULL && t->spec.single == NULL)
		dbert_tokenizer_class_template(f->class, t);
	t->spec.strip_accents = t->strip_accents >= 0 ? t->strip_accents > 0 : t->spec.lowercase;
	/* "no limit" is written as 1e30, or as nothing */
	DBERT_TRY(dbert_json_real(&f->config, "model_max_length", -1e300, 1e300, &length, err));
	*max_tokens = length > 0 && length < INT32_MAX ? (int64_t) length : 0;
	return DBERT_OK;
}

/* Where the vocabulary is, with its folder. */
static DbertStatus
name_file(const DbertVocabSource *f, const char *dir, DbertArena *arena, const char **file,
		  DbertError *err)
{
	char		path[DBERT_FILE_NAME_MAX];

	DBERT_TRY(dbert_file_join(path, dir, f->name, err));
	*file = dbert_arena_strndup(arena, path, strlen(path));
	return *file != NULL ? DBERT_OK : dbert_fail(err, DBERT_E_NOMEM, "out of memory");
}

/* Does any normalizer? */
static bool
lowercases(const DbertTokenizerSpec *spec)
{
	for (int32_t i = 0; i < spec->n_normalizers; i++)
		if (spec->normalizers[i].kind == DBERT_STEP_LOWERCASE)
			return true;
	return spec->lowercase;
}

DbertStatus
dbert_tokenizer_files_read(const DbertSource *source, const char *dir,
						   const char *model_type, int32_t vocab,
						   const DbertAllocator *alloc, DbertArena *arena,
						   const DbertPoll *poll, DbertTokenizerFiles *out,
						   DbertFileList *list, DbertError *err)
{
	DbertVocabSource f;
	DbertTokenSpec t;
	DbertArena	scratch = {alloc, NULL};
	DbertError	inner;
	DbertStatus status;

	memset(&f, 0, sizeof(f));
	memset(out, 0, sizeof(*out));
	DBERT_TRY(dbert_vocab_source_list(source, dir, arena, list, err));
	status = dbert_vocab_source_load(source, dir, alloc, poll, &f, err);
	if (status == DBERT_OK)
		status = name_file(&f, dir, arena, &out->file, err);
	if (status == DBERT_OK)
		status = begin_spec(&t, &scratch, vocab, err);
	t.file = out->file;
	t.poll = poll;
	t.bare = !pools_template(model_type);
	if (status == DBERT_OK)
		status = read_inputs(&f.config, &out->omits_types, err);
	if (status == DBERT_OK)
		status = build_spec(&f, model_type, &t, &out->max_tokens, err);
	if (status == DBERT_OK)
	{
		out->lowercases = lowercases(&t.spec);
		out->has_mask = t.spec.mask_id >= 0;
		status = dbert_tokenizer_compile(&t.spec, alloc, poll, &out->image, &out->image_size,
										 &inner);
		if (status != DBERT_OK)
			dbert_fail(err, status, "%s: %s", t.file, inner.msg);
	}
	dbert_vocab_source_free(&f, alloc);
	dbert_arena_end(&scratch);
	return status;
}
