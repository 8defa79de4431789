/*
 * pipestatus.c -- the rows of the view distil_pipelines.
 *
 * Everybody sees that there are pipelines and how far they are.  What an error
 * says may quote a row, so it is for those who may act as the source's owner.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipeerror.h"
#include "pg/pipe/pipeline.h"
#include "pg/pipe/pipequeue.h"

/* Of more keys that wait not all are counted. */
#define MOST_COUNTED 1000000

PG_FUNCTION_INFO_V1(distil_pipeline_status);

enum
{
	SHOWN_NAME,
	SHOWN_SOURCE,
	SHOWN_TARGET,
	SHOWN_TASK,
	SHOWN_MODEL,
	SHOWN_SHA256,
	SHOWN_MODE,
	SHOWN_STATE,
	SHOWN_PENDING,
	SHOWN_OLDEST,
	SHOWN_DONE,
	SHOWN_FAILED,
	SHOWN_RATE,
	SHOWN_ERROR,
	SHOWN_COLUMNS
};

static bool
is_filled(const DistilPipeline *p, int generation)
{
	return p->generations[generation].done_at != 0;
}

static const char *
state_of(const DistilPipeline *p, const DistilErrorCounts *errors, int64 pending)
{
	if (!p->whole)
		return "broken";
	if (p->elsewhere)
		return "elsewhere";
	if (p->paused)
		return "paused";
	if (errors->fault)
		return "failing";
	if (p->n_generations > 1)
		return is_filled(p, 1) ? "ready" : "building";
	if (!is_filled(p, 0))
		return "backfill";
	return pending > 0 ? "working" : "idle";
}

/* The table, or the column of the source. */
static const char *
target_of(const DistilPipeline *p)
{
	const DistilGeneration *g = &p->generations[0];

	return OidIsValid(g->target) ? distil_sql_table(g->target) :
		distil_sql_column(p->source, g->column);
}

static void
put_text(Datum *values, bool *nulls, int column, const char *s)
{
	nulls[column] = s == NULL;
	if (s != NULL)
		values[column] = CStringGetTextDatum(s);
}

/* What is known of a pipeline that is whole. */
static void
put_live(const DistilPipeline *p, Datum *values, bool *nulls)
{
	const DistilGeneration *g = &p->generations[0];
	char		hex[DISTIL_SHA256_HEX];

	distil_sha256_hex(g->sha256, hex);
	put_text(values, nulls, SHOWN_TARGET, target_of(p));
	put_text(values, nulls, SHOWN_MODEL, g->model);
	put_text(values, nulls, SHOWN_SHA256, hex);
	values[SHOWN_DONE] = Int64GetDatum(g->rows_done);
	nulls[SHOWN_DONE] = false;
	nulls[SHOWN_RATE] = g->seconds <= 0;
	if (g->seconds > 0)
		values[SHOWN_RATE] = Float4GetDatum((float4) ((double) g->rows_done / g->seconds));
}

static void
put_pipeline(ReturnSetInfo *rsinfo, const DistilPipeline *p)
{
	DistilErrorCounts errors = distil_errors_count(p->name);
	TimestampTz oldest;
	int64		pending = distil_queue_length(p->name, MOST_COUNTED, &oldest);
	bool		shown = has_privs_of_role(GetUserId(), p->owner);
	Datum		values[SHOWN_COLUMNS] = {0};
	bool		nulls[SHOWN_COLUMNS];

	memset(nulls, true, sizeof(nulls));
	put_text(values, nulls, SHOWN_NAME, p->name);
	put_text(values, nulls, SHOWN_TASK, p->task->name);
	put_text(values, nulls, SHOWN_MODE, p->sync ? "sync" : "async");
	put_text(values, nulls, SHOWN_STATE, state_of(p, &errors, pending));
	values[SHOWN_SOURCE] = ObjectIdGetDatum(p->source);
	values[SHOWN_PENDING] = Int64GetDatum(pending);
	values[SHOWN_OLDEST] = TimestampTzGetDatum(oldest);
	values[SHOWN_FAILED] = Int64GetDatum(errors.keys);
	nulls[SHOWN_SOURCE] = nulls[SHOWN_PENDING] = nulls[SHOWN_FAILED] = false;
	nulls[SHOWN_OLDEST] = oldest == 0;
	put_text(values, nulls, SHOWN_ERROR, !p->whole ? p->broken : shown ? errors.last : NULL);
	if (p->whole)
		put_live(p, values, nulls);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
distil_pipeline_status(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "distilbert status",
												  ALLOCSET_DEFAULT_SIZES);
	List	   *names;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	names = distil_pipeline_names();
	foreach(lc, names)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		DistilPipeline *p = distil_pipeline_find(lfirst(lc));

		if (p != NULL)
			put_pipeline((ReturnSetInfo *) fcinfo->resultinfo, p);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	return (Datum) 0;
}
