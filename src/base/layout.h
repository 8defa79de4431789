/*
 * layout.h -- arrays one behind the other in one piece of memory, each on a
 * cache line.
 *
 * A function places all arrays; it is walked twice.  The first walk has no
 * memory and only adds up, in checked arithmetic; the caller then allocates
 * total and 63 bytes, begins again at the first cache line in them, and the
 * second walk gives the arrays their places.
 */
#ifndef DBERT_BASE_LAYOUT_H
#define DBERT_BASE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct DbertLayout
{
	char	   *base;			/* on a cache line; NULL: only add up */
	size_t		total;			/* bytes so far */
	bool		overflow;		/* they do not fit a size_t: total says nothing */
} DbertLayout;

/* An array of rows * columns elements of size bytes; NULL in the first walk. */
extern void *dbert_layout_place(DbertLayout *l, size_t rows, size_t columns, size_t size);
extern float *dbert_layout_floats(DbertLayout *l, size_t rows, size_t columns);

/* Bytes to allocate after the first walk; false: more than a size_t. */
extern bool dbert_layout_bytes(const DbertLayout *l, size_t *bytes);

/* Begin the second walk in the memory that was allocated. */
extern DbertLayout dbert_layout_in(void *memory);

#endif
