/* memory.c -- see memory.h. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static void *
malloc_alloc(void *ctx, size_t size)
{
	(void) ctx;
	return malloc(size);
}

static void
malloc_free(void *ctx, void *ptr)
{
	(void) ctx;
	free(ptr);
}

const DbertAllocator dbert_malloc_allocator = {malloc_alloc, malloc_free, NULL};

void *
dbert_alloc_array(const DbertAllocator *a, size_t count, size_t size)
{
	size_t		bytes;

	if (!dbert_mul_size(count, size, &bytes))
		return NULL;
	return dbert_alloc(a, bytes);
}

void *
dbert_alloc_zero(const DbertAllocator *a, size_t count, size_t size)
{
	void	   *p = dbert_alloc_array(a, count, size);

	if (p != NULL)
		memset(p, 0, count * size);
	return p;
}

bool
dbert_grow(const DbertAllocator *a, void *array, size_t *capacity,
		   size_t used, size_t want, size_t size)
{
	void	  **slot = array;
	size_t		next = *capacity ? *capacity : 16;
	void	   *p;

	if (want <= *capacity)
		return true;
	while (next < want)
		if (!dbert_mul_size(next, 2, &next))
			return false;
	p = dbert_alloc_array(a, next, size);
	if (p == NULL)
		return false;
	if (used > 0)
		memcpy(p, *slot, used * size);
	dbert_free(a, *slot);
	*slot = p;
	*capacity = next;
	return true;
}
