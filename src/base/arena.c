/* arena.c -- see arena.h: a list of blocks, one for each allocation. */
#include "base/arena.h"

#include <string.h>

typedef struct DbertArenaBlock
{
	struct DbertArenaBlock *next;
	union
	{
		void	   *pointer;
		uint64_t	integer;
		long double real;
	}			data[];			/* aligned for any scalar type */
} DbertArenaBlock;

void *
dbert_arena_alloc(DbertArena *arena, size_t count, size_t size)
{
	size_t		bytes,
				whole;
	DbertArenaBlock *block;

	if (!dbert_mul_size(count, size, &bytes) ||
		!dbert_add_size(bytes, sizeof(DbertArenaBlock), &whole))
		return NULL;
	block = dbert_alloc(arena->alloc, whole);
	if (block == NULL)
		return NULL;
	block->next = arena->blocks;
	arena->blocks = block;
	memset(block->data, 0, bytes);
	return block->data;
}

char *
dbert_arena_strndup(DbertArena *arena, const char *s, size_t len)
{
	char	   *copy = len < SIZE_MAX ? dbert_arena_alloc(arena, len + 1, 1) : NULL;

	if (copy != NULL)
		memcpy(copy, s, len);
	return copy;
}

void
dbert_arena_end(DbertArena *arena)
{
	while (arena->blocks != NULL)
	{
		DbertArenaBlock *block = arena->blocks;

		arena->blocks = block->next;
		dbert_free(arena->alloc, block);
	}
}
