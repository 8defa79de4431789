/* modelpool.c -- see modelpool.h: a list of blocks, one for each allocation. */
#include "model/modelpool.h"

#include <string.h>

typedef struct DbertPoolBlock
{
	struct DbertPoolBlock *next;
	union
	{
		void	   *pointer;
		uint64_t	integer;
		long double real;
	}			data[];			/* aligned for any scalar type */
} DbertPoolBlock;

void *
dbert_pool_alloc(DbertPool *pool, size_t count, size_t size)
{
	size_t		bytes,
				whole;
	DbertPoolBlock *block;

	if (!dbert_mul_size(count, size, &bytes) ||
		!dbert_add_size(bytes, sizeof(DbertPoolBlock), &whole))
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
dbert_pool_strndup(DbertPool *pool, const char *s, size_t len)
{
	char	   *copy = len < SIZE_MAX ? dbert_pool_alloc(pool, len + 1, 1) : NULL;

	if (copy != NULL)
		memcpy(copy, s, len);
	return copy;
}

void
dbert_pool_end(DbertPool *pool)
{
	while (pool->blocks != NULL)
	{
		DbertPoolBlock *block = pool->blocks;

		pool->blocks = block->next;
		dbert_free(pool->alloc, block);
	}
}
