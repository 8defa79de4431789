/* modelpool.c -- see modelpool.h: a list of blocks, one for each allocation. */
#include "model/modelpool.h"

#include <string.h>

typedef struct DbertModelPoolBlock
{
	struct DbertModelPoolBlock *next;
	union
	{
		void	   *pointer;
		uint64_t	integer;
		long double real;
	}			data[];			/* aligned for any scalar type */
} DbertModelPoolBlock;

void *
dbert_pool_alloc(DbertModelPool *pool, size_t count, size_t size)
{
	size_t		bytes,
				whole;
	DbertModelPoolBlock *block;

	if (!dbert_mul_size(count, size, &bytes) ||
		!dbert_add_size(bytes, sizeof(DbertModelPoolBlock), &whole))
		return NULL;
	block = dbert_alloc(pool->alloc, whole);
	if (block == NULL)
		return NULL;
	block->next = pool->blocks;
	pool->blocks = block;
	memset(block->data, 0, bytes);
	return block->data;
}

char *
dbert_pool_strndup(DbertModelPool *pool, const char *s, size_t len)
{
	char	   *copy = len < SIZE_MAX ? dbert_pool_alloc(pool, len + 1, 1) : NULL;

	if (copy != NULL)
		memcpy(copy, s, len);
	return copy;
}

void
dbert_pool_end(DbertModelPool *pool)
{
	while (pool->blocks != NULL)
	{
		DbertModelPoolBlock *block = pool->blocks;

		pool->blocks = block->next;
		dbert_free(pool->alloc, block);
	}
}
