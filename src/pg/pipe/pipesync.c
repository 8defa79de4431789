/*
 * pipesync.c -- see pipesync.h.
 *
 * The steps are the worker's, in the writer's transaction: so the same texts
 * give the same rows, and equal ones are computed once.
 *
 * What a statement prepared is kept for the next one of the transaction: on a
 * partitioned source each row is done alone.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/capture.h"
#include "pg/pipe/pipebatch.h"
#include "pg/pipe/pipequeue.h"
#include "pg/pipe/pipesync.h"
#include "pg/pipe/pipewake.h"

/* ---- a job that is kept ---- */

/* In TopTransactionContext, while nobody uses it; NULL: there is none. */
static DistilJob *kept;

/* For a pipeline, if it may be done now; else NULL. */
static DistilJob *
take_job(const char *pipeline)
{
	DistilJob  *job = kept;
	MemoryContext old;

	kept = NULL;
	if (job != NULL && strcmp(job->pipeline->name, pipeline) == 0 && distil_job_is_current(job))
		return job;
	if (job != NULL)
		distil_job_end(job);
	old = MemoryContextSwitchTo(TopTransactionContext);
	job = distil_job_begin(pipeline, false);
	MemoryContextSwitchTo(old);
	return job;
}

static void
keep_job(DistilJob *job)
{
	if (kept != NULL)			/* of a statement within this one */
		distil_job_end(kept);
	MemoryContextReset(job->batch);
	kept = job;
}

static void
at_xact_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		kept = NULL;			/* its memory is the transaction's */
}

void
distil_sync_init(void)
{
	RegisterXactCallback(at_xact_end, NULL);
}

/* ---- keys ---- */

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
	DistilKeyBatch batch = {.job = job,.only = -1,.keys = keys,.n = n,.sync = true};

	batch.captured = distil_capture_count();
	(void) distil_keys_read(&batch);
	if (!batch.outdated)
		raise_first(&batch, distil_keys_compute(&batch));
	if (!batch.outdated)
		(void) distil_keys_write(&batch);
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

/* A savepoint may outlive an error: the job is not left lying. */
static void
sync_or_end(DistilJob *job, List *keys)
{
	PG_TRY();
	{
		sync_all(job, keys);
	}
	PG_CATCH();
	{
		distil_job_end(job);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

void
distil_sync_keys(const char *pipeline, List *keys)
{
	DistilJob  *job;
	ListCell   *lc;

	CommandCounterIncrement();	/* what the statement has written is seen */
	job = take_job(pipeline);
	if (job != NULL)
	{
		sync_or_end(job, keys);
		keep_job(job);
		return;
	}
	foreach(lc, keys)			/* it is paused */
		distil_queue_add_key(pipeline, lfirst(lc));
	distil_pipeline_wake();
}
