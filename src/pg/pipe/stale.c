/*
 * stale.c -- see stale.h.
 *
 * As the server's own triggers for foreign keys do it: a saved plan, run as the
 * tables' owner, with row level security off and with the latest snapshot, so
 * that what the worker wrote a moment ago is no reason to fail.  The worker
 * sees to all of these keys again, as they are queued besides: it may have
 * written what the old text gave a moment after this looked.
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/stale.h"

typedef struct StalePlan
{
	Oid			target;			/* the key */
	SPIPlanPtr	plan;			/* NULL: not made yet */
} StalePlan;

static HTAB *plans;

/* "DELETE FROM target WHERE key = $1 AND ..." */
static SPIPlanPtr
make_plan(Oid target, int n_keys)
{
	StringInfoData sql;
	Oid			types[INDEX_MAX_KEYS];
	SPIPlanPtr	plan;

	initStringInfo(&sql);
	appendStringInfo(&sql, "DELETE FROM %s t WHERE ", distil_sql_table(target));
	distil_sql_keys_given(&sql, "t", target, NULL, n_keys);
	for (int i = 0; i < n_keys; i++)
		types[i] = get_atttype(target, i + 1);
	plan = SPI_prepare(sql.data, n_keys, types);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	return plan;
}

/* The plan for a target; made again when a table or column has another name. */
static SPIPlanPtr
plan_for(Oid target, int n_keys)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid), .entrysize = sizeof(StalePlan)};
	StalePlan  *entry;
	bool		found;

	ctl.hcxt = TopMemoryContext;
	if (plans == NULL)
		plans = hash_create("distilbert plans", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	entry = hash_search(plans, &target, HASH_ENTER, &found);
	if (found && entry->plan != NULL && !SPI_plan_is_valid(entry->plan))
		SPI_freeplan(entry->plan);
	else if (found && entry->plan != NULL)
		return entry->plan;
	entry->plan = NULL;
	entry->plan = make_plan(target, n_keys);
	return entry->plan;
}

static void
remove_key(Oid target, const Datum *key, int n_keys)
{
	DistilOwnerState state = distil_become_owner(distil_relation_owner(target), false);
	int			result;

	SPI_connect();
	result = SPI_execute_snapshot(plan_for(target, n_keys), unconstify(Datum *, key), NULL,
								  GetLatestSnapshot(), InvalidSnapshot, false, true, 0);
	if (result != SPI_OK_DELETE)
		elog(ERROR, "SPI_execute_snapshot failed: %s", SPI_result_code_string(result));
	SPI_finish();
	distil_resign_owner(state);
}

void
distil_stale_remove(Relation rel, const DistilWatched *w, TupleTableSlot *row)
{
	Datum		key[INDEX_MAX_KEYS];

	for (int i = 0; i < w->columns.n_keys; i++)
	{
		bool		isnull;

		key[i] = slot_getattr(row, w->columns.keys[i], &isnull);
		if (isnull)
			return;
	}
	for (int i = 0; i < w->n_targets; i++)
		remove_key(w->targets[i], key, w->columns.n_keys);
}

void
distil_stale_remove_orphans(const DistilWatched *w)
{
	Relation	source = RelationIdGetRelation(w->source);
	DistilPipelineColumns columns;
	bool		found = distil_pipeline_columns(source, w->pipeline, &columns);

	RelationClose(source);
	for (int i = 0; found && i < w->n_targets; i++)
		distil_target_remove_orphans(w->targets[i], w->source, &columns);
}
