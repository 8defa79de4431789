/*
 * trie.c -- building double arrays: see trie.h.
 *
 * The keys are sorted; a node is then a range of keys that share a prefix.
 * Nodes are expanded depth first, from a stack of ranges.  The children of a
 * node go to the first place where their units are all free; free units
 * form a list in ascending order.  The search is cut short, and places found
 * too narrow are left to nodes with a single child, so that building takes
 * time linear in the size of the keys, whatever they are.
 */
#include "text/trie.h"

#include "base/sort.h"

#include <string.h>

/* Places tried for a node before its children go to the end of the array. */
#define MAX_TRIES 64

/* Nodes that are placed between two polls, or keys that are compared. */
#define NODES_PER_POLL 8192

/*
 * Units to have beyond a base: 256 for its children and 256 for the children of
 * the last of them.
 */
#define MARGIN 1024

struct TrieLink
{
	int32_t		prev,
				next;			/* in the list of free units, -1: end */
	bool		taken;
};

/* Keys lo .. hi-1 share their first depth bytes, which lead to node. */
typedef struct Range
{
	size_t		lo,
				hi,
				depth;
	int32_t		node;
} Range;

typedef struct RangeStack
{
	Range	   *items;
	size_t		count,
				capacity;
} RangeStack;

int32_t
dbert_trie_find(const DbertTrieUnit *units, int32_t node, const char *key, size_t len)
{
	for (size_t i = 0; i < len && node >= 0; i++)
		node = dbert_trie_step(units, node, (uint8_t) key[i]);
	return node;
}

void
dbert_trie_free(DbertTrieBuilder *b)
{
	dbert_free(b->alloc, b->units);
	dbert_free(b->alloc, b->links);
	b->units = NULL;
	b->links = NULL;
	b->capacity = b->used = 0;
}

/* ---- sorting ---- */

static int
compare_keys(const void *left, const void *right)
{
	const DbertTrieKey *a = left,
			   *b = right;
	size_t		n = a->len < b->len ? a->len : b->len;
	int			c = n > 0 ? memcmp(a->text, b->text, n) : 0;

	return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

/* Drops later ones of equal keys; *n is the number left. */
static DbertStatus
drop_duplicates(const DbertTrieBuilder *b, DbertTrieKey *keys, size_t *n, int32_t *duplicate,
				DbertError *err)
{
	size_t		kept = 0;

	for (size_t i = 0; i < *n; i++)
	{
		if (i % NODES_PER_POLL == NODES_PER_POLL - 1 && dbert_stopped(b->poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		if (kept == 0 || compare_keys(&keys[kept - 1], &keys[i]) != 0)
			keys[kept++] = keys[i];
		else if (duplicate != NULL)
			*duplicate = keys[i].value;
	}
	*n = kept;
	return DBERT_OK;
}

/* ---- placing ---- */

/* Make units 0 .. want-1 exist, the new ones free. */
static DbertStatus
grow_units(DbertTrieBuilder *b, size_t want, DbertError *err)
{
	size_t		before = b->capacity,
				links_capacity = b->capacity;

	if (want <= b->capacity)
		return DBERT_OK;
	if (want > INT32_MAX / 2)
		return dbert_fail(err, DBERT_E_LIMIT, "vocabulary is too large");
	if (want < 1024)
		want = 1024;
	if (!dbert_grow(b->alloc, &b->links, &links_capacity, before, want, sizeof(*b->links)) ||
		!dbert_grow(b->alloc, &b->units, &b->capacity, before, want, sizeof(*b->units)))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");

	if (before == 0)
		b->free_head = b->free_tail = b->roomy = -1;
	for (size_t i = before; i < b->capacity; i++)
	{
		b->units[i] = (DbertTrieUnit) {0, -1, -1};
		b->links[i] = (struct TrieLink) {b->free_tail, -1, i < 256};
		if (i < 256)			/* where the steps of leaves (base 0) end: never used */
			continue;
		if (b->free_tail >= 0)
			b->links[b->free_tail].next = (int32_t) i;
		else
			b->free_head = (int32_t) i;
		b->free_tail = (int32_t) i;
		if (b->roomy < 0)
			b->roomy = (int32_t) i;
	}
	return DBERT_OK;
}

static void
take_unit(DbertTrieBuilder *b, int32_t unit, int32_t parent)
{
	struct TrieLink *link = &b->links[unit];

	if (link->prev >= 0)
		b->links[link->prev].next = link->next;
	else
		b->free_head = link->next;
	if (link->next >= 0)
		b->links[link->next].prev = link->prev;
	else
		b->free_tail = link->prev;
	if (b->roomy == unit)
		b->roomy = link->next;
	link->taken = true;
	b->units[unit].parent = parent;
	if ((size_t) unit + 256 >= b->used)
		b->used = (size_t) unit + 256 + 1;
}

/* A base from which the units of all n bytes (ascending) are free. */
static DbertStatus
find_base(DbertTrieBuilder *b, const uint8_t *bytes, size_t n, int32_t *base, DbertError *err)
{
	int32_t		unit = n == 1 ? b->free_head : b->roomy;

	for (int tries = 0; unit >= 0 && tries < MAX_TRIES; tries++)
	{
		size_t		i = 1;

		*base = unit - bytes[0];
		DBERT_TRY(grow_units(b, (size_t) *base + MARGIN, err));
		while (i < n && !b->links[*base + bytes[i]].taken)
			i++;
		if (i == n)
			return DBERT_OK;
		unit = b->links[unit].next;
	}
	b->roomy = unit;
	*base = (int32_t) b->used - 256;
	return grow_units(b, (size_t) *base + MARGIN, err);
}

/* Place the children of a node and put their ranges on the stack. */
static DbertStatus
expand(DbertTrieBuilder *b, const DbertTrieKey *keys, Range r, RangeStack *stack, DbertError *err)
{
	uint8_t		bytes[256];
	size_t		starts[257];
	size_t		n = 0;
	int32_t		base;

	if (keys[r.lo].len == r.depth)
		b->units[r.node].value = keys[r.lo++].value;
	for (size_t i = r.lo; i < r.hi; i++)
	{
		uint8_t		byte = keys[i].text[r.depth];

		if (n == 0 || bytes[n - 1] != byte)
		{
			bytes[n] = byte;
			starts[n++] = i;
		}
	}
	starts[n] = r.hi;
	if (n == 0)
		return DBERT_OK;

	DBERT_TRY(find_base(b, bytes, n, &base, err));
	b->units[r.node].base = base;
	if (!dbert_grow(b->alloc, &stack->items, &stack->capacity, stack->count,
					stack->count + n, sizeof(Range)))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
	{
		take_unit(b, base + bytes[i], r.node);
		stack->items[stack->count++] =
			(Range){ starts[i], starts[i + 1], r.depth + 1, base + bytes[i] };
	}
	return DBERT_OK;
}

DbertStatus
dbert_trie_add(DbertTrieBuilder *b, DbertTrieKey *keys, size_t n,
			   int32_t *root, int32_t *duplicate, DbertError *err)
{
	RangeStack	stack = {NULL, 0, 0};
	DbertStatus status;

	if (duplicate != NULL)
		*duplicate = -1;
	*root = -1;
	if (n == 0)
		return DBERT_OK;
	DBERT_TRY(dbert_sort(keys, n, sizeof(*keys), compare_keys, b->alloc, b->poll, err));
	DBERT_TRY(drop_duplicates(b, keys, &n, duplicate, err));

	DBERT_TRY(grow_units(b, b->used + MARGIN, err));
	*root = b->free_head;
	take_unit(b, *root, -1);

	status = expand(b, keys, (Range) {0, n, 0, *root}, &stack, err);
	for (size_t i = 1; status == DBERT_OK && stack.count > 0; i++)
	{
		status = expand(b, keys, stack.items[--stack.count], &stack, err);
		if (i % NODES_PER_POLL == 0 && dbert_stopped(b->poll))
			status = dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
	}
	dbert_free(b->alloc, stack.items);
	return status;
}
