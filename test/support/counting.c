/*
 * counting.c -- see counting.h.
 */
#include "test/support/counting.h"

#include <stdlib.h>

/* Before each piece stands its size; pieces are aligned as malloc's. */
#define FRONT 16

static void *
counting_alloc(void *ctx, size_t size)
{
	Counter    *c = ctx;
	char	   *piece;

	c->calls++;
	if (c->fail_at > 0 && (c->calls == c->fail_at || (c->fail_on && c->calls > c->fail_at)))
		return NULL;
	piece = malloc(FRONT + size);
	if (piece == NULL)
		return NULL;
	c->live++;
	c->bytes += size;
	c->now += size;
	if (c->now > c->peak)
		c->peak = c->now;
	*(size_t *) piece = size;
	return piece + FRONT;
}

static void
counting_free(void *ctx, void *ptr)
{
	Counter    *c = ctx;
	char	   *piece = (char *) ptr - FRONT;

	if (ptr == NULL)
		return;
	c->live--;
	c->now -= *(size_t *) piece;
	free(piece);
}

DbertAllocator
counting(Counter *counter)
{
	return (DbertAllocator) {counting_alloc, counting_free, counter};
}
