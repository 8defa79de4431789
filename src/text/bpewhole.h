/*
 * bpewhole.h -- the tokens that words can be merged to, and how they are made.
 *
 * A token is whole if its own symbols are merged to just this token.  Only
 * whole tokens come about in any word, and each in one way: while a token's
 * symbols are merged nothing reaches into them from outside, so that they are
 * merged as by themselves.  The last of these merges forms the token.
 *
 * What is kept of a token serves one question: do two tokens that stand side
 * by side stay so (bpespell.c)?
 */
#ifndef DBERT_TEXT_BPEWHOLE_H
#define DBERT_TEXT_BPEWHOLE_H

#include "text/bpetable.h"

/*
 * The bits of the four sets are of symbols, hashed: first, last.  A set of
 * what may follow has the first symbols of tokens that the token, or a part
 * that it ends with, is merged with when they follow; of parts only with a
 * lower rank than that which the part is merged with inside the token.  So
 * with last symbols for what may come before it.  The sets of a token's parts
 * are full if its merges are in disorder.
 *
 * A token is a dead end before a byte if no token that begins with the byte
 * fits to it.  The bits of dead are of bytes, by the table's dead_bits; those
 * that are set are right, but not all are set.
 */
typedef struct DbertBpeToken
{
	int32_t		left,			/* what it is formed of */
				right;
	uint32_t	after,			/* what it is merged with, */
				after_parts,	/* and what parts at its end are */
				before,
				before_parts,
				dead;
	/* its number among tokens, by rank, from 1; 0: it is a symbol */
	uint32_t	formed:20,
				first:5,		/* bits of its own first and last symbol */
				last:5,
				disorder:1,		/* of the merges up to it, one has a lower rank than one before */
				spaces:1;		/* bytebpe.c: it has spaces at its ends */
} DbertBpeToken;

#define DBERT_BPE_FORMED_BITS 20
#define DBERT_BPE_NEVER ((UINT32_C(1) << DBERT_BPE_FORMED_BITS) - 1)	/* formed: not whole */
#define DBERT_BPE_FORMED_MAX ((int32_t) DBERT_BPE_NEVER - 1)

/* Symbols at most of a token whose merges are in disorder. */
#define DBERT_BPE_DISORDER_MAX 32

static inline const DbertBpeToken *
dbert_bpe_tokens(const DbertBpeTable *table)
{
	return (const DbertBpeToken *) ((const char *) table + table->tokens_at);
}

static inline const int32_t *
dbert_bpe_formed(const DbertBpeTable *table)
{
	return (const int32_t *) ((const char *) table + table->formed_at);
}

/*
 * The ranks are a hash table of the tokens by the pair that they are formed
 * of: formed, and 12 bits more of the hash.
 */
static inline const uint32_t *
dbert_bpe_ranks(const DbertBpeTable *table)
{
	return (const uint32_t *) ((const char *) table + table->ranks_at);
}

static inline bool
dbert_bpe_is_formed(const DbertBpeToken *t)
{
	return t->formed != 0 && t->formed != DBERT_BPE_NEVER;
}

/* What an entry of the ranks has beside formed. */
static inline uint32_t
dbert_bpe_print(uint64_t hash)
{
	return (uint32_t) hash << DBERT_BPE_FORMED_BITS;
}

static inline uint32_t
dbert_bpe_number(uint32_t entry)
{
	return entry & ((UINT32_C(1) << DBERT_BPE_FORMED_BITS) - 1);
}

/* Do they become a token that is formed before limit? */
static inline bool
dbert_bpe_pair_before(const DbertBpeTable *table, const DbertBpeToken *tokens, int32_t left,
					  int32_t right, uint32_t limit)
{
	const uint32_t *ranks = dbert_bpe_ranks(table);
	uint64_t	hash = dbert_bpe_hash(left, right) >> 12;
	size_t		mask = (size_t) table->n_ranks - 1;

	for (size_t at = (size_t) (hash >> 20) & mask; ranks[at] != 0; at = (at + 1) & mask)
	{
		uint32_t	formed = dbert_bpe_number(ranks[at]);
		const DbertBpeToken *t;

		if (formed >= limit || ranks[at] - formed != dbert_bpe_print(hash))
			continue;
		t = &tokens[dbert_bpe_formed(table)[formed - 1]];
		if (t->left == left && t->right == right)
			return true;
	}
	return false;
}

/*
 * The symbols that a whole token is merged from, from the left, but not more
 * than there is room for; how many there are, or one more than room.
 */
extern size_t dbert_bpe_symbols(const DbertBpeToken *tokens, int32_t id, size_t room,
								int32_t *symbols);

/* ---- compiling ---- */

/* Place what is kept of the spec's tokens; false: more than a size_t. */
extern bool dbert_bpe_reserve_whole(DbertBpeTable *table, size_t *total,
									const DbertTokenizerSpec *spec);

/* None is whole yet. */
extern void dbert_bpe_begin_whole(DbertBpeTable *table);

/* A token is: last is the merge that forms it, with formed = 1 + its rank. */
extern void dbert_bpe_add_whole(DbertBpeTable *table, int32_t id, DbertBpeToken last);

/*
 * All whole tokens were added: reckon the rest, and whether words can be
 * spelled.  They can if tokens have the texts of what they are merged from,
 * and those whose merges are in disorder are short.  bytes[256] are the
 * symbols of bytes that only words of these symbols begin with, -1: none.
 */
extern DbertStatus dbert_bpe_end_whole(DbertTokCompiler *c, DbertBpeTable *table,
									   const int32_t *bytes);

/*
 * Is all of it inside the image's block and, if words are spelled, consistent?
 */
extern bool dbert_bpe_valid_whole(const DbertBpeTable *table, const DbertTokImage *image);

#endif
