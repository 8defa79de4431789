/*
 * pipesync.c -- see pipesync.h.
 *
 * The steps are the worker's, in the writer's transaction: so the same texts
 * give the same rows, and equal ones are computed once.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/pipebatch.h"
#include "pg/pipe/pipequeue.h"
#include "pg/pipe/pipesync.h"
#include "pg/pipe/pipewake.h"

static void
raise_first(const DistilKeyBatch *batch, ErrorData *fault)
{
	if (fault != NULL)
		ReThrowError(fault);
	for (int i = 0; i < batch->n; i++)
	{
		if (batch->keys[i].error != NULL)
			ReThrowError(batch->keys[i].error);
	}
}

/* Somebody else has locked the row, or has changed the pipeline: later. */
static void
queue_keys(const DistilKeyBatch *batch, bool all)
{
	for (int i = 0; i < batch->n; i++)
	{
		if (!all && !batch->keys[i].locked)
			continue;
		distil_queue_add_key(batch->job->pipeline->name, batch->keys[i].key);
		distil_pipeline_wake();
	}
}

/* Some keys: as many as their texts allow.  Returns how many those were. */
static int
sync_batch(DistilJob *job, DistilKey *keys, int n)
{
	DistilKeyBatch batch = {.job = job,.only = -1,.keys = keys,.n = n};

	raise_first(&batch, distil_keys_read(&batch));
	if (!batch.outdated)
		raise_first(&batch, distil_keys_compute(&batch));
	if (!batch.outdated)
		raise_first(&batch, distil_keys_write(&batch));
	queue_keys(&batch, batch.outdated);
	return batch.n;
}

static void
sync_all(DistilJob *job, List *keys)
{
	int			done = 0;

	while (done < list_length(keys))
	{
		int			n = Min(list_length(keys) - done, DISTIL_JOB_KEYS);
		DistilKey  *some;
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(job->batch);
		old = MemoryContextSwitchTo(job->batch);
		some = palloc0_array(DistilKey, n);
		for (int i = 0; i < n; i++)
			some[i].key = list_nth(keys, done + i);
		done += sync_batch(job, some, n);
		MemoryContextSwitchTo(old);
	}
}

void
distil_sync_keys(const char *pipeline, List *keys)
{
	DistilJob  *job;
	ListCell   *lc;

	CommandCounterIncrement();	/* what the statement has written is seen */
	job = distil_job_begin(pipeline, false);
	if (job != NULL)
	{
		sync_all(job, keys);
		distil_job_end(job);
		return;
	}
	foreach(lc, keys)			/* it is paused */
		distil_queue_add_key(pipeline, lfirst(lc));
	distil_pipeline_wake();
}
