/*
 * bpetable.h -- what byte-pair encoding knows: pairs of tokens and their
 * ranks.
 *
 * It stands in the block of the kind that merges, which begins with a
 * DbertBpeTable.  bpewhole.h has the other half of that.
 */
#ifndef DBERT_TEXT_BPETABLE_H
#define DBERT_TEXT_BPETABLE_H

#include "text/tokcompile.h"

typedef struct DbertBpeSlot
{
	int32_t		left,
				right;
	uint32_t	rank;			/* DBERT_BPE_NO_RANK: the slot is free */
	int32_t		merged;
} DbertBpeSlot;

#define DBERT_BPE_NO_RANK UINT32_MAX

/*
 * Places count from the block's beginning, are multiples of 8.  Behind the
 * slots is a filter, 4 bits for each slot, of which most are 0: what it does
 * not know is no pair, which is found without a look at the slots.
 */
typedef struct DbertBpeTable
{
	uint64_t	slots_at,
				n_slots;		/* a power of two, 64 at least; a slot is free */
	/* bpewhole.h */
	uint64_t	tokens_at,		/* DbertBpeToken[n_tokens] */
				n_tokens,		/* 0: nothing is known of tokens */
				formed_at,		/* int32_t[n_formed]: which token is formed first, second, ... */
				n_formed,
				ranks_at,		/* uint32_t[n_ranks], a power of two; one is 0 */
				n_ranks;
	int32_t		root;			/* of the trie of tokens by their bytes */
	int32_t		spells;			/* words can be spelled: bpespell.h */
	uint8_t		dead_bits[256]; /* which bit a byte has in DbertBpeToken.dead; 0: none */
} DbertBpeTable;

static inline const DbertBpeSlot *
dbert_bpe_slots(const DbertBpeTable *table)
{
	return (const DbertBpeSlot *) ((const char *) table + table->slots_at);
}

static inline const uint8_t *
dbert_bpe_filter(const DbertBpeTable *table)
{
	return (const uint8_t *) (dbert_bpe_slots(table) + table->n_slots);
}

/* ---- looking up ---- */

static inline uint64_t
dbert_bpe_hash(int32_t left, int32_t right)
{
	return ((uint64_t) (uint32_t) left << 32 | (uint32_t) right) * UINT64_C(0x9e3779b97f4a7c15);
}

/* The bit of the filter that is set for pairs of this hash. */
static inline size_t
dbert_bpe_filter_bit(size_t n_slots, uint64_t hash)
{
	return (size_t) (hash >> 40 ^ hash >> 16) & (4 * n_slots - 1);
}

/* The slot of a pair, or the free one where it would be. */
static inline size_t
dbert_bpe_find(const DbertBpeSlot *slots, size_t n, uint64_t hash, int32_t left, int32_t right)
{
	size_t		at = (size_t) (hash >> 32) & (n - 1);

	while (slots[at].rank != DBERT_BPE_NO_RANK &&
		   (slots[at].left != left || slots[at].right != right))
		at = (at + 1) & (n - 1);
	return at;
}

/* The table in memory. */
typedef struct DbertBpePairs
{
	const DbertBpeSlot *slots;
	const uint8_t *filter;
	size_t		n;
} DbertBpePairs;

static inline DbertBpePairs
dbert_bpe_pairs(const DbertBpeTable *table)
{
	return (DbertBpePairs) {dbert_bpe_slots(table), dbert_bpe_filter(table), table->n_slots};
}

/* The slot of a pair; NULL: it is none. */
static inline const DbertBpeSlot *
dbert_bpe_pair(const DbertBpePairs *p, int32_t left, int32_t right)
{
	uint64_t	hash = dbert_bpe_hash(left, right);
	size_t		bit = dbert_bpe_filter_bit(p->n, hash);
	const DbertBpeSlot *slot;

	if (!(p->filter[bit / 8] >> bit % 8 & 1))
		return NULL;
	slot = &p->slots[dbert_bpe_find(p->slots, p->n, hash, left, right)];
	return slot->rank != DBERT_BPE_NO_RANK ? slot : NULL;
}

/* ---- compiling ---- */

/* Place the slots for the spec's merges; false: more than a size_t. */
extern bool dbert_bpe_reserve(DbertBpeTable *table, size_t *total, const DbertTokenizerSpec *spec);

/* Fill the slots and the filter; of equal pairs the last one's rank counts. */
extern void dbert_bpe_fill(DbertBpeTable *table, const DbertTokenizerSpec *spec);

/* Are the slots inside a block of so many bytes, and their ids below n_ids? */
extern bool dbert_bpe_valid(const DbertBpeTable *table, uint64_t size, int32_t n_ids);

#endif
