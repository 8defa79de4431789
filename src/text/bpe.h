/*
 * bpe.h -- byte-pair encoding: merging a word's symbols by the rank of pairs.
 *
 * The neighbours of lowest rank are merged, the leftmost first, until no pair
 * has a rank.  A long word is merged window by window (see bpe.c), so that any
 * word takes time linear in its length, but for words that are made to prevent
 * it: these take n log n.
 *
 * The ranks are a hash table in the block of the kind that merges, which begins
 * with a DbertBpeTable.
 *
 * Source: Sennrich et al. 2016 (arXiv:1508.07909).
 */
#ifndef DBERT_TEXT_BPE_H
#define DBERT_TEXT_BPE_H

#include "text/bpewhole.h"
#include "text/tokenizing.h"
#include "text/utf8.h"

/* A part of a word. */
typedef struct DbertSymbol
{
	int32_t		id;
	uint32_t	len;			/* whatever the caller counts in */
	uint32_t	count;			/* symbols that it was merged from; bpespell.c: its candidate */
} DbertSymbol;

typedef struct DbertBpeWork
{
	DbertSymbol *symbols;
	size_t		n,
				capacity;
	uint8_t    *bytes;			/* of the word */
	size_t		bytes_capacity;
	bool		single;			/* each is a character */
	DbertBpeToken last;			/* of the last merge: parts, and formed = 1 + its rank */
	/* room to work in, and for symbols of tokens */
	DbertSymbol *tokens;
	size_t		n_tokens,
				tokens_capacity;
	struct BpeNode *nodes;
	size_t		nodes_capacity;
	uint64_t   *heap;
	size_t		heap_count,
				heap_capacity;
} DbertBpeWork;

/* ---- merging ---- */

/* Append a symbol to a word. */
static inline bool
dbert_bpe_add(DbertBpeWork *w, const DbertAllocator *alloc, int32_t id, uint32_t len)
{
	if (w->n == w->capacity &&
		!dbert_grow(alloc, &w->symbols, &w->capacity, w->n, w->n + 1, sizeof(DbertSymbol)))
		return false;
	w->symbols[w->n++] = (DbertSymbol) {id, len, 1};
	return true;
}

/*
 * Merge the word's symbols: afterwards symbols[0 .. n) are its tokens, with the
 * lengths of what they were merged from.
 */
extern DbertStatus dbert_bpe_merge(const DbertBpeTable *table, DbertBpeWork *w,
								   const DbertAllocator *alloc, const DbertPoll *poll,
								   DbertError *err);

/*
 * The same for symbols[*n] of a token or two; w->last is the last merge, if
 * there is any.
 */
extern DbertStatus dbert_bpe_merge_token(const DbertBpeTable *table, DbertBpeWork *w,
										 DbertSymbol *symbols, size_t *n,
										 const DbertAllocator *alloc, DbertError *err);

/* Where symbols stand in the text, one after another. */
typedef struct DbertBpeSpan
{
	const DbertChar *ch;		/* the last one's last character */
	size_t		at,				/* bytes up to the last one's end, */
				behind;			/* and up to ch's end */
	int32_t		start,			/* the last one's characters */
				end;
	bool		single;			/* characters are of one byte, and ch is the next one's */
} DbertBpeSpan;

static inline DbertBpeSpan
dbert_bpe_span(const DbertChar *word, const DbertBpeWork *w)
{
	return (DbertBpeSpan) {.ch = word, .behind = (size_t) dbert_utf8_length(word->cp),
	.single = w->single};
}

/* The next symbol, of so many bytes of the word's characters. */
static inline void
dbert_bpe_next_span(DbertBpeSpan *s, size_t bytes)
{
	if (s->single)
	{
		s->start = s->ch->start;
		s->ch += bytes;
		s->end = s->ch[-1].end;
		return;
	}
	if (s->behind <= s->at)
		s->behind += (size_t) dbert_utf8_length((++s->ch)->cp);
	s->start = s->ch->start;
	s->at += bytes;
	while (s->behind < s->at)
		s->behind += (size_t) dbert_utf8_length((++s->ch)->cp);
	s->end = s->ch->end;
}

extern void dbert_bpe_free(DbertBpeWork *w, const DbertAllocator *alloc);

/* ---- a kind's state that is a DbertBpeWork ---- */

/* It is made if there is none yet; NULL: out of memory. */
extern DbertBpeWork *dbert_bpe_open(DbertTokenizing *t);

/* The state, with the word's UTF-8 in its bytes[*len]. */
extern DbertStatus dbert_bpe_load_bytes(DbertTokenizing *t, DbertBpeWork **work, size_t *len);

/* DbertTokenKind.close */
extern void dbert_bpe_close(DbertTokenizing *t);

#endif
