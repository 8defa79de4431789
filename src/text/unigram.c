/*
 * unigram.c -- Unigram: of all ways to cut a word into pieces, the one whose
 * scores sum up highest.
 *
 * Viterbi's algorithm over the trie of pieces, by bytes.  From every character
 * all pieces that begin there are tried, and, if none of them is that character
 * alone, the unknown token of one character, which scores 10 less than the
 * worst piece.  Of equal sums the one found first stays.  Neighbouring unknown
 * characters melt into one token, or into one token for each byte if there are
 * such (byte_fallback).
 *
 * SentencePiece adds scores up as floats, and a model may know other pieces
 * than the text is cut by: Marian's.  Tokens of the one kind have a score of
 * -INFINITY, which no path takes; but unknown characters that together spell
 * one are that token.  Pieces of the other kind are unknown tokens in the end.
 *
 * A word may be a whole text: there are languages without spaces.  So it is
 * read in blocks.  When the best paths to all places that the reading has
 * reached have one place in common, what is before it is decided: its tokens
 * are emitted, and its bytes forgotten.  Sums go on from there, so that they
 * round as those of a word taken at once.
 *
 * Source: Kudo 2018 (arXiv:1804.10959); Hugging Face tokenizers' order of
 * looking, which decides between equal sums.
 */
#include "text/tokenkind.h"
#include "text/utf8.h"

#include <math.h>
#include <string.h>

#define UNKNOWN_PENALTY 10.0
#define BLOCK 4096				/* bytes */
#define STARTS_PER_POLL 1024

/* The kind's block of an image. */
typedef struct UnigramBlock
{
	double		unk_score;
	int32_t		longest;		/* bytes of the longest piece */
	int32_t		byte_fallback;	/* bytes[] are to be used, where all are there */
	int32_t		bytes[256];		/* ids of "<0x00>" ..., -1: none */
	int32_t		float_sums;
	int32_t		unused;			/* 0 */
	double		scores[];		/* [n_tokens] */
} UnigramBlock;

/* A byte of a word, and the best path that ends behind it. */
typedef struct Place
{
	int32_t		id;				/* the path's last piece, */
	int32_t		start,			/* (the byte's character in the text) */
				end;
	uint16_t	len;			/* and how long it is; 0: no path ends here */
	uint16_t	next;			/* length of the piece that begins here, of a path being followed */
	uint8_t		byte;
	bool		marked;
} Place;

/* A word, from the last place on that all paths have in common. */
typedef struct Lattice
{
	Place	   *places;
	size_t		count,
				capacity;
	size_t		done;			/* pieces that begin before were tried */
	size_t		attempt;		/* count at which to look for a place in common */
	size_t		base;			/* bytes of the word before places */
	double	   *sums;			/* of the paths: a ring */
	size_t		mask;			/* its size - 1 */
} Lattice;

static inline const UnigramBlock *
block_of(const DbertTokenizing *t)
{
	return dbert_image_model(t->image);
}

/* The sum of the path to place at; of the word's bytes, this is base + at. */
static inline double *
sum_at(const Lattice *l, size_t at)
{
	return &l->sums[(l->base + at) & l->mask];
}

/* ---- forward ---- */

/* A score more on a path's sum. */
static inline double
add_score(const UnigramBlock *block, double sum, double score)
{
	return block->float_sums ? (float) (sum + score) : sum + score;
}

/* A path of that sum ends with the piece id, len bytes before to. */
static inline void
reach(Lattice *l, size_t to, size_t len, int32_t id, double sum)
{
	Place	   *p = &l->places[to - 1];

	if (p->len > 0 && !(sum > *sum_at(l, to)))
		return;
	p->len = (uint16_t) len;
	p->id = id;
	*sum_at(l, to) = sum;
}

static inline size_t
bytes_of_char(uint8_t first)
{
	return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Try all pieces that begin with the character at from; where it ends. */
static size_t
try_pieces(const DbertTokenizing *t, Lattice *l, size_t from)
{
	const UnigramBlock *block = block_of(t);
	const DbertTrieUnit *units = dbert_image_units(t->image);
	int32_t		node = t->image->words;
	double		sum = *sum_at(l, from);
	size_t		next = from + bytes_of_char(l->places[from].byte);
	size_t		room = l->count - from;
	size_t		stop = from + (room < (size_t) block->longest ? room : (size_t) block->longest);
	bool		single = false;

	for (size_t at = from; at < stop;)
	{
		int32_t		id;

		node = dbert_trie_step(units, node, l->places[at++].byte);
		if (node < 0)
			break;
		id = units[node].value;
		if (id < 0)
			continue;
		reach(l, at, at - from, id, add_score(block, sum, block->scores[id]));
		single = single || (at == next && block->scores[id] > -INFINITY);
	}
	if (!single)
		reach(l, next, next - from, t->image->unk_id, add_score(block, sum, block->unk_score));
	return next;
}

/* Try pieces from all places that have room bytes behind them. */
static DbertStatus
go_forward(DbertTokenizing *t, Lattice *l, size_t room)
{
	for (size_t n = 1; l->done < l->count && l->count - l->done >= room; n++)
	{
		if (n % STARTS_PER_POLL == 0 && dbert_stopped(t->poll))
			return dbert_fail(t->err, DBERT_E_CANCELLED, "cancelled");
		l->done = try_pieces(t, l, l->done);
	}
	return DBERT_OK;
}

/* ---- back ---- */

/*
 * The last place that all paths have in common which may yet go on: those to
 * done and to what was reached behind it.
 */
static size_t
common_place(Lattice *l, size_t longest)
{
	size_t		top = l->count - l->done < longest ? l->count : l->done + longest;
	size_t		marked = 0;
	bool		apart = false;	/* a path has none but the beginning */

	for (size_t at = l->done; at <= top; at++)
	{
		l->places[at - 1].marked = (at == l->done || l->places[at - 1].len > 0);
		marked += l->places[at - 1].marked;
	}
	for (size_t at = top; at > 0 && marked > 0; at--)
	{
		Place	   *p = &l->places[at - 1];
		size_t		before = at - p->len;

		if (!p->marked)
			continue;
		p->marked = false;
		if (marked-- == 1 && !apart)
			return at;
		apart = apart || before == 0;
		if (before > 0 && !l->places[before - 1].marked)
		{
			l->places[before - 1].marked = true;
			marked++;
		}
	}
	return 0;
}

/* A piece, as the model knows it. */
static DbertStatus
emit_piece(DbertTokenizing *t, int32_t id, int32_t start, int32_t end)
{
	return dbert_emit(t, id < t->image->n_known ? id : t->image->unk_id, start, end);
}

/* The unknown characters from .. to: of a piece, of bytes, or one token. */
static DbertStatus
emit_unknown(DbertTokenizing *t, const Lattice *l, size_t from, size_t to)
{
	const UnigramBlock *block = block_of(t);
	const DbertTrieUnit *units = dbert_image_units(t->image);
	int32_t		start = l->places[from].start,
				end = l->places[to - 1].end;
	int32_t		node = t->image->words;

	/* together they may be a piece that scores worse than they do */
	for (size_t at = from; at < to && node >= 0; at++)
		node = dbert_trie_step(units, node, l->places[at].byte);
	if (node >= 0 && units[node].value >= 0)
		return emit_piece(t, units[node].value, start, end);
	for (size_t at = from; at < to; at++)
		if (!block->byte_fallback || block->bytes[l->places[at].byte] < 0)
			return dbert_emit(t, t->image->unk_id, start, end);
	for (size_t at = from; at < to; at++)
		DBERT_TRY(dbert_emit(t, block->bytes[l->places[at].byte], start, end));
	return DBERT_OK;
}

/*
 * Emit the path to the place to, and forget it; but not unknown characters at
 * its end, which may go on, unless it is the last.
 */
static DbertStatus
emit_path(DbertTokenizing *t, Lattice *l, size_t to, bool last)
{
	Place	   *p = l->places;
	size_t		from = 0,
				end;

	for (size_t at = to; at > 0; at -= p[at - 1].len)
		p[at - p[at - 1].len].next = p[at - 1].len;
	while (from < to)
	{
		end = from + p[from].next;
		if (p[end - 1].id != t->image->unk_id)
			DBERT_TRY(emit_piece(t, p[end - 1].id, p[from].start, p[end - 1].end));
		else
		{
			while (end < to && p[end + p[end].next - 1].id == t->image->unk_id)
				end += p[end].next;
			if (end == to && !last)
				break;
			DBERT_TRY(emit_unknown(t, l, from, end));
		}
		from = end;
	}
	l->count -= from;
	l->done -= from;
	l->base += from;
	memmove(p, p + from, l->count * sizeof(Place));
	return DBERT_OK;
}

/* ---- words ---- */

static DbertStatus
open_lattice(DbertTokenizing *t)
{
	Lattice    *l = dbert_alloc_zero(t->alloc, 1, sizeof(Lattice));
	size_t		size = 64;

	while (size <= (size_t) block_of(t)->longest)
		size *= 2;
	t->state = l;
	if (l != NULL)
		l->sums = dbert_alloc_zero(t->alloc, size, sizeof(double));
	if (l == NULL || l->sums == NULL)
		return dbert_fail(t->err, DBERT_E_NOMEM, "out of memory");
	l->mask = size - 1;
	l->attempt = BLOCK;
	return DBERT_OK;
}

static void
close_state(DbertTokenizing *t)
{
	Lattice    *l = t->state;

	dbert_free(t->alloc, l->places);
	dbert_free(t->alloc, l->sums);
	dbert_free(t->alloc, l);
}

/* Move the characters of t->word into the lattice. */
static DbertStatus
add_word(DbertTokenizing *t)
{
	Lattice    *l;

	if (t->state == NULL)
		DBERT_TRY(open_lattice(t));
	l = t->state;
	if (!dbert_grow(t->alloc, &l->places, &l->capacity, l->count, l->count + 4 * t->word_kept,
					sizeof(Place)))
		return dbert_fail(t->err, DBERT_E_NOMEM, "out of memory");
	for (size_t i = 0; i < t->word_kept; i++)
	{
		const DbertChar *ch = &t->word[i];
		uint8_t		bytes[4];
		int			n = dbert_utf8_encode(ch->cp, bytes);

		for (int b = 0; b < n; b++)
			l->places[l->count++] =
				(Place) {.byte = bytes[b], .start = ch->start, .end = ch->end};
	}
	t->word_kept = 0;
	return DBERT_OK;
}

/* More of the word than a block: decide what can be decided. */
static DbertStatus
cut_some(DbertTokenizing *t)
{
	size_t		longest = (size_t) block_of(t)->longest,
				common;
	Lattice    *l;

	DBERT_TRY(add_word(t));
	l = t->state;
	/* so that the last character stays undecided */
	DBERT_TRY(go_forward(t, l, longest + 4));
	if (l->count < l->attempt || l->done == 0)
		return DBERT_OK;
	common = common_place(l, longest);
	if (common > 0)
		DBERT_TRY(emit_path(t, l, common, false));
	/* what is undecided is looked through again when it has doubled */
	l->attempt = 2 * l->count > BLOCK ? 2 * l->count : BLOCK;
	return DBERT_OK;
}

static DbertStatus
cut(DbertTokenizing *t)
{
	Lattice    *l;

	DBERT_TRY(add_word(t));
	l = t->state;
	DBERT_TRY(go_forward(t, l, 1));
	DBERT_TRY(emit_path(t, l, l->count, true));
	l->base = 0;
	l->attempt = BLOCK;
	*sum_at(l, 0) = 0;
	return DBERT_OK;
}

/* ---- compiling ---- */

static DbertStatus
fill_scores(const DbertTokenizerSpec *s, UnigramBlock *block, DbertError *err)
{
	double		least = INFINITY;

	for (int32_t i = 0; i < s->n_tokens; i++)
	{
		if (s->tokens[i] == NULL)
			continue;
		if (s->token_lens[i] > (size_t) block->longest)
			block->longest = (int32_t) s->token_lens[i];
		block->scores[i] = s->scores[i];
		if (s->scores[i] == -INFINITY && s->float_sums)
			continue;
		if (!isfinite(s->scores[i]))
			return dbert_fail(err, DBERT_E_FORMAT,
							  "tokenizer: the score of token %d is not a finite number", (int) i);
		if (s->scores[i] < least)
			least = s->scores[i];
	}
	if (!isfinite(least))
		return dbert_fail(err, DBERT_E_FORMAT, "tokenizer: no piece has a score");
	block->unk_score = least - UNKNOWN_PENALTY;
	return DBERT_OK;
}

static DbertStatus
compile(DbertTokCompiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	UnigramBlock *block;
	size_t		size;

	DBERT_TRY(dbert_tok_check_id(s, "unknown", s->unk_id, true, c->err));
	if (!dbert_mul_size((size_t) s->n_tokens, sizeof(double), &size) ||
		!dbert_add_size(size, sizeof(UnigramBlock), &size))
		return dbert_fail(c->err, DBERT_E_LIMIT, "vocabulary is too large");
	DBERT_TRY(dbert_tok_make_block(c, NULL, 0, size));
	block = c->model;
	(void) dbert_tok_find_bytes(c, block->bytes);
	block->byte_fallback = s->byte_fallback;
	block->float_sums = s->float_sums;
	return fill_scores(s, block, c->err);
}

static bool
valid(const DbertTokImage *h)
{
	const UnigramBlock *block = dbert_image_model(h);

	if (h->model_size != sizeof(UnigramBlock) + (uint64_t) h->n_tokens * sizeof(double) ||
		h->words < 0 || h->unk_id < 0 ||
		block->longest < 1 || block->longest > DBERT_MAX_TOKEN_BYTES)
		return false;
	for (int b = 0; b < 256; b++)
		if (block->bytes[b] < -1 || block->bytes[b] >= h->n_known)
			return false;
	return true;
}

/* ---- decoding ---- */

/* U+2581 is a space; those of the first token are none if one was put there. */
static void
put(DbertDecoding *d, const char *token, size_t len, bool added)
{
	(void) added;
	for (size_t i = 0; i < len; i++)
	{
		if (len - i < 3 || memcmp(token + i, "\xe2\x96\x81", 3) != 0)
			d->text[d->len++] = token[i];
		else
		{
			i += 2;
			if (!d->first || !d->image->space_before)
				d->text[d->len++] = ' ';
		}
	}
}

const DbertTokenKind dbert_kind_unigram = {
	.compile = compile,
	.valid = valid,
	.cut = cut,
	.cut_some = cut_some,
	.close = close_state,
	.maps_unknown = true,
	.beginning = "\xe2\x96\x81",
	.put = put
};
