/*
 * alloc.c -- what the core gets from the server: memory, and a way to hear
 * that it should stop.
 *
 * Nothing may jump over the core's frames.  So its allocator returns NULL
 * instead of raising.  An error that is raised below the core, when it serves
 * an interrupt or reads a table, is caught there, kept here, and thrown again
 * when the core has returned.  One error is kept: the core stops at the first.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"

/* lives in kept_context; NULL: nothing is kept */
static ErrorData *kept_error = NULL;
static MemoryContext kept_context = NULL;

static void *
context_alloc(void *ctx, size_t size)
{
	if (!AllocHugeSizeIsValid(size))
		return NULL;
	return MemoryContextAllocExtended((MemoryContext) ctx, size,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

static void
context_free(void *ctx, void *ptr)
{
	pfree(ptr);
}

DbertAllocator
distil_allocator(MemoryContext context)
{
	DbertAllocator allocator = {context_alloc, context_free, context};

	return allocator;
}

void *
distil_move_here(void *p, Size bytes)
{
	void	   *moved = palloc_extended(Max(bytes, 1), MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);

	if (moved != NULL)
		memcpy(moved, p, bytes);
	pfree(p);					/* distil_allocator's memory is palloc's */
	if (moved == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return moved;
}

static void
ensure_kept_context(void)
{
	if (kept_context == NULL)
		kept_context = AllocSetContextCreate(TopMemoryContext, "distilbert kept error",
											 ALLOCSET_SMALL_SIZES);
}

void
distil_keep_error(void)
{
	MemoryContext old;
	ErrorData  *edata;

	ensure_kept_context();
	old = MemoryContextSwitchTo(kept_context);
	edata = CopyErrorData();
	MemoryContextSwitchTo(old);
	FlushErrorState();
	if (kept_error == NULL)
		kept_error = edata;
}

/*
 * An interrupt that raises FATAL ends the process and never returns here.  One
 * that raises ERROR has cleared its flag: the kept copy is all there is of it.
 */
static bool
poll_stop(void *ctx)
{
	MemoryContext context;

	if (kept_error != NULL)
		return true;
	if (likely(!INTERRUPTS_PENDING_CONDITION()))
		return false;

	context = CurrentMemoryContext;
	PG_TRY();
	{
		CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		distil_keep_error();
	}
	PG_END_TRY();
	return kept_error != NULL;
}

/* Whatever an earlier call left behind belongs to a statement that is over. */
const DbertPoll *
distil_poll(void)
{
	static const DbertPoll poll = {poll_stop, NULL};

	if (kept_context != NULL)
		MemoryContextReset(kept_context);
	kept_error = NULL;
	return &poll;
}

void
distil_poll_rethrow(void)
{
	ErrorData  *edata = kept_error;

	if (edata == NULL)
		return;
	kept_error = NULL;
	ReThrowError(edata);
}
