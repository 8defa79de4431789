/*
 * trie.h -- tries over bytes in one double array.
 *
 * Several tries (the vocabulary, the added tokens) share one array of units,
 * each with its own root.  A step costs one memory access: the child of node s
 * by byte b is unit base[s] + b, if that unit names s as its parent.
 *
 * Source: Aoe 1989, "An efficient digital search algorithm by using a
 * double-array structure".
 */
#ifndef DBERT_TEXT_TRIE_H
#define DBERT_TEXT_TRIE_H

#include "base/memory.h"
#include "base/status.h"

typedef struct DbertTrieUnit
{
	int32_t		base;			/* 0 .. units - 256: every byte stays inside the array */
	int32_t		parent;			/* -1: free, or a root */
	int32_t		value;			/* of the key that ends here, -1: none does */
} DbertTrieUnit;

/* The child of node by byte, or -1.  node >= 0. */
static inline int32_t
dbert_trie_step(const DbertTrieUnit *units, int32_t node, uint8_t byte)
{
	int32_t		child = units[node].base + byte;

	return units[child].parent == node ? child : -1;
}

/* The node that key leads to from node (which may be -1), or -1. */
extern int32_t dbert_trie_find(const DbertTrieUnit *units, int32_t node, const char *key,
							   size_t len);

/* ---- building ---- */

typedef struct DbertTrieKey
{
	const uint8_t *text;
	size_t		len;
	int32_t		value;
} DbertTrieKey;

/* Start with zeroes and the allocator; release with _free. */
typedef struct DbertTrieBuilder
{
	const DbertAllocator *alloc;
	const DbertPoll *poll;
	DbertTrieUnit *units;
	struct TrieLink *links;		/* list of the free units */
	size_t		capacity;		/* of units and of links */
	size_t		used;			/* units in the finished array */
	int32_t		free_head,
				free_tail;
	int32_t		roomy;			/* where in that list to look for several units at once */
} DbertTrieBuilder;

/*
 * Add one trie; sorts keys in place.  Of equal keys the first counts;
 * *duplicate (may be NULL) is set to the value of one that came later, or -1.
 * *root is -1 when there are no keys.
 */
extern DbertStatus dbert_trie_add(DbertTrieBuilder *b, DbertTrieKey *keys, size_t n,
								  int32_t *root, int32_t *duplicate, DbertError *err);

extern void dbert_trie_free(DbertTrieBuilder *b);

#endif
