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
 * The poll every core call gets.  It serves interrupts where it is asked: a
 * harmless one (a barrier, a request to log memory) is dealt with and the work
 * goes on; one that raises is caught, kept, and makes the core return
 * DBERT_E_CANCELLED, after which distil_raise throws it.  So nothing ever
 * jumps across the core's frames.
 */
extern const DbertPoll *distil_poll(void);

/* Throw what the poll caught, if anything (called by distil_raise). */
extern void distil_poll_rethrow(void);

/*
 * For callbacks that the core calls and that may raise (a DbertSource over
 * tables): in PG_CATCH, back in the caller's memory context, keep the error
 * as the poll would, then return DBERT_E_CANCELLED.
 */
extern void distil_keep_error(void);

#endif
