/*
 * bpe.c -- see bpe.h.
 *
 * A symbol remembers the rank of its pair with the next one, so an entry of
 * the heap (rank, place) is stale when that is no longer the rank.  A pair of
 * tokens cannot come back at a place once one of them was merged, because
 * symbols only grow.
 */
#include "text/bpe.h"

#include <string.h>

/* Words of so many symbols are searched through for each merge. */
#define SHORT_WORD 24

/* Merges between two polls. */
#define MERGES_PER_POLL 4096

/* ---- the table ---- */

static inline size_t
hash_pair(int32_t left, int32_t right)
{
	uint64_t	h = ((uint64_t) (uint32_t) left << 32 | (uint32_t) right) *
		UINT64_C(0x9e3779b97f4a7c15);

	return (size_t) (h >> 32);
}

/* The slot of a pair, or the free one where it would be. */
static inline size_t
find_slot(const DbertBpeSlot *slots, size_t n, int32_t left, int32_t right)
{
	size_t		at = hash_pair(left, right) & (n - 1);

	while (slots[at].rank != DBERT_BPE_NO_RANK &&
		   (slots[at].left != left || slots[at].right != right))
		at = (at + 1) & (n - 1);
	return at;
}

size_t
dbert_bpe_slots(const DbertTokenizerSpec *spec)
{
	size_t		n = 16;

	while (n < 2 * (size_t) spec->n_merges)
		n *= 2;
	return n;
}

void
dbert_bpe_fill(const DbertTokenizerSpec *spec, DbertBpeSlot *slots, size_t n)
{
	for (size_t i = 0; i < n; i++)
		slots[i] = (DbertBpeSlot) {0, 0, DBERT_BPE_NO_RANK, 0};
	for (int32_t i = 0; i < spec->n_merges; i++)
	{
		const DbertMerge *m = &spec->merges[i];

		slots[find_slot(slots, n, m->left, m->right)] =
			(DbertBpeSlot) {m->left, m->right, (uint32_t) i, m->merged};
	}
}

bool
dbert_bpe_valid(const DbertBpeTable *table, const void *block, uint64_t size, int32_t n_tokens)
{
	const DbertBpeSlot *slots;
	bool		any_free = false;

	if (table->slots_at % 8 != 0 || table->slots_at > size || table->n_slots == 0 ||
		(table->n_slots & (table->n_slots - 1)) != 0 ||
		table->n_slots > (size - table->slots_at) / sizeof(DbertBpeSlot))
		return false;
	slots = (const DbertBpeSlot *) ((const char *) block + table->slots_at);
	for (uint64_t i = 0; i < table->n_slots; i++)
	{
		any_free |= slots[i].rank == DBERT_BPE_NO_RANK;
		if (slots[i].merged < 0 || slots[i].merged >= n_tokens)
			return false;
	}
	return any_free;
}

/* ---- merging ---- */

/* Look up the pair of a symbol and the next one. */
static inline void
rank_pair(const DbertBpeSlot *slots, size_t n_slots, DbertSymbol *symbols, int32_t at)
{
	DbertSymbol *s = &symbols[at];

	s->rank = DBERT_BPE_NO_RANK;
	if (s->next >= 0)
	{
		const DbertBpeSlot *slot = &slots[find_slot(slots, n_slots, s->id, symbols[s->next].id)];

		s->rank = slot->rank;
		s->merged = slot->merged;
	}
}

/* Merge a symbol with the next one, whose place is dead then. */
static inline void
merge_at(const DbertBpeSlot *slots, size_t n_slots, DbertSymbol *symbols, int32_t at)
{
	DbertSymbol *s = &symbols[at],
			   *right = &symbols[s->next];

	s->id = s->merged;
	s->len += right->len;
	s->next = right->next;
	if (s->next >= 0)
		symbols[s->next].prev = at;
	right->rank = DBERT_BPE_NO_RANK;
	rank_pair(slots, n_slots, symbols, at);
	if (s->prev >= 0)
		rank_pair(slots, n_slots, symbols, s->prev);
}

static void
merge_short(const DbertBpeSlot *slots, size_t n_slots, DbertBpeWork *w)
{
	for (;;)
	{
		uint32_t	lowest = DBERT_BPE_NO_RANK;
		int32_t		best = -1;

		for (int32_t i = 0; i >= 0; i = w->symbols[i].next)
			if (w->symbols[i].rank < lowest)
			{
				lowest = w->symbols[i].rank;
				best = i;
			}
		if (best < 0)
			return;
		merge_at(slots, n_slots, w->symbols, best);
	}
}

/* ---- the heap ---- */

static bool
push_heap(DbertBpeWork *w, const DbertAllocator *alloc, int32_t at)
{
	uint64_t	key = (uint64_t) w->symbols[at].rank << 32 | (uint32_t) at;
	size_t		i = w->heap_count;

	if (w->symbols[at].rank == DBERT_BPE_NO_RANK)
		return true;
	if (i == w->heap_capacity &&
		!dbert_grow(alloc, &w->heap, &w->heap_capacity, i, i + 1, sizeof(uint64_t)))
		return false;
	w->heap_count++;
	for (; i > 0 && w->heap[(i - 1) / 2] > key; i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = key;
	return true;
}

static uint64_t
pop_heap(DbertBpeWork *w)
{
	uint64_t	top = w->heap[0],
				last = w->heap[--w->heap_count];
	size_t		i = 0,
				n = w->heap_count;

	for (size_t child; (child = 2 * i + 1) < n; i = child)
	{
		if (child + 1 < n && w->heap[child + 1] < w->heap[child])
			child++;
		if (w->heap[child] >= last)
			break;
		w->heap[i] = w->heap[child];
	}
	w->heap[i] = last;
	return top;
}

static DbertStatus
merge_long(const DbertBpeSlot *slots, size_t n_slots, DbertBpeWork *w,
		   const DbertAllocator *alloc, const DbertPoll *poll, DbertError *err)
{
	bool		room = true;

	w->heap_count = 0;
	for (size_t i = 0; i < w->n && room; i++)
		room = push_heap(w, alloc, (int32_t) i);
	for (size_t n = 1; w->heap_count > 0 && room; n++)
	{
		uint64_t	top = pop_heap(w);
		DbertSymbol *s = &w->symbols[(uint32_t) top];

		if (n % MERGES_PER_POLL == 0 && dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		if (s->rank != top >> 32)
			continue;
		merge_at(slots, n_slots, w->symbols, (int32_t) (uint32_t) top);
		room = push_heap(w, alloc, (int32_t) (uint32_t) top) &&
			(s->prev < 0 || push_heap(w, alloc, s->prev));
	}
	return room ? DBERT_OK : dbert_fail(err, DBERT_E_NOMEM, "out of memory");
}

/* ---- both ---- */

DbertStatus
dbert_bpe_merge(const DbertBpeSlot *slots, size_t n_slots, DbertBpeWork *w,
				const DbertAllocator *alloc, const DbertPoll *poll, DbertError *err)
{
	DbertSymbol *s = w->symbols;
	size_t		kept = 0;

	if (w->n > INT32_MAX)
		return dbert_fail(err, DBERT_E_LIMIT, "word has more than %d characters", INT32_MAX);
	for (size_t i = 0; i < w->n; i++)
	{
		s[i].prev = (int32_t) i - 1;
		s[i].next = i + 1 < w->n ? (int32_t) i + 1 : -1;
	}
	for (size_t i = 0; i < w->n; i++)
	{
		if (i % MERGES_PER_POLL == MERGES_PER_POLL - 1 && dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		rank_pair(slots, n_slots, s, (int32_t) i);
	}
	if (w->n > SHORT_WORD)
		DBERT_TRY(merge_long(slots, n_slots, w, alloc, poll, err));
	else if (w->n > 1)
		merge_short(slots, n_slots, w);
	for (int32_t i = w->n > 0 ? 0 : -1, next; i >= 0; i = next)
	{
		next = s[i].next;
		s[kept++] = s[i];
	}
	w->n = kept;
	return DBERT_OK;
}

void
dbert_bpe_free(DbertBpeWork *w, const DbertAllocator *alloc)
{
	dbert_free(alloc, w->symbols);
	dbert_free(alloc, w->heap);
	memset(w, 0, sizeof(*w));
}
