/*
 * counting.h -- an allocator that counts, and fails when it is told to.
 */
#ifndef DBERT_TEST_COUNTING_H
#define DBERT_TEST_COUNTING_H

#include "base/memory.h"

typedef struct Counter
{
	long		live;			/* not freed */
	long		calls;
	size_t		bytes;			/* of all calls */
	size_t		now,			/* bytes that are not freed, */
				peak;			/* and their most */
	long		fail_at;		/* the call that fails, from 1; 0: none */
	bool		fail_on;		/* and all behind it */
} Counter;

/* The counter is the caller's and must outlive the allocator. */
extern DbertAllocator counting(Counter *counter);

#endif
