/*
 * tokcompile.c -- compiling a tokenizer into an image.
 *
 * The steps first, because added tokens go through them; then the tries, all in
 * one double array: the vocabulary's, the added tokens' names, and those that
 * find added tokens in a text; then what the kind adds, and the layout.
 */
#include "text/tokcompile.h"

#include "text/chain.h"
#include "text/tokenkind.h"
#include "text/utf8.h"

#include <string.h>

/* ---- checking the specification ---- */

static bool
is_utf8(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *) text;
	const uint8_t *end = p + len;
	uint32_t	cp;
	int			n;

	for (; p < end; p += n)
		if ((n = dbert_utf8_decode(p, end, &cp)) == 0)
			return false;
	return true;
}

DbertStatus
dbert_tok_poll(const DbertTokCompiler *c, int32_t i)
{
	if (i % 1024 == 1023 && dbert_stopped(c->poll))
		return dbert_fail(c->err, DBERT_E_CANCELLED, "cancelled");
	return DBERT_OK;
}

DbertStatus
dbert_tok_check_id(const DbertTokenizerSpec *s, const char *what, int32_t id, bool needed,
				   DbertError *err)
{
	if (id >= (needed ? 0 : -1) && id < s->n_tokens)
		return DBERT_OK;
	return dbert_fail(err, DBERT_E_FORMAT,
					  "tokenizer: id %d of the %s token is outside the vocabulary of %d", (int) id,
					  what, (int) s->n_tokens);
}

static DbertStatus
check_text(const char *what, int32_t which, const char *text, size_t len, DbertError *err)
{
	if (len > DBERT_MAX_TOKEN_BYTES)
		return dbert_fail(err, DBERT_E_LIMIT, "tokenizer: %s %d is longer than %d bytes",
						  what, (int) which, DBERT_MAX_TOKEN_BYTES);
	if (!is_utf8(text, len))
		return dbert_fail(err, DBERT_E_FORMAT, "tokenizer: %s %d is not valid UTF-8", what,
						  (int) which);
	return DBERT_OK;
}

static DbertStatus
check_spec(const DbertTokenizerSpec *s, DbertError *err)
{
	bool		templates = s->single != NULL && s->pair != NULL;

	if (s->n_tokens < 1)
		return dbert_fail(err, DBERT_E_FORMAT, "tokenizer: the vocabulary is empty");
	if (s->n_added < 0 || s->n_added > s->n_tokens)
		return dbert_fail(err, DBERT_E_FORMAT, "tokenizer: more added tokens than ids");
	for (int32_t i = 0; i < s->n_tokens; i++)
		if (s->tokens[i] != NULL)
			DBERT_TRY(check_text("token", i, s->tokens[i], s->token_lens[i], err));
	for (int32_t i = 0; i < s->n_added; i++)
	{
		DBERT_TRY(check_text("added token", i, s->added[i].text, s->added[i].len, err));
		DBERT_TRY(dbert_tok_check_id(s, "added", s->added[i].id, true, err));
	}
	DBERT_TRY(dbert_tok_check_id(s, "unknown", s->unk_id, false, err));
	DBERT_TRY(dbert_tok_check_id(s, "[CLS]", s->cls_id, !templates, err));
	DBERT_TRY(dbert_tok_check_id(s, "[SEP]", s->sep_id, !templates, err));
	DBERT_TRY(dbert_tok_check_id(s, "padding", s->pad_id, false, err));
	return dbert_tok_check_id(s, "mask", s->mask_id, false, err);
}

/* ---- steps ---- */

/* Copy text to the steps' data, at a multiple of 8. */
static DbertStatus
add_data(DbertTokCompiler *c, const char *text, size_t len, size_t *capacity, uint32_t *at)
{
	size_t		end;

	if (len > UINT32_MAX || !dbert_add_size((size_t) c->head.data_size, len + 7, &end) ||
		(end &= ~(size_t) 7) > UINT32_MAX)
		return dbert_fail(c->err, DBERT_E_LIMIT, "tokenizer: a step is too large");
	if (!dbert_grow(c->alloc, &c->data, capacity, (size_t) c->head.data_size, end, 1))
		return dbert_fail(c->err, DBERT_E_NOMEM, "out of memory");
	*at = (uint32_t) c->head.data_size;
	if (len > 0)
	{
		memset(c->data + *at, 0, end - *at);
		memcpy(c->data + *at, text, len);
	}
	c->head.data_size = end;
	return DBERT_OK;
}

static DbertStatus
add_steps(DbertTokCompiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	size_t		capacity = 0;

	if (s->n_normalizers > DBERT_MAX_STEPS || s->n_splitters > DBERT_MAX_STEPS)
		return dbert_fail(c->err, DBERT_E_LIMIT, "tokenizer: more than %d steps", DBERT_MAX_STEPS);
	/* if only of no bytes, so that no place is reckoned from a null pointer */
	if (!dbert_grow(c->alloc, &c->data, &capacity, 0, 8, 1))
		return dbert_fail(c->err, DBERT_E_NOMEM, "out of memory");
	c->head.n_normalizers = s->n_normalizers;
	c->head.n_splitters = s->n_splitters;
	for (int32_t i = 0; i < s->n_normalizers + s->n_splitters; i++)
	{
		const DbertStepSpec *from = i < s->n_normalizers ? &s->normalizers[i]
														 : &s->splitters[i - s->n_normalizers];
		DbertImageStep *step = &c->steps[i];

		if (from->kind == DBERT_STEP_PREPEND ||
			(from->kind == DBERT_STEP_METASPACE && (from->mode & DBERT_METASPACE_SCHEME) != 0))
			c->head.space_before = true;
		step->kind = from->kind;
		step->mode = from->mode;
		step->len = (uint32_t) from->len;
		step->more_len = (uint32_t) from->more_len;
		DBERT_TRY(add_data(c, from->text, from->len, &capacity, &step->text_at));
		DBERT_TRY(add_data(c, from->more, from->more_len, &capacity, &step->more_at));
	}
	for (int32_t i = 0; i < s->n_normalizers + s->n_splitters; i++)
		if (!dbert_step_valid(&c->steps[i], c->data))
			return dbert_fail(c->err, DBERT_E_FORMAT, "tokenizer: step %d is malformed", (int) i);
	return DBERT_OK;
}

/* BERT's template where the spec has none. */
static void
set_templates(DbertTokCompiler *c)
{
	const DbertTokenizerSpec *s = c->spec;

	c->head.single = s->single != NULL ? *s->single : (DbertTemplate)
	{
		.ids = {s->cls_id, s->sep_id}, .head = 1, .tail = 1
	};
	c->head.pair = s->pair != NULL ? *s->pair : (DbertTemplate)
	{
		.ids = {s->cls_id, s->sep_id, s->sep_id}, .types = {0, 0, 1}, .head = 1, .middle = 1,
			.tail = 1, .text_types = {0, 1}
	};
}

/* ---- tries ---- */

static DbertStatus
add_vocabulary(DbertTokCompiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	size_t		n = 0;
	int32_t		duplicate;

	for (int32_t i = 0; i < s->n_tokens; i++)
		if (s->tokens[i] != NULL && s->token_lens[i] > 0)
			c->keys[n++] = (DbertTrieKey) {(const uint8_t *) s->tokens[i], s->token_lens[i], i};
	if (n == 0)
		return dbert_fail(c->err, DBERT_E_FORMAT, "tokenizer: the vocabulary is empty");
	DBERT_TRY(dbert_trie_add(&c->trie, c->keys, n, &c->head.words, &duplicate, c->err));
	if (duplicate >= 0)
		return dbert_fail(c->err, DBERT_E_FORMAT, "tokenizer: token \"%.*s\" has two ids",
						  (int) (s->token_lens[duplicate] < 100 ? s->token_lens[duplicate] : 100),
						  s->tokens[duplicate]);
	return DBERT_OK;
}

static DbertStatus
add_names(DbertTokCompiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	size_t		n = 0;

	for (int32_t i = 0; i < s->n_added; i++)
		if (s->tokens[s->added[i].id] == NULL && s->added[i].len > 0)
			c->keys[n++] = (DbertTrieKey){ (const uint8_t *) s->added[i].text, s->added[i].len,
										   s->added[i].id };
	return dbert_trie_add(&c->trie, c->keys, n, &c->head.names, NULL, c->err);
}

static DbertStatus
add_raw(DbertTokCompiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	size_t		n = 0;

	for (int32_t i = 0; i < s->n_added; i++)
	{
		const DbertAddedToken *a = &s->added[i];

		if (a->normalized || a->len == 0)
			continue;
		c->keys[n++] = (DbertTrieKey) {(const uint8_t *) a->text, a->len, i};
		c->head.raw_first[(uint8_t) a->text[0]] = 1;
		if (a->lstrip)
			c->head.any_lstrip = 1;
	}
	return dbert_trie_add(&c->trie, c->keys, n, &c->head.raw, NULL, c->err);
}

/* DbertChain.source: an added token's text through BERT's rules */
static DbertNext
next_of_added(void *ctx, DbertChar *out)
{
	return dbert_norm_next(ctx, out);
}

/* Append the normalised text of an added token to c->normalized. */
static DbertStatus
normalize_added(DbertTokCompiler *c, const DbertAddedToken *a)
{
	const uint8_t *text = (const uint8_t *) a->text;
	DbertNormalizer n = {.rules = dbert_image_rules(&c->head), .end = text + a->len,
	.fence = text + a->len, .closed = true, .err = c->err};
	DbertChain	chain = {.steps = c->steps, .n = c->head.n_normalizers, .data = c->data,
	.alloc = c->alloc, .norm = &n, .source = next_of_added, .ctx = &n};
	DbertChar	ch;
	DbertNext	next;

	dbert_norm_begin(&n, (DbertCursor) {text, 0});
	while ((next = dbert_chain_next(&chain, &ch)) == DBERT_NEXT_CHAR)
	{
		if (!dbert_grow(c->alloc, &c->normalized, &c->normalized_capacity, c->normalized_size,
						c->normalized_size + 4, 1))
			next = dbert_norm_fail(&n, DBERT_E_NOMEM, "out of memory");
		if (next == DBERT_NEXT_FAILED)
			break;
		c->normalized_size += (size_t) dbert_utf8_encode(ch.cp, c->normalized + c->normalized_size);
	}
	dbert_chain_close(&chain);
	return next == DBERT_NEXT_FAILED ? n.status : DBERT_OK;
}

/*
 * Special tokens first: of equal normalised texts the first counts, as in
 * Hugging Face's.
 */
static DbertStatus
add_normalized(DbertTokCompiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	size_t		n = 0,
				start = 0;

	for (int pass = 0; pass < 2; pass++)
		for (int32_t i = 0; i < s->n_added; i++)
		{
			if (!s->added[i].normalized || s->added[i].special != (pass == 0))
				continue;
			DBERT_TRY(normalize_added(c, &s->added[i]));
			/*
			 * the text's place is set below, when the buffer has stopped moving
			 */
			if (c->normalized_size > start)
				c->keys[n++] = (DbertTrieKey) {NULL, c->normalized_size - start, i};
			start = c->normalized_size;
		}
	start = 0;
	for (size_t i = 0; i < n; start += c->keys[i++].len)
		c->keys[i].text = c->normalized + start;
	return dbert_trie_add(&c->trie, c->keys, n, &c->head.normalized, NULL, c->err);
}

/* ---- all of it ---- */

static DbertStatus
build(DbertTokCompiler *c, int32_t *added_of, void **image)
{
	const DbertTokenKind *kind = dbert_token_kind(c->spec->kind);

	for (int32_t i = 0; i < c->spec->n_tokens; i++)
		added_of[i] = -1;
	for (int32_t i = 0; i < c->spec->n_added; i++)
		added_of[c->spec->added[i].id] = i;
	DBERT_TRY(add_steps(c));
	DBERT_TRY(add_vocabulary(c));
	DBERT_TRY(add_names(c));
	DBERT_TRY(add_raw(c));
	DBERT_TRY(add_normalized(c));
	if (kind->compile != NULL)
		DBERT_TRY(kind->compile(c));
	return dbert_tok_lay_out(c, added_of, image);
}

static void
begin(DbertTokCompiler *c, const DbertTokenizerSpec *spec)
{
	c->head.magic = DBERT_TOKIMAGE_MAGIC;
	c->head.version = DBERT_TOKIMAGE_VERSION;
	c->head.kind = spec->kind;
	c->head.n_tokens = spec->n_tokens;
	c->head.n_known = spec->n_known > 0 ? spec->n_known : spec->n_tokens;
	c->head.n_added = spec->n_added;
	c->head.max_word_chars = INT32_MAX;
	c->head.pieces = -1;
	c->head.unk_id = spec->unk_id;
	c->head.cls_id = spec->cls_id;
	c->head.sep_id = spec->sep_id;
	c->head.pad_id = spec->pad_id;
	c->head.mask_id = spec->mask_id;
	c->head.clean_text = spec->clean_text;
	c->head.split_cjk = spec->split_cjk;
	c->head.strip_accents = spec->strip_accents;
	c->head.lowercase = spec->lowercase;
	c->head.split_by_steps = spec->split_by_steps;
	c->head.trim_offsets = spec->trim_offsets;
	c->head.trim_keeps_first = spec->trim_keeps_first;
	set_templates(c);
}

DbertStatus
dbert_tokenizer_compile(const DbertTokenizerSpec *spec, const DbertAllocator *alloc,
						const DbertPoll *poll, void **image, size_t *image_size, DbertError *err)
{
	DbertTokCompiler c;
	int32_t    *added_of = NULL;
	DbertStatus status;

	*image = NULL;
	*image_size = 0;
	DBERT_TRY(check_spec(spec, err));
	memset(&c, 0, sizeof(c));
	c.spec = spec;
	c.alloc = c.trie.alloc = alloc;
	c.poll = c.trie.poll = poll;
	c.err = err;
	begin(&c, spec);

	c.keys = dbert_alloc_array(alloc, (size_t) spec->n_tokens, sizeof(DbertTrieKey));
	added_of = dbert_alloc_array(alloc, (size_t) spec->n_tokens, sizeof(int32_t));
	if (c.keys == NULL || added_of == NULL)
		status = dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	else
		status = build(&c, added_of, image);
	if (status == DBERT_OK)
		*image_size = (size_t) c.head.size;
	dbert_trie_free(&c.trie);
	dbert_free(alloc, c.model);
	dbert_free(alloc, c.data);
	dbert_free(alloc, c.normalized);
	dbert_free(alloc, added_of);
	dbert_free(alloc, c.keys);
	return status;
}
