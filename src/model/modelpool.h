/*
 * modelpool.h -- memory of one model being read, released all at once.
 *
 * The readers make many small things of one life (names, shapes, labels,
 * slots); each comes from a pool, and whoever began the pool ends it, on
 * success and on failure alike.  Memory is cleared.
 */
#ifndef DBERT_MODEL_MODELPOOL_H
#define DBERT_MODEL_MODELPOOL_H

#include "base/memory.h"

typedef struct DbertModelPool
{
	const DbertAllocator *alloc;
	struct DbertModelPoolBlock *blocks;
} DbertModelPool;

/* count * size bytes, cleared; NULL: out of memory. */
extern void *dbert_pool_alloc(DbertModelPool *pool, size_t count, size_t size);

/* A terminated copy of len bytes. */
extern char *dbert_pool_strndup(DbertModelPool *pool, const char *s, size_t len);

extern void dbert_pool_end(DbertModelPool *pool);

#endif
