/*
 * bpetable.c -- see bpetable.h.
 */
#include "text/bpetable.h"

#include <string.h>

/* How many slots' room these take, with their filter. */
static inline uint64_t
room_of(uint64_t n_slots)
{
	return n_slots + n_slots / 32;
}

/* ---- compiling ---- */

bool
dbert_bpe_reserve(DbertBpeTable *table, size_t *total, const DbertTokenizerSpec *spec)
{
	size_t		n = 64;

	while (n < 2 * (size_t) spec->n_merges)
		n *= 2;
	table->n_slots = n;
	return dbert_tok_reserve(&table->slots_at, total, room_of(n), sizeof(DbertBpeSlot));
}

void
dbert_bpe_fill(DbertBpeTable *table, const DbertTokenizerSpec *spec)
{
	size_t		n = table->n_slots;
	DbertBpeSlot *slots = (DbertBpeSlot *) dbert_bpe_slots(table);
	uint8_t    *filter = (uint8_t *) (slots + n);

	for (size_t i = 0; i < n; i++)
		slots[i] = (DbertBpeSlot) {0, 0, DBERT_BPE_NO_RANK, 0};
	memset(filter, 0, n / 2);
	for (int32_t i = 0; i < spec->n_merges; i++)
	{
		const DbertMerge *m = &spec->merges[i];
		uint64_t	hash = dbert_bpe_hash(m->left, m->right);
		size_t		bit = dbert_bpe_filter_bit(n, hash);

		slots[dbert_bpe_find(slots, n, hash, m->left, m->right)] =
			(DbertBpeSlot) {m->left, m->right, (uint32_t) i, m->merged};
		filter[bit / 8] |= (uint8_t) (1 << bit % 8);
	}
}

/* ---- opening ---- */

bool
dbert_bpe_valid(const DbertBpeTable *table, uint64_t size, int32_t n_ids)
{
	const DbertBpeSlot *slots;
	bool		any_free = false;

	if (table->slots_at % 8 != 0 || table->slots_at > size || table->n_slots < 64 ||
		table->n_slots > size || (table->n_slots & (table->n_slots - 1)) != 0 ||
		room_of(table->n_slots) > (size - table->slots_at) / sizeof(DbertBpeSlot))
		return false;
	slots = dbert_bpe_slots(table);
	for (uint64_t i = 0; i < table->n_slots; i++)
	{
		any_free |= slots[i].rank == DBERT_BPE_NO_RANK;
		if (slots[i].merged < 0 || slots[i].merged >= n_ids)
			return false;
	}
	return any_free;
}
