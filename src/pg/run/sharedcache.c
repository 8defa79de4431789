/*
 * sharedcache.c -- the result cache that all processes of the server share.
 *
 *            head: bytes written since the server started
 *              |
 *              v
 *     ring  ...| entry | entry |      | entry | entry |...
 *     index    bucket of a key's hash: positions of entries, counted like head
 *
 * Entries are written one behind the other, and never moved or removed.  One
 * whose position is further back than the ring is long has been overwritten.  A
 * bucket has a few positions; a new entry takes the place of the oldest.
 * Readers copy under a shared lock, writers append under an exclusive one.
 * Both hold it about as long as it takes to copy an embedding.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/guc.h"

#include "pg/bridge/preload.h"
#include "pg/run/sharedcache.h"

#define WAYS 4
#define MIN_ENTRY_BYTES 128

typedef struct RingEntry
{
	DistilResultKey key;
	int32		part;
	int32		n;
	float		values[FLEXIBLE_ARRAY_MEMBER];
} RingEntry;

typedef struct Bucket
{
	uint64		position[WAYS];
} Bucket;

typedef struct SharedCache
{
	uint64		head;			/* positions below are written; begins with the ring's size */
	uint64		ring_bytes;
	uint64		n_buckets;		/* a power of two */
	Bucket		buckets[FLEXIBLE_ARRAY_MEMBER];
} SharedCache;

static int	size_kilobytes;		/* distilbert.shared_cache_size; 0: none */
static int	part_number;		/* of preload.h */
static SharedCache *cache = NULL;
static char *ring;

static uint64
ring_bytes(void)
{
	return MAXALIGN((uint64) size_kilobytes * 1024);
}

static uint64
n_buckets(void)
{
	return pg_nextpower2_64(ring_bytes() / (MIN_ENTRY_BYTES * WAYS) + 1);
}

static Size
index_bytes(void)
{
	return MAXALIGN(
		add_size(offsetof(SharedCache, buckets), mul_size(n_buckets(), sizeof(Bucket))));
}

static Size
wanted_bytes(void)
{
	return size_kilobytes == 0 ? 0 : add_size(index_bytes(), ring_bytes());
}

static void
start_cache(void)
{
	bool		found;

	if (size_kilobytes == 0)
		return;
	cache = ShmemInitStruct("distilbert results", wanted_bytes(), &found);
	ring = (char *) cache + index_bytes();
	if (found)
		return;
	memset(cache, 0, index_bytes());
	cache->head = cache->ring_bytes = ring_bytes();
	cache->n_buckets = n_buckets();
}

bool
distil_shared_cache_exists(void)
{
	return cache != NULL;
}

/* ---- the ring ---- */

static Bucket *
bucket_of(const DistilResultKey *key)
{
	uint64		hash;

	memcpy(&hash, key->sha256, sizeof(hash));
	return &cache->buckets[hash & (cache->n_buckets - 1)];
}

/* The entry at a position, if it has not been overwritten. */
static RingEntry *
entry_at(uint64 position)
{
	if (position == 0 || position < cache->head - cache->ring_bytes)
		return NULL;
	return (RingEntry *) (ring + position % cache->ring_bytes);
}

static RingEntry *
find(const DistilResultKey *key, int part)
{
	Bucket	   *bucket = bucket_of(key);

	for (int i = 0; i < WAYS; i++)
	{
		RingEntry  *entry = entry_at(bucket->position[i]);

		if (entry != NULL && entry->part == part &&
			memcmp(&entry->key, key, sizeof(DistilResultKey)) == 0)
			return entry;
	}
	return NULL;
}

bool
distil_shared_cache_find(const DistilResultKey *key, int part, float *values, int n)
{
	RingEntry  *entry;
	bool		found;

	LWLockAcquire(distil_preload_lock(part_number), LW_SHARED);
	entry = find(key, part);
	found = entry != NULL && entry->n == n;
	if (found)
		memcpy(values, entry->values, n * sizeof(float));
	LWLockRelease(distil_preload_lock(part_number));
	return found;
}

/* Where the next entry goes: it must not cross the end of the ring. */
static uint64
reserve(uint64 bytes)
{
	uint64		left = cache->ring_bytes - cache->head % cache->ring_bytes;
	uint64		position;

	if (left < bytes)
		cache->head += left;
	position = cache->head;
	cache->head += bytes;
	return position;
}

static void
append(const DistilResultKey *key, int part, const float *values, int n)
{
	Bucket	   *bucket = bucket_of(key);
	uint64		position = reserve(MAXALIGN(offsetof(RingEntry, values) + n * sizeof(float)));
	RingEntry  *entry = entry_at(position);
	int			oldest = 0;

	entry->key = *key;
	entry->part = part;
	entry->n = n;
	memcpy(entry->values, values, n * sizeof(float));
	for (int i = 1; i < WAYS; i++)
	{
		if (bucket->position[i] < bucket->position[oldest])
			oldest = i;
	}
	bucket->position[oldest] = position;
}

void
distil_shared_cache_keep(const DistilResultKey *key, int part, const float *values, int n)
{
	/* one text must not push out all others */
	if (n * sizeof(float) > cache->ring_bytes / 8)
		return;
	LWLockAcquire(distil_preload_lock(part_number), LW_EXCLUSIVE);
	if (find(key, part) == NULL)
		append(key, part, values, n);
	LWLockRelease(distil_preload_lock(part_number));
}

/* Shared memory is given out when the server starts; later there is none. */
void
distil_sharedcache_init(void)
{
	part_number = distil_preload_add(wanted_bytes, start_cache);
	if (!process_shared_preload_libraries_in_progress)
		return;
	DefineCustomIntVariable("distilbert.shared_cache_size",
							"Memory for results that all sessions of a role share.",
							"0: each session keeps its own alone.",
							&size_kilobytes, 0, 0, MAX_KILOBYTES,
							PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
}
