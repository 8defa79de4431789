/*
 * arena.h -- memory of one model being read, released all at once.
 *
 * The readers make many small things of one life (names, shapes, labels,
 * slots); each comes from an arena, and whoever began the arena ends it, on
 * success and on failure alike.  Memory is cleared.
 */
#ifndef DBERT_BASE_ARENA_H
#define DBERT_BASE_ARENA_H

#include "base/memory.h"

typedef struct DbertArena
{
	const DbertAllocator *alloc;
	struct DbertArenaBlock *blocks;
} DbertArena;

/* count * size bytes, cleared; NULL: out of memory. */
extern void *dbert_arena_alloc(DbertArena *arena, size_t count, size_t size);

/* A terminated copy of len bytes. */
extern char *dbert_arena_strndup(DbertArena *arena, const char *s, size_t len);

extern void dbert_arena_end(DbertArena *arena);

#endif
