/*
 * jsonpool.h -- the memory that jansson builds a tree in.
 *
 * jansson does not check all of its own allocations: after a failed one it may
 * go on with half a token, or stop by an assertion.  So it gets memory that is
 * there already: as much is taken beforehand as the text at hand can need at
 * most, and that pool serves its allocations.  Nothing of it is given back
 * until the whole pool is.
 *
 * jansson's functions for memory are the process's and have no argument.  They
 * are the pool's between enter and leave only, around calls of jansson and
 * nothing else, and what was there before comes back: other users of jansson
 * see nothing of it, those of other threads included.  One thread of a process
 * enters at a time.  Whatever takes or releases memory of a tree stands between
 * the two: json_decref of a tree outside them would hand the pool's memory to
 * another allocator.  Getters allocate nothing and need neither.
 */
#ifndef DBERT_MODEL_JSONPOOL_H
#define DBERT_MODEL_JSONPOOL_H

#include "base/memory.h"

#include <jansson.h>

/* More than a tree of any real file takes: the largest takes a tenth of it. */
#define DBERT_JSON_MEMORY_MAX ((uint64_t) 1 << 30)

typedef struct DbertJsonPool
{
	const DbertAllocator *alloc;
	struct DbertJsonBlock *blocks;
	char	   *next;			/* free bytes of the newest block */
	size_t		left;
	bool		failed;			/* there was no memory: what was built is worth nothing */

	/* between enter and leave: what was in force before */
	struct DbertJsonPool *outer;
	json_malloc_t outer_malloc;
	json_free_t outer_free;
} DbertJsonPool;

/*
 * The most bytes that jansson takes for the tree of a text, whatever the text
 * is, and what it takes while it reads.
 */
extern uint64_t dbert_json_memory(const char *text, size_t len);

/* Empty, and good for dbert_json_pool_end. */
extern void dbert_json_pool_begin(DbertJsonPool *pool, const DbertAllocator *alloc);

/* size bytes at once; false: out of memory */
extern bool dbert_json_pool_reserve(DbertJsonPool *pool, uint64_t size);

extern void dbert_json_pool_enter(DbertJsonPool *pool);
extern void dbert_json_pool_leave(DbertJsonPool *pool);

/* Releases everything that was built in it. */
extern void dbert_json_pool_end(DbertJsonPool *pool);

#endif
