/*
 * charbpe.c -- SentencePiece's BPE: a word's characters, merged by rank.
 *
 * A character without a token becomes its bytes' tokens ("<0xE2>"), if all of
 * them are there and byte_fallback says so, else the unknown token, or nothing.
 *
 * These tokenizers have no pre-tokenizer: a word is a whole text, with U+2581
 * for spaces.  It is cut into stretches where no merge can cross, between
 * characters that stand side by side in no merged token; so a stretch is a word
 * of prose again, and most are tokens that merging would arrive at anyway.
 *
 * Source: Kudo and Richardson 2018 (arXiv:1808.06226); Hugging Face tokenizers.
 */
#include "text/bpe.h"
#include "text/tokenkind.h"
#include "text/utf8.h"

#include <string.h>

/* The kind's block; places count from its beginning, are multiples of 8. */
typedef struct CharBpeBlock
{
	DbertBpeTable table;
	uint64_t	meets_at,		/* bits, hashed: characters that may stand side by side */
				n_meets,		/* a power of two */
				wholes_at;		/* bits by id: merging a token's characters gives it */
	int32_t		bytes[256];		/* ids of "<0x00>" ..., -1: none */
	int32_t		byte_fallback;	/* they are to be used, for characters that have all */
	int32_t		unknown;		/* what other characters become, -1: nothing */
	int32_t		fuse_unk;
	int32_t		ignore_merges;
	int32_t		cuts;			/* stretches may be cut */
	uint32_t	longest;		/* bytes of the longest token */
} CharBpeBlock;

static inline const CharBpeBlock *
block_of(const DbertTokImage *image)
{
	return dbert_image_model(image);
}

static inline bool
bit_at(const CharBpeBlock *b, uint64_t place, uint64_t bit)
{
	return ((const uint8_t *) b)[place + (bit >> 3)] >> (bit & 7) & 1;
}

static inline void
set_bit(CharBpeBlock *b, uint64_t place, uint64_t bit)
{
	((uint8_t *) b)[place + (bit >> 3)] |= (uint8_t) (1 << (bit & 7));
}

static inline uint64_t
meeting(const CharBpeBlock *b, uint32_t left, uint32_t right)
{
	uint64_t	h = ((uint64_t) left << 21 | right) * UINT64_C(0x9e3779b97f4a7c15);

	return h >> 32 & (b->n_meets - 1);
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

/* Make symbols of a stretch's bytes, which are UTF-8; false: out of memory. */
static bool
load_symbols(const CharBpeBlock *b, const DbertTrieUnit *units, int32_t root, DbertBpeWork *w,
			 const DbertAllocator *alloc, const uint8_t *bytes, size_t len)
{
	uint32_t	unknown = 0;	/* bytes that the next unknown token is for */

	w->n = 0;
	for (size_t i = 0, n; i < len; i += n)
	{
		int32_t		id;

		for (n = 1; i + n < len && dbert_utf8_is_tail(bytes[i + n]); n++)
			;
		id = find_token(units, root, bytes + i, n);
		if (id < 0)
		{
			if (!add_strange(b, w, alloc, bytes + i, n, &unknown))
				return false;
			continue;
		}
		if ((unknown > 0 && !dbert_bpe_add(w, alloc, b->unknown, unknown)) ||
			!dbert_bpe_add(w, alloc, id, (uint32_t) n))
			return false;
		unknown = 0;
	}
	return unknown == 0 || dbert_bpe_add(w, alloc, b->unknown, unknown);
}

/* ---- compiling ---- */

static uint64_t
meets_of(const DbertTokenizerSpec *s)
{
	uint64_t	n = 1024,
				bytes = 0;

	for (int32_t i = 0; i < s->n_merges; i++)
		bytes += s->token_lens[s->merges[i].merged];
	while (n < bytes && n < UINT64_C(1) << 32)
		n *= 2;
	return n;
}

/* *all = every byte has a token. */
static DbertStatus
make_block(DbertTokCompiler *c, bool *all)
{
	const DbertTokenizerSpec *s = c->spec;
	CharBpeBlock b;
	size_t		total = sizeof(b);

	memset(&b, 0, sizeof(b));
	*all = dbert_tok_find_bytes(c, b.bytes);
	b.n_meets = meets_of(s);
	if (!dbert_bpe_reserve(&b.table, &total, s) ||
		!dbert_tok_reserve(&b.meets_at, &total, b.n_meets / 8, 1) ||
		!dbert_tok_reserve(&b.wholes_at, &total, (size_t) s->n_tokens / 8 + 1, 1))
		return dbert_fail(c->err, DBERT_E_LIMIT, "vocabulary is too large");
	return dbert_tok_make_block(c, &b, sizeof(b), total);
}

/* Which characters stand side by side in merged tokens. */
static void
fill_meetings(const DbertTokenizerSpec *s, CharBpeBlock *b)
{
	for (int32_t i = 0; i < s->n_merges; i++)
	{
		const uint8_t *p = (const uint8_t *) s->tokens[s->merges[i].merged],
				   *end = p + s->token_lens[s->merges[i].merged];
		uint32_t	before = 0,
					cp = 0;

		for (; p < end; before = cp)
		{
			p += dbert_utf8_decode(p, end, &cp);
			if (before != 0)
				set_bit(b, b->meets_at, meeting(b, before, cp));
		}
	}
}

/* Is a token one that characters without a token may become? */
static bool
is_strange(const DbertTokenizerSpec *s, int32_t id)
{
	return id == s->unknown_id ||
		(s->token_lens[id] == 6 && memcmp(s->tokens[id], "<0x", 3) == 0);
}

/* May stretches be cut?  Not if merges join what no character tells. */
static bool
may_cut(const DbertTokenizerSpec *s)
{
	for (int32_t i = 0; i < s->n_merges; i++)
		if (is_strange(s, s->merges[i].left) || is_strange(s, s->merges[i].right))
			return false;
	return true;
}

/* Mark the tokens that their own characters become. */
static DbertStatus
fill_wholes(DbertTokCompiler *c, CharBpeBlock *b, DbertBpeWork *w)
{
	const DbertTokenizerSpec *s = c->spec;

	for (int32_t id = 0; id < s->n_tokens; id++)
	{
		DBERT_TRY(dbert_tok_poll(c, id));
		if (s->tokens[id] == NULL || s->token_lens[id] == 0)
			continue;
		if (!load_symbols(b, c->trie.units, c->head.words, w, c->alloc,
						  (const uint8_t *) s->tokens[id], s->token_lens[id]))
			return dbert_fail(c->err, DBERT_E_NOMEM, "out of memory");
		DBERT_TRY(dbert_bpe_merge(&b->table, w, c->alloc, NULL, c->err));
		if (w->n == 1 && w->symbols[0].id == id)
			set_bit(b, b->wholes_at, (uint64_t) id);
	}
	return DBERT_OK;
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
	for (int32_t i = 0; i < s->n_tokens; i++)
		if (s->tokens[i] != NULL && s->token_lens[i] > b->longest)
			b->longest = (uint32_t) s->token_lens[i];
	c->head.may_vanish = b->unknown < 0 && !(all && b->byte_fallback);
	b->cuts = !c->head.may_vanish && may_cut(s);
	fill_meetings(s, b);
	dbert_bpe_fill(&b->table, s);
	status = fill_wholes(c, b, &work);
	dbert_bpe_free(&work, c->alloc);
	return status;
}

/* ---- opening ---- */

static bool
valid(const DbertTokImage *h)
{
	const CharBpeBlock *b = block_of(h);

	if (h->model_size < sizeof(*b) || h->words < 0 || b->unknown < -1 ||
		b->unknown >= h->n_tokens || b->n_meets < 8 || (b->n_meets & (b->n_meets - 1)) != 0 ||
		!dbert_block_has(h, sizeof(*b), b->meets_at, b->n_meets / 8, 1) ||
		!dbert_block_has(h, sizeof(*b), b->wholes_at, (uint64_t) h->n_tokens / 8 + 1, 1) ||
		!dbert_bpe_valid(&b->table, h->model_size, h->n_tokens))
		return false;
	for (int i = 0; i < 256; i++)
		if (b->bytes[i] < -1 || b->bytes[i] >= h->n_tokens)
			return false;
	return true;
}

/* ---- cutting ---- */

/* No merge can cross the border before a character. */
static inline bool
is_border(const DbertTokImage *image, const CharBpeBlock *b, uint32_t left, uint32_t right)
{
	uint8_t		bytes[4];

	/* unknown characters may melt with what is before them */
	return !bit_at(b, b->meets_at, meeting(b, left, right)) &&
		   find_token(dbert_image_units(image), image->words, bytes,
					  (size_t) dbert_utf8_encode(right, bytes)) >= 0;
}

/* Emit the tokens of the word's characters from .. to, which are a stretch. */
static DbertStatus
emit_stretch(DbertTokenizing *t, const CharBpeBlock *b, size_t from, size_t to)
{
	const DbertTrieUnit *units = dbert_image_units(t->image);
	DbertBpeWork *w = dbert_bpe_open(t);
	DbertBpeSpan span = dbert_bpe_span(t->word + from);
	size_t		len;
	int32_t		id;

	if (w == NULL || !dbert_bpe_load_bytes(t, from, to, w, &len))
		return dbert_fail(t->err, DBERT_E_NOMEM, "out of memory");
	id = len <= b->longest ? find_token(units, t->image->words, w->bytes, len) : -1;
	if (id >= 0 && bit_at(b, b->wholes_at, (uint64_t) id))
		return dbert_emit(t, id, t->word[from].start, t->word[to - 1].end);
	if (!load_symbols(b, units, t->image->words, w, t->alloc, w->bytes, len))
		return dbert_fail(t->err, DBERT_E_NOMEM, "out of memory");
	DBERT_TRY(dbert_bpe_merge(&b->table, w, t->alloc, t->poll, t->err));
	for (size_t i = 0; i < w->n; i++)
	{
		dbert_bpe_next_span(&span, w->symbols[i].len);
		DBERT_TRY(dbert_emit(t, w->symbols[i].id, span.start, span.end));
	}
	return DBERT_OK;
}

/* Emit all stretches of the word that have an end; *from: the last begins. */
static DbertStatus
emit_stretches(DbertTokenizing *t, const CharBpeBlock *b, size_t *from)
{
	*from = 0;
	for (size_t i = 1; i < t->word_kept && b->cuts; i++)
		if (is_border(t->image, b, t->word[i - 1].cp, t->word[i].cp))
		{
			DBERT_TRY(emit_stretch(t, b, *from, i));
			*from = i;
		}
	return DBERT_OK;
}

static DbertStatus
cut_some(DbertTokenizing *t)
{
	size_t		from;

	DBERT_TRY(emit_stretches(t, block_of(t->image), &from));
	dbert_word_begins_at(t, from);
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
	size_t		from;

	if (id >= 0)
		return dbert_emit(t, id, t->word[0].start, t->word[t->word_kept - 1].end);
	DBERT_TRY(emit_stretches(t, b, &from));
	return emit_stretch(t, b, from, t->word_kept);
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
