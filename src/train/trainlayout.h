/* trainlayout.h -- memory being laid out: two walks, the first only adds up. */
#ifndef DBERT_TRAIN_TRAINLAYOUT_H
#define DBERT_TRAIN_TRAINLAYOUT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct DbertLayout
{
	char	   *base;			/* NULL: only add up */
	size_t		total;
	bool		overflow;
} DbertLayout;

extern void *dbert_layout_place(DbertLayout *l, size_t rows, size_t columns, size_t size);
extern float *dbert_layout_floats(DbertLayout *l, size_t rows, size_t columns);

#endif
