/*
 * counting.c -- see counting.h.
 */
#include "test/support/counting.h"

#include <stdlib.h>

static void *
counting_alloc(void *ctx, size_t size)
{
	Counter    *c = ctx;

	c->calls++;
	if (c->fail_at > 0 && (c->calls == c->fail_at || (c->fail_on && c->calls > c->fail_at)))
		return NULL;
	c->live++;
	c->bytes += size;
	return malloc(size);
}

static void
counting_free(void *ctx, void *ptr)
{
	((Counter *) ctx)->live--;
	free(ptr);
}

DbertAllocator
counting(Counter *counter)
{
	return (DbertAllocator) {counting_alloc, counting_free, counter};
}
