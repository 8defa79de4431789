/*
 * trainlayout.c -- arrays one behind the other, each on a cache line, by sizes
 * in checked arithmetic.
 */
#include "train/trainlayout.h"

#include "base/memory.h"

void *
dbert_layout_place(DbertLayout *l, size_t rows, size_t columns, size_t size)
{
	size_t		count,
				bytes,
				at = l->total;

	if (!dbert_mul_size(rows, columns, &count) || !dbert_mul_size(count, size, &bytes) ||
		!dbert_add_size(bytes, 63, &bytes) || !dbert_add_size(at, bytes & ~(size_t) 63, &l->total))
		l->overflow = true;
	return l->base != NULL ? l->base + at : NULL;
}

float *
dbert_layout_floats(DbertLayout *l, size_t rows, size_t columns)
{
	return dbert_layout_place(l, rows, columns, sizeof(float));
}
