/* layout.c -- see layout.h. */
#include "base/layout.h"

#include "base/memory.h"

#define LINE 64

void *
dbert_layout_place(DbertLayout *l, size_t rows, size_t columns, size_t size)
{
	size_t		count,
				bytes,
				at = l->total;

	if (!dbert_mul_size(rows, columns, &count) || !dbert_mul_size(count, size, &bytes) ||
		!dbert_add_size(bytes, LINE - 1, &bytes) ||
		!dbert_add_size(at, bytes & ~(size_t) (LINE - 1), &l->total))
		l->overflow = true;
	return l->base != NULL ? l->base + at : NULL;
}

float *
dbert_layout_floats(DbertLayout *l, size_t rows, size_t columns)
{
	return dbert_layout_place(l, rows, columns, sizeof(float));
}

bool
dbert_layout_bytes(const DbertLayout *l, size_t *bytes)
{
	return !l->overflow && dbert_add_size(l->total, LINE - 1, bytes);
}

DbertLayout
dbert_layout_in(void *memory)
{
	uintptr_t	line = ((uintptr_t) memory + LINE - 1) & ~(uintptr_t) (LINE - 1);

	return (DbertLayout) {.base = (char *) line};
}
