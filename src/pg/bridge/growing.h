/*
 * growing.h -- arrays that grow as rows come, in a context that outlives the
 * rows.
 */
#ifndef DISTILBERT_PG_GROWING_H
#define DISTILBERT_PG_GROWING_H

#include "utils/memutils.h"

/* array [n], or NULL, with room for one element of this size more. */
static inline void *
distil_grown(MemoryContext context, void *array, Size n, Size *capacity, Size size)
{
	if (n < *capacity)
		return array;
	*capacity = Max(1024, 2 * *capacity);
	return array == NULL ? MemoryContextAllocHuge(context, *capacity * size)
						 : repalloc_huge(array, *capacity * size);
}

/* Rows are numbered by an int32: raise when there is no number left. */
static inline void
distil_check_rows(int32 n)
{
	if (n == PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the query gives more than %d rows", PG_INT32_MAX)));
}

#endif
