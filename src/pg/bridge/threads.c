/*
 * threads.c -- see threads.h.
 *
 * The first run that may use threads starts them.  They end with the backend,
 * or when the setting changes, and sleep between runs.  They touch nothing of
 * the server's: while they work the backend waits in the core, and interrupts
 * are served only between their loops.  A parallel worker starts none, for it
 * is one of several already.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/threads.h"

static int	n_threads;			/* distilbert.threads: 1 .. DBERT_MAX_THREADS */
static DbertThreads *pool = NULL;	/* of so many, or NULL */

static void
end_threads(void)
{
	dbert_threads_free(pool);
	pool = NULL;
}

static void
end_at_exit(int code, Datum arg)
{
	end_threads();
}

DbertThreads *
distil_threads(void)
{
	static bool registered = false;
	static DbertAllocator allocator;
	DbertError	err;

	if (n_threads == 1 || IsParallelWorker())
		return NULL;
	if (pool != NULL)
		return pool;
	if (!registered)
	{
		on_proc_exit(end_at_exit, (Datum) 0);
		registered = true;
	}
	allocator = distil_allocator(TopMemoryContext);
	if (dbert_threads_create(n_threads, &allocator, &pool, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	return pool;
}

static void
assign_threads(int newval, void *extra)
{
	if (newval != n_threads)
		end_threads();
}

void
distil_threads_init(void)
{
	DefineCustomIntVariable("distilbert.threads",
							"Threads that may share the work of one batch of texts.",
							"Parallel workers use one each, whatever is set.",
							&n_threads, 1, 1, DBERT_MAX_THREADS,
							PGC_USERSET, 0, NULL, assign_threads, NULL);
}
