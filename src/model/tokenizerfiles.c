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
#include "model/piecesspec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The JSON files, kept while strings point into them. */
typedef struct Files
{
	DbertJsonTree trees[4];
	DbertJson	config;			/* tokenizer_config.json; value NULL: absent */
	DbertJson	special_map;	/* special_tokens_map.json, only read where it counts */
	DbertJson	added_map;		/* added_tokens.json, likewise */
	DbertJson	tokenizer;		/* tokenizer.json */
	const char *name;			/* of the file that the vocabulary is in */
	char	   *vocab;			/* its bytes, unless it is tokenizer.json */
	size_t		vocab_len;
	bool		has_pieces;		/* it is a SentencePiece model */
	DbertPieces pieces;
	const DbertTokenizerClass *class;	/* of such a model */
} Files;

static const char *const role_keys[DBERT_SPECIALS] = {
	"unk_token", "cls_token", "sep_token", "pad_token", "mask_token", "bos_token", "eos_token"
};

/* Where the vocabulary may be, the first that is there; what is beside it. */
static const char *const file_names[] = {
	"tokenizer.json", "sentencepiece.bpe.model", "spiece.model", "spm.model", "tokenizer.model",
	"vocab.txt",
	"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
};

#define N_VOCAB_NAMES 6
#define N_FILE_NAMES (sizeof(file_names) / sizeof(file_names[0]))

static const char *const role_names[DBERT_SPECIALS] = {
	"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "", ""
};

static DbertStatus
load_object(const DbertSource *source, const char *dir, const char *name, size_t max, int flags,
			DbertArena *arena, const DbertPoll *poll, DbertJsonTree *tree, DbertJson *at,
			DbertError *err)
{
	DBERT_TRY(
		dbert_json_load(source, dir, name, max, flags, true, arena->alloc, poll, tree, at, err));
	return at->value != NULL ? dbert_json_expect(at, JSON_OBJECT, err) : DBERT_OK;
}

static DbertStatus
load_files(const DbertSource *source, const char *dir, DbertArena *arena, const DbertPoll *poll,
		   Files *f, DbertError *err)
{
	char		path[DBERT_FILE_NAME_MAX];
	bool		exists = false;

	DBERT_TRY(load_object(source, dir, "tokenizer_config.json", DBERT_JSON_MAX, DBERT_JSON_REALS,
						  arena, poll, &f->trees[0], &f->config, err));
	/* newer models say all of it in tokenizer_config.json */
	if (json_object_get(f->config.value, "added_tokens_decoder") == NULL)
	{
		DBERT_TRY(load_object(source, dir, "special_tokens_map.json", DBERT_JSON_MAX,
							  DBERT_JSON_REALS, arena, poll, &f->trees[1], &f->special_map, err));
		DBERT_TRY(load_object(source, dir, "added_tokens.json", DBERT_JSON_MAX, 0,
							  arena, poll, &f->trees[2], &f->added_map, err));
	}
	for (size_t i = 0; i < N_VOCAB_NAMES && !exists; i++)
	{
		f->name = file_names[i];
		DBERT_TRY(dbert_file_exists(source, dir, f->name, &exists, err));
	}
	DBERT_TRY(dbert_file_join(path, dir, f->name, err));
	if (!exists)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "the model has neither \"%s%stokenizer.json\" nor \"%s\"", dir,
						  dir[0] != '\0' ? "/" : "", path);
	if (f->name == file_names[0])
		return load_object(source, dir, f->name, DBERT_VOCAB_MAX, 0, arena, poll, &f->trees[3],
						   &f->tokenizer, err);
	f->has_pieces = strcmp(f->name, "vocab.txt") != 0;
	return dbert_file_load(source, path, DBERT_VOCAB_MAX, arena->alloc, poll,
						   &f->vocab, &f->vocab_len, err);
}

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
read_roles(const Files *f, DbertAddedToken roles[DBERT_SPECIALS], DbertError *err)
{
	for (int i = 0; i < DBERT_SPECIALS; i++)
	{
		roles[i] = (DbertAddedToken) {.id = -1,.special = true};
		if (f->class != NULL)
		{
			roles[i].lstrip = i == DBERT_SPECIAL_MASK && f->class->mask_lstrip;
			roles[i].normalized = i == DBERT_SPECIAL_UNK && f->class->unk_normalized;
		}
		DBERT_TRY(read_token(&f->config, role_keys[i], &roles[i], err));
		DBERT_TRY(read_token(&f->special_map, role_keys[i], &roles[i], err));
		if (roles[i].text == NULL)
		{
			roles[i].text = f->class != NULL ? f->class->roles[i] : role_names[i];
			roles[i].len = strlen(roles[i].text);
		}
	}
	return DBERT_OK;
}

/* ---- added tokens beside vocab.txt ---- */

static int
compare_ids(const void *a, const void *b)
{
	const DbertAddedToken *x = a,
			   *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Add tokens in the order of their ids, in which they were added first. */
static DbertStatus
add_sorted(DbertAddedToken *tokens, size_t n, DbertTokenSpec *t, DbertError *err)
{
	if (n > 0)
		qsort(tokens, n, sizeof(*tokens), compare_ids);
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

/* added_tokens.json: token -> id */
static DbertStatus
add_map(const DbertJson *map, DbertTokenSpec *t, DbertError *err)
{
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
		tokens[n++] = (DbertAddedToken)
		{
			.text = text,.len = strlen(text),.id = (int32_t) json_integer_value(id),
				.normalized = true
		};
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

static DbertStatus
add_beside_vocab(const Files *f, DbertTokenSpec *t, DbertError *err)
{
	DBERT_TRY(add_decoder(&f->config, t, err));
	DBERT_TRY(add_map(&f->added_map, t, err));
	DBERT_TRY(add_specials(&f->config, "additional_special_tokens", t, err));
	DBERT_TRY(add_specials(&f->config, "extra_special_tokens", t, err));
	return add_specials(&f->special_map, "additional_special_tokens", t, err);
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
is_bert_class(const DbertJson *config, bool *bert, const char **name, DbertError *err)
{
	*name = "BertTokenizer";
	DBERT_TRY(dbert_json_string(config, "tokenizer_class", name, err));
	*bert = false;
	for (int id = 0; id < DBERT_FAMILY_END; id++)
		*bert |= is_class_of(dbert_family(id), *name);
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

/* The SentencePiece model and the class that says how to use it. */
static DbertStatus
read_pieces(Files *f, const char *model_type, DbertTokenSpec *t, DbertError *err)
{
	const char *name = NULL;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(&f->config, "tokenizer_class", &name, err));
	f->class = dbert_tokenizer_class(name, model_type);
	if (f->class == NULL)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: tokenizer class \"%s\" is not supported without tokenizer.json",
						  t->file, dbert_clip(name != NULL ? name : model_type, clip));
	return dbert_pieces_read(f->vocab, f->vocab_len, t->file, t->arena, &f->pieces, err);
}

/*
 * The vocabulary, the added tokens and the flags, from whichever files there
 * are.
 */
static DbertStatus
read_vocabulary(Files *f, DbertTokenSpec *t, DbertError *err)
{
	bool		bert;
	const char *class_name;
	char		clip[DBERT_CLIP];

	DBERT_TRY(is_bert_class(&f->config, &bert, &class_name, err));
	if (f->tokenizer.value != NULL)
	{
		DBERT_TRY(dbert_tokenizer_json_read(&f->tokenizer, t, err));
		return bert ? override_flags(&f->config, t, err) : DBERT_OK;
	}
	if (f->has_pieces)
	{
		DBERT_TRY(dbert_pieces_spec(&f->pieces, f->class, &f->config, t, err));
		return add_beside_vocab(f, t, err);
	}
	DBERT_TRY(dbert_json_string(&f->config, "wordpieces_prefix", &t->spec.prefix, err));
	if (!bert)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: tokenizer class \"%s\" is not supported",
						  f->config.where, dbert_clip(class_name, clip));
	DBERT_TRY(dbert_vocab_file_read(f->vocab, f->vocab_len, t, err));
	DBERT_TRY(add_beside_vocab(f, t, err));
	return override_flags(&f->config, t, err);
}

/* BERT's template has [CLS] and [SEP], words may be unknown to WordPiece. */
static bool
needs_role(const DbertTokenSpec *t, DbertSpecialToken role)
{
	if (role == DBERT_SPECIAL_UNK)
		return t->spec.kind == DBERT_KIND_WORDPIECE;
	return t->spec.single == NULL && (role == DBERT_SPECIAL_CLS || role == DBERT_SPECIAL_SEP);
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
	/*
	 * the order means nothing; this one does not depend on which file said it
	 */
	qsort(t->added, (size_t) t->spec.n_added, sizeof(*t->added), compare_ids);
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

/* All but the compiling. */
static DbertStatus
build_spec(Files *f, const char *model_type, DbertTokenSpec *t, int64_t *max_tokens,
		   DbertError *err)
{
	DbertAddedToken roles[DBERT_SPECIALS];
	double		length = 0;

	DBERT_TRY(refuse_settings(&f->config, err));
	if (f->has_pieces)
		DBERT_TRY(read_pieces(f, model_type, t, err));
	DBERT_TRY(read_roles(f, roles, err));
	DBERT_TRY(read_vocabulary(f, t, err));
	/* DeBERTa's mask has the row behind the pieces, if there is one */
	if (f->has_pieces && f->class->adds_mask && t->spec.n_tokens < t->limit)
		DBERT_TRY(dbert_token_spec_add(t, &roles[DBERT_SPECIAL_MASK], err));
	DBERT_TRY(resolve_roles(roles, t, err));
	if (f->has_pieces)
	{
		DBERT_TRY(dbert_pieces_add(&f->pieces, t, err));
		dbert_tokenizer_class_template(f->class, t);
	}
	t->spec.strip_accents = t->strip_accents >= 0 ? t->strip_accents > 0 : t->spec.lowercase;
	/* "no limit" is written as 1e30, or as nothing */
	DBERT_TRY(dbert_json_real(&f->config, "model_max_length", -1e300, 1e300, &length, err));
	*max_tokens = length > 0 && length < INT32_MAX ? (int64_t) length : 0;
	return DBERT_OK;
}

/* *file = where the vocabulary is, with its folder. */
static DbertStatus
name_file(const Files *f, const char *dir, DbertArena *arena, const char **file, DbertError *err)
{
	char		path[DBERT_FILE_NAME_MAX];

	DBERT_TRY(dbert_file_join(path, dir, f->name, err));
	*file = dbert_arena_strndup(arena, path, strlen(path));
	return *file != NULL ? DBERT_OK : dbert_fail(err, DBERT_E_NOMEM, "out of memory");
}

static DbertStatus
add_file_names(const DbertSource *source, const char *dir, DbertArena *arena, DbertFileList *list,
			   DbertError *err)
{
	for (size_t i = 0; i < N_FILE_NAMES; i++)
		DBERT_TRY(dbert_file_list_add(list, arena, source, dir, file_names[i], err));
	return DBERT_OK;
}

bool
dbert_is_tokenizer_file(const char *name)
{
	for (size_t i = 0; i < N_FILE_NAMES; i++)
		if (strcmp(name, file_names[i]) == 0)
			return true;
	return false;
}

DbertStatus
dbert_tokenizer_files_read(const DbertSource *source, const char *dir,
						   const char *model_type, int32_t vocab,
						   const DbertAllocator *alloc, DbertArena *arena,
						   const DbertPoll *poll, DbertTokenizerFiles *out,
						   DbertFileList *list, DbertError *err)
{
	Files		f;
	DbertTokenSpec t;
	DbertArena	scratch = {alloc, NULL};
	DbertError	inner;
	DbertStatus status;

	memset(&f, 0, sizeof(f));
	memset(out, 0, sizeof(*out));
	DBERT_TRY(add_file_names(source, dir, arena, list, err));
	status = load_files(source, dir, &scratch, poll, &f, err);
	if (status == DBERT_OK)
		status = name_file(&f, dir, arena, &out->file, err);
	if (status == DBERT_OK)
		status = begin_spec(&t, &scratch, vocab, err);
	t.file = out->file;
	if (status == DBERT_OK)
		status = read_inputs(&f.config, &out->omits_types, err);
	if (status == DBERT_OK)
		status = build_spec(&f, model_type, &t, &out->max_tokens, err);
	if (status == DBERT_OK)
	{
		out->lowercases = t.spec.lowercase;
		out->has_mask = t.spec.mask_id >= 0;
		status = dbert_tokenizer_compile(&t.spec, alloc, &out->image, &out->image_size, &inner);
		if (status != DBERT_OK)
			dbert_fail(err, status, "%s: %s", t.file, inner.msg);
	}
	for (size_t i = 0; i < sizeof(f.trees) / sizeof(f.trees[0]); i++)
		dbert_json_free(&f.trees[i]);
	dbert_free(alloc, f.vocab);
	dbert_arena_end(&scratch);
	return status;
}
