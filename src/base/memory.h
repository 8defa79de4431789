/*
 * memory.h -- the core's only way to memory, and checked size arithmetic.
 *
 * The core allocates through a DbertAllocator that the caller passes in: the
 * server gives one that fills a memory context, tests one that counts or
 * fails.  alloc returns memory aligned for any scalar type, or NULL, never
 * jumps.  free takes NULL.  Contents are not cleared.
 */
#ifndef DBERT_BASE_MEMORY_H
#define DBERT_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Packs and kernels lay numbers out as these machines do, and a model's pack is
 * one mapping, which may be gigabytes.
 */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || __SIZEOF_POINTER__ < 8
#error "distilbert runs on little-endian machines of 64 bits only"
#endif

typedef struct DbertAllocator
{
	void	   *(*alloc) (void *ctx, size_t size);
	void		(*free) (void *ctx, void *ptr);
	void	   *ctx;
} DbertAllocator;

/* malloc and free, for programs outside the server. */
extern const DbertAllocator dbert_malloc_allocator;

/* Polled at least every few milliseconds of work; true: give up with
 * DBERT_E_CANCELLED.  A NULL DbertPoll or a NULL stop is never asked. */
typedef struct DbertPoll
{
	bool		(*stop) (void *ctx);
	void	   *ctx;
} DbertPoll;

static inline bool
dbert_stopped(const DbertPoll *poll)
{
	return poll != NULL && poll->stop != NULL && poll->stop(poll->ctx);
}

static inline void *
dbert_alloc(const DbertAllocator *a, size_t size)
{
	return a->alloc(a->ctx, size ? size : 1);
}

static inline void
dbert_free(const DbertAllocator *a, void *ptr)
{
	if (ptr != NULL)
		a->free(a->ctx, ptr);
}

/* count * size bytes, NULL also when the product does not fit. */
extern void *dbert_alloc_array(const DbertAllocator *a, size_t count, size_t size);

/* Same, cleared. */
extern void *dbert_alloc_zero(const DbertAllocator *a, size_t count, size_t size);

/*
 * Make *array (of *capacity elements of size bytes) hold at least want
 * elements, doubling; keeps the first used elements.  false: out of memory,
 * the array is as it was.
 */
extern bool dbert_grow(const DbertAllocator *a, void *array, size_t *capacity,
					   size_t used, size_t want, size_t size);

/* *out = a (op) b; false when it does not fit. */
static inline bool
dbert_mul_size(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

static inline bool
dbert_add_size(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

#endif
