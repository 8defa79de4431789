/*
 * pipedrop.c -- distil_drop_pipeline, and pipelines that have died.
 *
 *	   distil_drop_pipeline(name, drop_target, if_exists)	was there one?
 *
 * The server drops a pipeline's triggers and its target table with the source,
 * but not our rows.  They die with it: nobody looks at them any more, and
 * whoever makes a pipeline, or works for some, removes them.
 */
#include "postgres.h"

#include "storage/lmgr.h"
#include "utils/lsyscache.h"

#include "pg/bridge/arguments.h"
#include "pg/bridge/compat.h"
#include "pg/pipe/capture.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipedead.h"
#include "pg/pipe/pipelock.h"
#include "pg/pipe/pipetarget.h"
#include "pg/pipe/pipetriggers.h"
#include "pg/store/catalog.h"
#include "pg/store/load.h"

PG_FUNCTION_INFO_V1(distil_drop_pipeline);

/* Without waiting: others may hold it as long as their transactions take. */
static bool
try_lock(void)
{
	return ConditionalLockRelationOid(distil_find_table("pipeline"), ShareRowExclusiveLock);
}

List *
distil_living_pipelines(void)
{
	List	   *living = NIL;
	ListCell   *lc;

	foreach(lc, distil_pipeline_names())
	{
		if (!distil_pipeline_is_dead(lfirst(lc)))
			living = lappend(living, lfirst(lc));
		else if (try_lock() && distil_pipeline_is_dead(lfirst(lc)))
			distil_pipeline_delete(distil_pipeline_find(lfirst(lc)));
	}
	return living;
}

static void
drop_targets(const DistilPipeline *p)
{
	for (int i = 0; i < p->n_generations; i++)
	{
		const DistilGeneration *g = &p->generations[i];

		if (g->column != 0 || distil_relation_owner(g->target) == p->owner)
			distil_target_drop(p, g);
	}
}

/*
 * Triggers, targets, rows: a pipeline that is broken has some of them.  The
 * lock of DROP TRIGGER is taken at once: who got it in two steps could meet the
 * worker between them, which reads the table and then writes to it.
 */
static void
drop_pipeline(const char *name, bool drop_target)
{
	const DistilPipeline *p = distil_pipeline_get(name);

	if (get_rel_relkind(p->source) != '\0')
	{
		distil_pipeline_check_owner(p);
		distil_lock_politely(p->source, AccessExclusiveLock);
		p = distil_pipeline_get(name);
	}
	distil_pipeline_lock();
	if (get_rel_relkind(p->source) != '\0')
	{
		distil_triggers_drop(p);
		if (drop_target)
			drop_targets(p);
	}
	distil_capture_note_drop();
	distil_pipeline_delete(p);
}

Datum
distil_drop_pipeline(PG_FUNCTION_ARGS)
{
	const char *name = distil_text_argument(fcinfo, 0, "name of the pipeline");
	bool		if_exists = distil_bool_argument(fcinfo, 2);

	distil_prevent_read_only("distil_drop_pipeline()");
	if (if_exists && distil_pipeline_find(name) == NULL)
	{
		ereport(NOTICE, (errmsg("pipeline \"%s\" does not exist, skipping", name)));
		PG_RETURN_BOOL(false);
	}
	drop_pipeline(name, distil_bool_argument(fcinfo, 1));
	PG_RETURN_BOOL(true);
}
