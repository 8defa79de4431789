/*
 * sort.h -- sorting what a file may have hundreds of thousands of.
 *
 * A stable merge sort.  Unlike the C library's qsort it takes its memory from
 * an allocator, and asks the poll.
 */
#ifndef DBERT_BASE_SORT_H
#define DBERT_BASE_SORT_H

#include "base/memory.h"
#include "base/status.h"

/*
 * Sort items[n] of size bytes each.  E_NOMEM, or E_CANCELLED by the poll; then
 * they are in any order, and some may be there twice.
 */
extern DbertStatus dbert_sort(void *items, size_t n, size_t size,
							  int (*compare) (const void *, const void *),
							  const DbertAllocator *alloc, const DbertPoll *poll, DbertError *err);

#endif
