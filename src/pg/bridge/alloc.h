/*
 * alloc.h -- the server's side of the core's allocator and poll.
 */
#ifndef DISTILBERT_PG_ALLOC_H
#define DISTILBERT_PG_ALLOC_H

#include "dbert.h"

/* An allocator that fills context, returning NULL where palloc would raise. */
extern DbertAllocator distil_allocator(MemoryContext context);

/*
 * What the core allocated by such an allocator, moved to the current context.
 * An answer's memory belongs to its batch's model, which lives longer than the
 * query: nothing may raise before it is moved or freed.
 */
extern void *distil_move_here(void *p, Size bytes);

/*
 * The poll that every call of the core gets.  It serves interrupts.  A harmless
 * one (a barrier, a request to log memory) is dealt with, and the work goes on.
 * One that raises is caught and kept; the core returns DBERT_E_CANCELLED, and
 * distil_raise throws what was kept.  So nothing jumps across the core's
 * frames.
 */
extern const DbertPoll *distil_poll(void);

/* Throw what the poll caught, if anything (called by distil_raise). */
extern void distil_poll_rethrow(void);

/*
 * For callbacks of the core that may raise (a DbertSource over tables).  To be
 * called in PG_CATCH, in the memory context of before: keeps the error as the
 * poll does.  The callback then returns DBERT_E_CANCELLED.
 */
extern void distil_keep_error(void);

#endif
