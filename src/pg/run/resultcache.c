/*
 * resultcache.c -- results of texts that were computed before.
 *
 * Each process has a cache of its own, up to distilbert.cache_size, from which
 * the least recently used results go first.  Behind it may stand one that all
 * processes share (sharedcache.c).
 *
 * No text is kept.  An entry is found by a SHA-256 over the text and all else
 * that the result depends on.  So after a model is replaced, a setting changed
 * or other kernels chosen, older entries are not found.  The role is part of
 * the key, too: no function with another role's rights, and no SET ROLE, tells
 * by the speed of an answer which texts that role asked about.
 *
 * Memory: one chunk for an entry, in a context of their own.  Freed chunks fit
 * only entries of their size, so the context may grow beyond the setting; a
 * cache that takes half as much again begins anew.
 */
#include "postgres.h"

#include <limits.h>

#include "lib/ilist.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "pg/bridge/errors.h"
#include "pg/run/modelcache.h"
#include "pg/run/resultcache.h"
#include "pg/run/sharedcache.h"

#define BLOCK_BYTES (64 * 1024)
#define BYTES_PER_BUCKET 256
#define MAX_BUCKETS (1024 * 1024 - 1)

typedef struct CacheEntry
{
	struct CacheEntry *next;	/* in its bucket */
	dlist_node	lru;
	DistilResultKey key;
	int			part;			/* a DBERT_WANT_ */
	int			n;
	float		values[FLEXIBLE_ARRAY_MEMBER];
} CacheEntry;

static int	cache_size;			/* kB; 0: nothing is kept */

static MemoryContext context = NULL;	/* NULL: nothing is kept */
static CacheEntry **buckets;
static uint32 n_buckets;		/* a power of two */
static dlist_head lru;			/* most recently used first */
static Size bytes;				/* of entries */

/* ---- what can be kept ---- */

/* Floats of a part of the results; 0: not to be kept. */
static int
part_floats(const DistilModel *model, int part)
{
	const DbertConfig *config = &model->core->config;

	if (part == DBERT_WANT_EMBEDDING)
		return config->embedding;
	if (part == DBERT_WANT_LOGITS && dbert_head_traits(config->head)->cacheable)
		return config->n_labels;
	return 0;
}

bool
distil_cache_holds(const DistilModel *model, int want)
{
	if (cache_size == 0 && !distil_shared_cache_exists())
		return false;
	for (int part = DBERT_WANT_LOGITS; part <= DBERT_WANT_HIDDEN; part <<= 1)
	{
		if ((want & part) && part_floats(model, part) == 0)
			return false;
	}
	return true;
}

/* ---- keys ---- */

/* What results depend on, besides the text.  No padding between the fields. */
typedef struct KeyHead
{
	uint8		model[DISTIL_SHA256_BYTES];
	char		kernels[32];	/* they round differently */
	Oid			role;
	int32		long_text;
	int64		len[2];			/* -1: there is no second text */
	int64		prompt_len;
} KeyHead;

static KeyHead
key_head(const DistilModel *model, const char *prompt, const DistilText *texts, bool pair)
{
	KeyHead		head;

	memset(&head, 0, sizeof(head));
	memcpy(head.model, model->sha256, DISTIL_SHA256_BYTES);
	strlcpy(head.kernels, model->core->kernels->name, sizeof(head.kernels));
	head.role = GetUserId();
	head.long_text = distil_guc_long_text;
	head.len[0] = texts[0].len;
	head.len[1] = pair ? (int64) texts[1].len : -1;
	head.prompt_len = strlen(prompt);
	return head;
}

DistilResultKey
distil_cache_key(const DistilModel *model, int want, const DistilText *texts, bool pair)
{
	const char *prompt = dbert_prompt(model->core, want);
	KeyHead		head = key_head(model, prompt, texts, pair);
	DistilResultKey key;
	DistilSha256 *sha = distil_sha256_begin();

	distil_sha256_add(sha, &head, sizeof(head));
	distil_sha256_add(sha, prompt, head.prompt_len);
	distil_sha256_add(sha, texts[0].data, texts[0].len);
	if (pair)
		distil_sha256_add(sha, texts[1].data, texts[1].len);
	distil_sha256_end(sha, key.sha256);
	return key;
}

/* ---- this process's entries ---- */

static Size
size_limit(void)
{
	return (Size) cache_size * 1024;
}

static void
forget_all(void)
{
	if (context != NULL)
		MemoryContextDelete(context);
	context = NULL;
}

/* An empty cache, if there is memory for it. */
static void
begin(void)
{
	MemoryContext new = AllocSetContextCreate(TopMemoryContext, "distilbert result cache",
											  0, ALLOCSET_SMALL_INITSIZE, BLOCK_BYTES);

	n_buckets = pg_nextpower2_32(Min(size_limit() / BYTES_PER_BUCKET, MAX_BUCKETS) + 1);
	buckets = MemoryContextAllocExtended(new, n_buckets * sizeof(CacheEntry *),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO | MCXT_ALLOC_NO_OOM);
	dlist_init(&lru);
	bytes = 0;
	if (buckets != NULL)
		context = new;
	else
		MemoryContextDelete(new);
}

static CacheEntry **
bucket_of(const DistilResultKey *key)
{
	uint32		h;

	memcpy(&h, key->sha256, sizeof(h));
	return &buckets[h & (n_buckets - 1)];
}

static CacheEntry *
find(const DistilResultKey *key, int part)
{
	if (context == NULL)
		return NULL;
	for (CacheEntry *e = *bucket_of(key); e != NULL; e = e->next)
	{
		if (e->part == part && memcmp(&e->key, key, sizeof(DistilResultKey)) == 0)
		{
			dlist_move_head(&lru, &e->lru);
			return e;
		}
	}
	return NULL;
}

static void
forget_least_recently_used(void)
{
	CacheEntry *e = dlist_container(CacheEntry, lru, dlist_tail_node(&lru));
	CacheEntry **link = bucket_of(&e->key);

	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
	dlist_delete(&e->lru);
	bytes -= GetMemoryChunkSpace(e);
	pfree(e);
}

static void
keep_to_limit(void)
{
	while (bytes > size_limit() && !dlist_is_empty(&lru))
		forget_least_recently_used();
	if (MemoryContextMemAllocated(context, false) >
		size_limit() + size_limit() / 2 + 2 * BLOCK_BYTES)
		forget_all();
}

static void
keep(const DistilResultKey *key, int part, const float *values, int n)
{
	CacheEntry *e;
	CacheEntry **bucket;

	/* one text must not push out all others */
	if (n * sizeof(float) > size_limit() / 8 || find(key, part) != NULL)
		return;
	if (context == NULL)
		begin();
	if (context == NULL)
		return;
	e = MemoryContextAllocExtended(context, offsetof(CacheEntry, values) + n * sizeof(float),
								   MCXT_ALLOC_NO_OOM);
	if (e == NULL)
		return;
	e->key = *key;
	e->part = part;
	e->n = n;
	memcpy(e->values, values, n * sizeof(float));
	bucket = bucket_of(key);
	e->next = *bucket;
	*bucket = e;
	dlist_push_head(&lru, &e->lru);
	bytes += GetMemoryChunkSpace(e);
	keep_to_limit();
}

/* ---- both caches ---- */

static void
keep_part(const DistilResultKey *key, int part, const float *values, int n)
{
	if (cache_size > 0)
		keep(key, part, values, n);
	if (distil_shared_cache_exists())
		distil_shared_cache_keep(key, part, values, n);
}

static bool
find_part(const DistilResultKey *key, int part, float *values, int n)
{
	CacheEntry *e = find(key, part);

	if (e != NULL && e->n == n)
		memcpy(values, e->values, n * sizeof(float));
	else if (!distil_shared_cache_exists() || !distil_shared_cache_find(key, part, values, n))
		return false;
	else if (cache_size > 0)
		keep(key, part, values, n);
	return true;
}

DbertBatch *
distil_cache_find(DistilModel *model, int want, const DistilResultKey *key)
{
	DbertBatch *batch = distil_model_recalled(model, want);
	float	   *logits,
			   *embedding;
	DbertError	err;

	if (dbert_batch_recall(batch, &logits, &embedding, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	if (logits != NULL &&
		!find_part(key, DBERT_WANT_LOGITS, logits, part_floats(model, DBERT_WANT_LOGITS)))
		return NULL;
	if (embedding != NULL &&
		!find_part(key, DBERT_WANT_EMBEDDING, embedding, part_floats(model, DBERT_WANT_EMBEDDING)))
		return NULL;
	distil_usage_count(model->usage, &(DistilUsage) {.cache_hits = 1});
	return batch;
}

void
distil_cache_keep(const DistilModel *model, int want, const DistilResultKey *key,
				  const DbertBatch *batch, int i)
{
	int			rows;

	if (want & DBERT_WANT_LOGITS)
		keep_part(key, DBERT_WANT_LOGITS, dbert_batch_logits(batch, i, &rows),
				  part_floats(model, DBERT_WANT_LOGITS));
	if (want & DBERT_WANT_EMBEDDING)
		keep_part(key, DBERT_WANT_EMBEDDING, dbert_batch_embedding(batch, i),
				  part_floats(model, DBERT_WANT_EMBEDDING));
}

/* ---- the setting ---- */

/* A cache of another size has another number of buckets. */
static void
assign_cache_size(int newval, void *extra)
{
	if (newval != cache_size)
		forget_all();
}

void
distil_resultcache_init(void)
{
	DefineCustomIntVariable("distilbert.cache_size",
							"Memory for results of texts that a session computed before.",
							"Hashes and numbers are kept, no texts; 0: nothing is.",
							&cache_size, 4096, 0, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, assign_cache_size, NULL);
}
