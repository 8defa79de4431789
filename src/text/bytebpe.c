/*
 * bytebpe.c -- byte-level BPE: a word's bytes, merged by rank.
 *
 * The vocabulary writes bytes as characters (bytechars.h); here they are bytes
 * again.  Most words of a text are tokens that merging would arrive at anyway:
 * these are found by a hash table of whole words, made when the tokenizer is
 * compiled by merging every token.  Others are spelled from left to right.
 *
 * A byte without a token is the unknown one or, where there is none, left out,
 * and what follows moves up, as in Hugging Face's.
 *
 * Source: Radford et al. 2019 (GPT-2); Sennrich et al. 2016 (arXiv:1508.07909).
 */
#include "text/bpe.h"
#include "text/bpespell.h"
#include "text/bytechars.h"
#include "text/tokenkind.h"
#include "text/utf8.h"

#include <string.h>

/* A token that its own bytes become. */
typedef struct WholeWord
{
	uint32_t	hash;
	int32_t		id;				/* -1: the slot is free */
} WholeWord;

/* The kind's block; places count from its beginning, are multiples of 8. */
typedef struct ByteBpeBlock
{
	DbertBpeTable table;
	uint64_t	words_at,		/* WholeWord[n_words], a power of two */
				n_words,
				ends_at,		/* uint32_t[n_tokens]: where a token's bytes end */
				bytes_at,
				bytes_size;
	int32_t		ids[256];		/* of single bytes, -1: none */
	int32_t		complete;		/* every byte has a token */
	int32_t		unknown;		/* what others become, -1: nothing */
	int32_t		fuse_unk;
	uint32_t	longest;		/* bytes of the longest whole word */
	uint32_t	unused;			/* 0 */
} ByteBpeBlock;

static inline const ByteBpeBlock *
block_of(const DbertTokImage *image)
{
	return dbert_image_model(image);
}

/* The bytes of a token. */
static inline const uint8_t *
bytes_of(const ByteBpeBlock *b, int32_t id, size_t *len)
{
	const uint32_t *ends = dbert_in_block(b, b->ends_at);
	uint32_t	start = id > 0 ? ends[id - 1] : 0;

	*len = ends[id] - start;
	return (const uint8_t *) dbert_in_block(b, b->bytes_at) + start;
}

/* ---- whole words ---- */

static inline uint32_t
hash_bytes(const uint8_t *bytes, size_t len)
{
	const uint64_t k = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t	h = len * k,
				part;

	for (; len >= 8; bytes += 8, len -= 8)
	{
		memcpy(&part, bytes, 8);
		h = (h ^ part) * k;
		h ^= h >> 32;
	}
	part = 0;
	for (size_t i = 0; i < len; i++)
		part |= (uint64_t) bytes[i] << 8 * i;
	h = (h ^ part) * k;
	return (uint32_t) (h >> 32);
}

/* The slot of a word, or the free one where it would be. */
static inline uint64_t
find_word(const ByteBpeBlock *b, const WholeWord *words, const uint8_t *bytes, size_t len,
		  uint32_t hash)
{
	uint64_t	at = hash & (b->n_words - 1);

	for (; words[at].id >= 0; at = (at + 1) & (b->n_words - 1))
	{
		const uint8_t *token;
		size_t		n;

		if (words[at].hash != hash)
			continue;
		token = bytes_of(b, words[at].id, &n);
		if (n == len && memcmp(token, bytes, len) == 0)
			break;
	}
	return at;
}

/* ---- merging ---- */

/* Make symbols of bytes; NOMEM is false. */
static bool
load_symbols(const ByteBpeBlock *b, DbertBpeWork *w, const DbertAllocator *alloc,
			 const uint8_t *bytes, size_t len)
{
	bool		was_unknown = false;

	w->n = 0;
	for (size_t i = 0; i < len; i++)
	{
		bool		unknown = b->ids[bytes[i]] < 0;
		int32_t		id = unknown ? b->unknown : b->ids[bytes[i]];

		if (unknown && was_unknown && b->fuse_unk && id >= 0)
			w->symbols[w->n - 1].len++;
		else if (id >= 0 && !dbert_bpe_add(w, alloc, id, 1))
			return false;
		was_unknown = unknown;
	}
	return true;
}

/* ---- compiling ---- */

static DbertStatus
make_block(DbertTokCompiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	ByteBpeBlock b;
	size_t		total = sizeof(b),
				texts = 0,
				n_words = 16;

	memset(&b, 0, sizeof(b));
	for (int32_t i = 0; i < s->n_tokens; i++)
		texts += s->tokens[i] != NULL ? s->token_lens[i] : 0;
	while (n_words < 2 * (size_t) s->n_tokens)
		n_words *= 2;
	b.n_words = n_words;
	b.bytes_size = texts;
	if (texts > UINT32_MAX || !dbert_bpe_reserve(&b.table, &total, s) ||
		!dbert_bpe_reserve_whole(&b.table, &total, s) ||
		!dbert_tok_reserve(&b.words_at, &total, n_words, sizeof(WholeWord)) ||
		!dbert_tok_reserve(&b.ends_at, &total, (size_t) s->n_tokens, sizeof(uint32_t)) ||
		!dbert_tok_reserve(&b.bytes_at, &total, texts, 1))
		return dbert_fail(c->err, DBERT_E_LIMIT, "vocabulary is too large");
	return dbert_tok_make_block(c, &b, sizeof(b), total);
}

/* The tokens' bytes, none of those that are written in other characters. */
static void
fill_bytes(const DbertTokenizerSpec *s, ByteBpeBlock *b)
{
	uint8_t    *bytes = (uint8_t *) b + b->bytes_at;
	uint32_t   *ends = (uint32_t *) ((char *) b + b->ends_at),
				at = 0;

	memset(b->ids, -1, sizeof(b->ids));
	for (int32_t i = 0; i < s->n_tokens; i++)
	{
		size_t		n = 0;

		if (s->tokens[i] != NULL &&
			!dbert_byte_chars_read(s->tokens[i], s->token_lens[i], bytes + at, &n))
			n = 0;
		if (n == 1)
			b->ids[bytes[at]] = i;
		at += (uint32_t) n;
		ends[i] = at;
	}
	b->complete = true;
	for (int i = 0; i < 256; i++)
		b->complete &= b->ids[i] >= 0;
}

/* Does merging a token's bytes give this token alone? */
static DbertStatus
is_whole(DbertTokCompiler *c, ByteBpeBlock *b, DbertBpeWork *w, int32_t id, bool *whole)
{
	size_t		len;
	const uint8_t *bytes = bytes_of(b, id, &len);

	*whole = false;
	if (len == 0)
		return DBERT_OK;
	if (!load_symbols(b, w, c->alloc, bytes, len))
		return dbert_fail(c->err, DBERT_E_NOMEM, "out of memory");
	DBERT_TRY(dbert_bpe_merge_token(&b->table, w, w->symbols, &w->n, c->alloc, c->err));
	*whole = w->n == 1 && w->symbols[0].id == id;
	return DBERT_OK;
}

static DbertStatus
fill_words(DbertTokCompiler *c, ByteBpeBlock *b, DbertBpeWork *w)
{
	WholeWord  *words = (WholeWord *) ((char *) b + b->words_at);
	DbertBpeToken *tokens = (DbertBpeToken *) dbert_bpe_tokens(&b->table);
	size_t		n = 0;
	bool		whole;

	for (uint64_t i = 0; i < b->n_words; i++)
		words[i] = (WholeWord) {0, -1};
	for (int32_t id = 0; id < c->spec->n_tokens; id++)
	{
		size_t		len;
		const uint8_t *bytes = bytes_of(b, id, &len);
		uint32_t	hash = hash_bytes(bytes, len);

		DBERT_TRY(dbert_tok_poll(c, id));
		DBERT_TRY(is_whole(c, b, w, id, &whole));
		tokens[id].spaces = len > 0 && (bytes[0] == ' ' || bytes[len - 1] == ' ');
		if (whole)
		{
			dbert_bpe_add_whole(&b->table, id, w->last);
			c->keys[n++] = (DbertTrieKey) {bytes, len, id};
		}
		if (len == 0 || !(whole || c->spec->ignore_merges))
			continue;
		words[find_word(b, words, bytes, len, hash)] = (WholeWord) {hash, id};
		b->longest = len > b->longest ? (uint32_t) len : b->longest;
	}
	if (b->complete)
		DBERT_TRY(dbert_bpe_end_whole(c, &b->table, b->ids));
	return dbert_trie_add(&c->trie, c->keys, n, &b->table.root, NULL, c->err);
}

static DbertStatus
compile(DbertTokCompiler *c)
{
	ByteBpeBlock *b;
	DbertBpeWork work = {0};
	DbertStatus status;

	DBERT_TRY(dbert_tok_check_id(c->spec, "unknown", c->spec->unknown_id, false, c->err));
	DBERT_TRY(make_block(c));
	b = c->model;
	b->fuse_unk = c->spec->fuse_unk;
	b->unknown = c->spec->unknown_id;
	fill_bytes(c->spec, b);
	c->head.may_vanish = !b->complete && b->unknown < 0;
	dbert_bpe_fill(&b->table, c->spec);
	dbert_bpe_begin_whole(&b->table);
	status = fill_words(c, b, &work);
	dbert_bpe_free(&work, c->alloc);
	return status;
}

/* ---- opening ---- */

static bool
valid_words(const DbertTokImage *h, const ByteBpeBlock *b)
{
	const WholeWord *words = dbert_in_block(b, b->words_at);
	const uint32_t *ends = dbert_in_block(b, b->ends_at);
	uint32_t	before = 0;
	bool		any_free = false;

	for (int32_t i = 0; i < h->n_tokens; before = ends[i++])
		if (ends[i] < before || ends[i] > b->bytes_size)
			return false;
	for (uint64_t i = 0; i < b->n_words; i++)
	{
		any_free |= words[i].id < 0;
		if (words[i].id >= h->n_tokens)
			return false;
	}
	return any_free;
}

static bool
valid(const DbertTokImage *h)
{
	const ByteBpeBlock *b = block_of(h);

	if (h->model_size < sizeof(*b) || b->unknown >= h->n_tokens || b->n_words == 0 ||
		(b->n_words & (b->n_words - 1)) != 0 ||
		!dbert_block_has(h, sizeof(*b), b->words_at, b->n_words, sizeof(WholeWord)) ||
		!dbert_block_has(h, sizeof(*b), b->ends_at, (uint64_t) h->n_tokens, sizeof(uint32_t)) ||
		!dbert_block_has(h, sizeof(*b), b->bytes_at, b->bytes_size, 1) ||
		!dbert_bpe_valid(&b->table, h->model_size, h->n_tokens) ||
		!dbert_bpe_valid_whole(&b->table, h))
		return false;
	for (int i = 0; i < 256; i++)
		if (b->ids[i] >= h->n_tokens)
			return false;
	return valid_words(h, b);
}

/* ---- cutting ---- */

/* Emit with the white space that the token's text has at its ends. */
static inline DbertStatus
emit_bytes(DbertTokenizing *t, const ByteBpeBlock *b, int32_t id, int32_t start, int32_t end)
{
	const uint8_t *bytes;
	size_t		len;
	int32_t		before = 0,
				after = 0;

	if (!t->image->trim_offsets)
		return dbert_emit(t, id, start, end);
	bytes = bytes_of(b, id, &len);
	while ((size_t) before < len && bytes[before] == ' ')
		before++;
	while ((size_t) after < len && bytes[len - 1 - (size_t) after] == ' ')
		after++;
	return dbert_emit_trimmed(t, id, start, end, before, after);
}

/* Emit the symbols as the word's tokens. */
static DbertStatus
emit_symbols(DbertTokenizing *t, const ByteBpeBlock *b, const DbertBpeWork *w)
{
	const DbertBpeToken *tokens = dbert_bpe_tokens(&b->table);
	DbertBpeSpan span = dbert_bpe_span(t->word, w);

	for (size_t i = 0; i < w->n; i++)
	{
		int32_t		id = w->symbols[i].id;

		dbert_bpe_next_span(&span, w->symbols[i].len);
		DBERT_TRY(tokens[id].spaces ? emit_bytes(t, b, id, span.start, span.end)
									: dbert_emit(t, id, span.start, span.end));
	}
	return DBERT_OK;
}

static DbertStatus
cut(DbertTokenizing *t)
{
	const ByteBpeBlock *b = block_of(t->image);
	const WholeWord *words = dbert_in_block(b, b->words_at);
	DbertBpeWork *w;
	size_t		len;
	uint64_t	at;

	DBERT_TRY(dbert_bpe_load_bytes(t, &w, &len));
	if (len <= b->longest && (size_t) t->word_chars == t->word_kept)
	{
		at = find_word(b, words, w->bytes, len, hash_bytes(w->bytes, len));
		if (words[at].id >= 0)
			return emit_bytes(t, b, words[at].id, t->word[0].start,
							  t->word[t->word_kept - 1].end);
	}
	if (b->table.spells)
		DBERT_TRY(dbert_bpe_spell(t, &b->table, w, w->bytes, len, false, &len));
	else if (!load_symbols(b, w, t->alloc, w->bytes, len))
		return dbert_fail(t->err, DBERT_E_NOMEM, "out of memory");
	else
		DBERT_TRY(dbert_bpe_merge(&b->table, w, t->alloc, t->poll, t->err));
	return emit_symbols(t, b, w);
}

/* Emit what is decided. */
static DbertStatus
cut_some(DbertTokenizing *t)
{
	const ByteBpeBlock *b = block_of(t->image);
	DbertBpeWork *w;
	size_t		len = 0;

	if (b->table.spells)
	{
		DBERT_TRY(dbert_bpe_load_bytes(t, &w, &len));
		DBERT_TRY(dbert_bpe_spell(t, &b->table, w, w->bytes, len, true, &len));
		DBERT_TRY(emit_symbols(t, b, w));
		len = (size_t) dbert_utf8_count((const char *) w->bytes, len);
	}
	dbert_word_begins_at(t, len);
	return DBERT_OK;
}

/* ---- decoding ---- */

static void
put(DbertDecoding *d, const char *token, size_t len, bool added)
{
	size_t		n;

	(void) added;
	if (!dbert_byte_chars_read(token, len, (uint8_t *) d->text + d->len, &n))
	{
		memcpy(d->text + d->len, token, len);
		n = len;
	}
	d->len += n;
}

const DbertTokenKind dbert_kind_bytebpe = {
	.compile = compile,
	.valid = valid,
	.cut = cut,
	.cut_some = cut_some,
	.close = dbert_bpe_close,
	.beginning = "\xc4\xa0",	/* a space's byte */
	.put = put
};
