/*
 * piperun.c -- pipelines by hand.
 *
 *	   CALL distil_run_pipeline(name, max_rows)
 *			what the worker does, here and now
 *	   distil_wait_pipeline(name, timeout)
 *			until it has done all that was committed before
 *
 * CALL takes turns with the worker by the pipeline's lock: each key is done by
 * one of them.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/nap.h"
#include "pg/pipe/pipedead.h"
#include "pg/pipe/pipeerror.h"
#include "pg/pipe/pipeline.h"
#include "pg/pipe/pipequeue.h"
#include "pg/pipe/pipetry.h"
#include "pg/pipe/pipevisit.h"
#include "pg/pipe/pipewake.h"

#define VISIT_MS 1000
#define SHORTEST_NAP_MS 2
#define LONGEST_NAP_MS 100

PG_FUNCTION_INFO_V1(distil_run_pipeline);
PG_FUNCTION_INFO_V1(distil_wait_pipeline);

/* ---- running ---- */

/* Raise unless commits are possible here. */
static void
require_call(FunctionCallInfo fcinfo)
{
	CallContext *call = (CallContext *) fcinfo->context;

	if (call != NULL && IsA(call, CallContext) && !call->atomic)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("distil_run_pipeline cannot run inside a transaction block"),
			 errdetail("It commits after each batch of rows."),
			 errhint("CALL it outside of BEGIN ... COMMIT, and not from a function.")));
}

/* Raise where nothing can be done for it. */
static void
check_pipeline(const char *name)
{
	DistilPipeline *p = distil_pipeline_get(name);

	distil_pipeline_check_owner(p);
	if (!p->whole)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" cannot run: %s", name, p->broken),
				 errhint("Drop it with distil_drop_pipeline.")));
	if (p->paused)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" is paused", name),
				 errhint("SELECT distil_alter_pipeline(..., paused => false).")));
}

/* The one of this name, or all of the current user's that can run. */
static List *
names_to_run(const char *name)
{
	List	   *names = NIL;
	ListCell   *lc;

	if (name != NULL)
	{
		check_pipeline(name);
		return list_make1(unconstify(char *, name));
	}
	foreach(lc, distil_living_pipelines())
	{
		DistilPipeline *p = distil_pipeline_find(lfirst(lc));

		if (p != NULL && p->whole && !p->paused && has_privs_of_role(GetUserId(), p->owner))
			names = lappend(names, lfirst(lc));
	}
	return names;
}

/* Returns how many keys were done. */
static int64
run_pipeline(const char *name, int64 most)
{
	DistilVisit visit;
	int64		done = 0;

	distil_pipeline_wait_to_work(name);
	do
	{
		visit = (DistilVisit) {
			.name = name,
			.in_call = true,
			.most_keys = most - done,
			.milliseconds = VISIT_MS,
			.seq = PG_INT64_MIN
		};
		distil_visit(&visit);
		done += visit.keys;
		if (visit.fault != NULL)
			ThrowErrorData(visit.fault);
	} while (visit.more && done < most);
	distil_pipeline_end_work(name);
	return done;
}

/* (name, max_rows) */
Datum
distil_run_pipeline(PG_FUNCTION_ARGS)
{
	char	   *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64		left = PG_ARGISNULL(1) ? PG_INT64_MAX : PG_GETARG_INT64(1);
	List	   *names;
	ListCell   *lc;

	require_call(fcinfo);
	if (left < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rows must be at least 1, not " INT64_FORMAT, left)));
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (name != NULL)
		name = pstrdup(name);
	names = names_to_run(name);
	distil_next_transaction(true);
	foreach(lc, names)
	{
		if (left > 0)
			left -= run_pipeline(lfirst(lc), left);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

/* ---- waiting ---- */

/* Is all done that was there when the queue's last row was this one? */
static bool
is_done(const char *name, int64 last)
{
	DistilPipeline *p = distil_pipeline_get(name);
	List	   *rows = distil_queue_read(name, PG_INT64_MIN, 1);

	if (rows != NIL && ((DistilQueued *) linitial(rows))->seq <= last)
		return false;
	for (int i = 0; i < p->n_generations; i++)
	{
		if (p->generations[i].done_at == 0)
			return false;
	}
	return distil_errors_count(name).put_off == 0;
}

static bool
is_done_here(MemoryContext context, const char *name, int64 last)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	bool		done = is_done(name, last);

	MemoryContextSwitchTo(old);
	MemoryContextReset(context);
	return done;
}

static TimestampTz
time_after(Interval *interval)
{
	Datum		now = TimestampTzGetDatum(GetCurrentTimestamp());

	return DatumGetTimestampTz(
		DirectFunctionCall2(timestamptz_pl_interval, now, IntervalPGetDatum(interval)));
}

/* (name, timeout) */
Datum
distil_wait_pipeline(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	TimestampTz end = time_after(PG_GETARG_INTERVAL_P(1));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "distilbert wait",
												  ALLOCSET_SMALL_SIZES);
	DistilWait	wait = {0};
	int64		last;

	(void) distil_pipeline_get(name);
	last = distil_queue_last(name);
	distil_pipeline_wake_now();
	while (!is_done_here(context, name, last))
	{
		if (GetCurrentTimestamp() >= end)
			PG_RETURN_BOOL(false);
		distil_nap(&wait, SHORTEST_NAP_MS, LONGEST_NAP_MS);
	}
	MemoryContextDelete(context);
	PG_RETURN_BOOL(true);
}
