/*
 * charbpe.c -- SentencePiece's BPE: a word's characters, merged by rank.
 *
 * A character without a token becomes its bytes' tokens ("<0xE2>"), if all of
 * them are there and byte_fallback says so, else the unknown token, or
 * nothing.
 *
 * These tokenizers have no pre-tokenizer: a word is a whole text, with U+2581
 * for spaces.  It is spelled from left to right, between characters that have
 * no token.
 *
 * Source: Kudo and Richardson 2018 (arXiv:1808.06226); Hugging Face
 * tokenizers.
 */
#include "text/bpe.h"
#include "text/bpespell.h"
#include "text/tokenkind.h"
#include "text/utf8.h"

#include <string.h>

/* The kind's block; places count from its beginning, are multiples of 8. */
typedef struct CharBpeBlock
{
	DbertBpeTable table;
	int32_t		bytes[256];		/* ids of "<0x00>" ..., -1: none */
	int32_t		byte_fallback;	/* they are to be used, for characters that have all */
	int32_t		unknown;		/* what other characters become, -1: nothing */
	int32_t		fuse_unk;
	int32_t		ignore_merges;
} CharBpeBlock;

static inline const CharBpeBlock *
block_of(const DbertTokImage *image)
{
	return dbert_image_model(image);
}

/* The token that text[len] is, or -1. */
static inline int32_t
find_token(const DbertTrieUnit *units, int32_t node, const uint8_t *text, size_t len)
{
	for (size_t i = 0; i < len && node >= 0; i++)
		node = dbert_trie_step(units, node, text[i]);
	return node >= 0 ? units[node].value : -1;
}

/* ---- symbols ---- */

/* A character that is no token: its bytes, or *unknown bytes more of that. */
static bool
add_strange(const CharBpeBlock *b, DbertBpeWork *w, const DbertAllocator *alloc,
			const uint8_t *bytes, size_t n, uint32_t *unknown)
{
	if (b->byte_fallback && dbert_tok_has_bytes(b->bytes, bytes, n))
	{
		for (size_t i = 0; i < n; i++)
			if (!dbert_bpe_add(w, alloc, b->bytes[bytes[i]], 1))
				return false;
		return true;
	}
	if (*unknown > 0 && !b->fuse_unk)
	{
		if (!dbert_bpe_add(w, alloc, b->unknown, *unknown))
			return false;
		*unknown = 0;
	}
	*unknown += b->unknown >= 0 ? (uint32_t) n : 0;
	return true;
}

/*
 * Make symbols of bytes[len], which are UTF-8, or only of those before the
 * first character with a token; *end = how many bytes they are of.  False: out
 * of memory.
 */
static bool
load_symbols(const CharBpeBlock *b, const DbertTrieUnit *units, DbertBpeWork *w,
			 const DbertAllocator *alloc, const uint8_t *bytes, size_t len, bool strange,
			 size_t *end)
{
	uint32_t	unknown = 0;	/* bytes that the next unknown token is for */
	size_t		n;

	w->n = 0;
	for (*end = 0; *end < len; *end += n)
	{
		const uint8_t *at = bytes + *end;
		int32_t		id;

		for (n = 1; *end + n < len && dbert_utf8_is_tail(at[n]); n++)
			;
		id = find_token(units, b->table.root, at, n);
		if (id >= 0 && strange)
			break;
		if (id < 0 && !add_strange(b, w, alloc, at, n, &unknown))
			return false;
		if (id < 0)
			continue;
		if ((unknown > 0 && !dbert_bpe_add(w, alloc, b->unknown, unknown)) ||
			!dbert_bpe_add(w, alloc, id, (uint32_t) n))
			return false;
		unknown = 0;
	}
	return unknown == 0 || dbert_bpe_add(w, alloc, b->unknown, unknown);
}

/* ---- compiling ---- */

/* *all = every byte has a token. */
static DbertStatus
make_block(DbertTokCompiler *c, bool *all)
{
	const DbertTokenizerSpec *s = c->spec;
	CharBpeBlock b;
	size_t		total = sizeof(b);

	memset(&b, 0, sizeof(b));
	*all = dbert_tok_find_bytes(c, b.bytes);
	if (!dbert_bpe_reserve(&b.table, &total, s) ||
		!dbert_bpe_reserve_whole(&b.table, &total, s))
		return dbert_fail(c->err, DBERT_E_LIMIT, "vocabulary is too large");
	return dbert_tok_make_block(c, &b, sizeof(b), total);
}

/* Is a token one that characters without a token may become? */
static bool
is_strange(const DbertTokenizerSpec *s, int32_t id)
{
	return id == s->unknown_id ||
		(s->token_lens[id] == 6 && memcmp(s->tokens[id], "<0x", 3) == 0);
}

/* Do merges join what is no character? */
static bool
merges_strange(const DbertTokenizerSpec *s)
{
	for (int32_t i = 0; i < s->n_merges; i++)
		if (is_strange(s, s->merges[i].left) || is_strange(s, s->merges[i].right))
			return true;
	return false;
}

/* Find the whole tokens. */
static DbertStatus
fill_whole(DbertTokCompiler *c, CharBpeBlock *b, DbertBpeWork *w)
{
	const DbertTokenizerSpec *s = c->spec;

	for (int32_t id = 0; id < s->n_tokens; id++)
	{
		const uint8_t *text = (const uint8_t *) s->tokens[id];
		size_t		end;

		DBERT_TRY(dbert_tok_poll(c, id));
		if (text == NULL || s->token_lens[id] == 0)
			continue;
		if (!load_symbols(b, c->trie.units, w, c->alloc, text, s->token_lens[id], false, &end))
			return dbert_fail(c->err, DBERT_E_NOMEM, "out of memory");
		DBERT_TRY(dbert_bpe_merge_token(&b->table, w, w->symbols, &w->n, c->alloc, c->err));
		if (w->n == 1 && w->symbols[0].id == id)
			dbert_bpe_add_whole(&b->table, id, w->last);
	}
	return DBERT_OK;
}

/* Of ASCII characters the symbols are known by their byte. */
static DbertStatus
end_whole(DbertTokCompiler *c, CharBpeBlock *b)
{
	int32_t		bytes[256];

	memset(bytes, -1, sizeof(bytes));
	for (uint8_t i = 0; i < 128; i++)
		bytes[i] = find_token(c->trie.units, b->table.root, &i, 1);
	return dbert_bpe_end_whole(c, &b->table, bytes);
}

static DbertStatus
compile(DbertTokCompiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	DbertBpeWork work = {0};
	CharBpeBlock *b;
	DbertStatus status;
	bool		all;

	DBERT_TRY(dbert_tok_check_id(s, "unknown", s->unknown_id, false, c->err));
	DBERT_TRY(make_block(c, &all));
	b = c->model;
	b->byte_fallback = s->byte_fallback;
	b->unknown = s->unknown_id;
	b->fuse_unk = s->fuse_unk;
	b->ignore_merges = s->ignore_merges;
	b->table.root = c->head.words;
	c->head.may_vanish = b->unknown < 0 && !(all && b->byte_fallback);
	dbert_bpe_fill(&b->table, s);
	dbert_bpe_begin_whole(&b->table);
	status = fill_whole(c, b, &work);
	if (status == DBERT_OK && !c->head.may_vanish && !merges_strange(s))
		status = end_whole(c, b);
	dbert_bpe_free(&work, c->alloc);
	return status;
}

/* ---- opening ---- */

static bool
valid(const DbertTokImage *h)
{
	const CharBpeBlock *b = block_of(h);

	if (h->model_size < sizeof(*b) || h->words < 0 || b->table.root != h->words ||
		b->unknown < -1 || b->unknown >= h->n_tokens ||
		!dbert_bpe_valid(&b->table, h->model_size, h->n_tokens) ||
		!dbert_bpe_valid_whole(&b->table, h))
		return false;
	for (int i = 0; i < 256; i++)
		if (b->bytes[i] < -1 || b->bytes[i] >= h->n_tokens)
			return false;
	return true;
}

/* ---- cutting ---- */

/* Emit the symbols as tokens. */
static DbertStatus
emit_symbols(DbertTokenizing *t, const DbertBpeWork *w, DbertBpeSpan *span)
{
	for (size_t i = 0; i < w->n; i++)
	{
		dbert_bpe_next_span(span, w->symbols[i].len);
		DBERT_TRY(dbert_emit(t, w->symbols[i].id, span->start, span->end));
	}
	return DBERT_OK;
}

/*
 * Emit tokens of characters that have one, and of others between them; *done =
 * bytes that are decided, all if no more follow.
 */
static DbertStatus
emit_spelled(DbertTokenizing *t, const CharBpeBlock *b, DbertBpeWork *w, size_t len, bool more,
			 size_t *done)
{
	const DbertTrieUnit *units = dbert_image_units(t->image);
	DbertBpeSpan span = dbert_bpe_span(t->word, w);
	size_t		n;

	for (*done = 0; *done < len; *done += n)
	{
		DBERT_TRY(dbert_bpe_spell(t, &b->table, w, w->bytes + *done, len - *done, more, &n));
		DBERT_TRY(emit_symbols(t, w, &span));
		*done += n;
		if (*done == len)
			break;
		if (!load_symbols(b, units, w, t->alloc, w->bytes + *done, len - *done, true, &n))
			return dbert_fail(t->err, DBERT_E_NOMEM, "out of memory");
		/* an unknown token at the end may yet go on */
		if (n == 0 || (more && *done + n == len &&
					   (w->n == 0 || w->symbols[w->n - 1].id == b->unknown)))
			break;
		DBERT_TRY(emit_symbols(t, w, &span));
	}
	return DBERT_OK;
}

/* Emit what is decided. */
static DbertStatus
cut_some(DbertTokenizing *t)
{
	const CharBpeBlock *b = block_of(t->image);
	DbertBpeWork *w;
	size_t		len = 0;

	if (b->table.spells)
	{
		DBERT_TRY(dbert_bpe_load_bytes(t, &w, &len));
		DBERT_TRY(emit_spelled(t, b, w, len, true, &len));
		len = (size_t) dbert_utf8_count((const char *) w->bytes, len);
	}
	dbert_word_begins_at(t, len);
	return DBERT_OK;
}

/* The whole word's token, if merges are to be ignored for it; else -1. */
static int32_t
word_token(const DbertTokenizing *t, const CharBpeBlock *b)
{
	const DbertTrieUnit *units = dbert_image_units(t->image);
	int32_t		node = t->image->words;

	if (!b->ignore_merges || (size_t) t->word_chars != t->word_kept)
		return -1;
	for (size_t i = 0; i < t->word_kept && node >= 0; i++)
	{
		uint8_t		bytes[4];
		int			n = dbert_utf8_encode(t->word[i].cp, bytes);

		for (int k = 0; k < n && node >= 0; k++)
			node = dbert_trie_step(units, node, bytes[k]);
	}
	return node >= 0 ? units[node].value : -1;
}

static DbertStatus
cut(DbertTokenizing *t)
{
	const CharBpeBlock *b = block_of(t->image);
	int32_t		id = word_token(t, b);
	DbertBpeWork *w;
	DbertBpeSpan span;
	size_t		len;

	if (id >= 0)
		return dbert_emit(t, id, t->word[0].start, t->word[t->word_kept - 1].end);
	DBERT_TRY(dbert_bpe_load_bytes(t, &w, &len));
	if (b->table.spells)
		return emit_spelled(t, b, w, len, false, &len);
	if (!load_symbols(b, dbert_image_units(t->image), w, t->alloc, w->bytes, len, false, &len))
		return dbert_fail(t->err, DBERT_E_NOMEM, "out of memory");
	DBERT_TRY(dbert_bpe_merge(&b->table, w, t->alloc, t->poll, t->err));
	span = dbert_bpe_span(t->word, w);
	return emit_symbols(t, w, &span);
}

/* ---- decoding ---- */

/* U+2581 is a space; "<0xE2>" is a byte. */
static void
put(DbertDecoding *d, const char *token, size_t len, bool added)
{
	int			byte = dbert_tok_byte_of(token, len);

	(void) added;
	if (byte >= 0)
	{
		d->text[d->len++] = (char) byte;
		d->bytes++;
		return;
	}
	dbert_decode_bytes(d);
	for (size_t i = 0; i < len; i++)
	{
		bool		space = len - i >= 3 && memcmp(token + i, "\xe2\x96\x81", 3) == 0;

		d->text[d->len++] = space ? ' ' : token[i];
		i += space ? 2 : 0;
	}
}

/* The space that was put before the text goes. */
static void
end(DbertDecoding *d)
{
	dbert_decode_bytes(d);
	if (d->image->space_before && d->len > 0 && d->text[0] == ' ')
		memmove(d->text, d->text + 1, --d->len);
}

const DbertTokenKind dbert_kind_charbpe = {
	.compile = compile,
	.valid = valid,
	.cut = cut,
	.cut_some = cut_some,
	.close = dbert_bpe_close,
	.beginning = "\xe2\x96\x81",
	.put = put,
	.end = end
};
