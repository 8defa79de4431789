/*
 * threads.c -- see threads.h.
 *
 * The threads are started by the first run that may use them, end when the
 * setting changes or the backend does, and sleep in between.  They touch
 * nothing of the server's: while they work the backend waits in the core, and
 * interrupts are served between their loops alone (nn/layers.h).  A parallel
 * worker has a processor's share already and stays single.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/guc.h"
#include "pg/bridge/threads.h"

static DbertThreads *pool = NULL;	/* of distil_guc_threads threads */

void
distil_threads_end(void)
{
	dbert_threads_free(pool);
	pool = NULL;
}

static void
end_at_exit(int code, Datum arg)
{
	distil_threads_end();
}

DbertThreads *
distil_threads(void)
{
	static bool registered = false;
	static DbertAllocator allocator;
	DbertError	err;

	if (distil_guc_threads == 1 || IsParallelWorker())
		return NULL;
	if (pool != NULL)
		return pool;
	if (!registered)
	{
		on_proc_exit(end_at_exit, (Datum) 0);
		registered = true;
	}
	allocator = distil_allocator(TopMemoryContext);
	if (dbert_threads_create(distil_guc_threads, &allocator, &pool, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	return pool;
}
