/*
 * capturefunc.c -- the triggers' function distilbert.pipeline_capture(name).
 *
 *	   AFTER INSERT, UPDATE or DELETE FOR EACH ROW; AFTER TRUNCATE
 *
 * It queues the key of the row, and, where an UPDATE changes it, the old one.
 * Of a synchronous pipeline the keys are taken by pipeline_sync (syncfunc.c) at
 * the statement's end; on a partitioned source, whose partitions may be written
 * by their own names, each is done at once.
 *
 * It does nothing where the relation is not the pipeline's source, or a
 * partition of it: then the trigger is not the pipeline's.
 */
#include "postgres.h"

#include "utils/rel.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/pipesync.h"
#include "pg/pipe/stale.h"
#include "pg/pipe/watched.h"

PG_FUNCTION_INFO_V1(distil_pipeline_capture);

static bool
same_key(Relation rel, const DistilWatched *w, TupleTableSlot *a, TupleTableSlot *b)
{
	for (int i = 0; i < w->columns.n_keys; i++)
	{
		if (!distil_same_value(rel, w->columns.keys[i], a, b))
			return false;
	}
	return true;
}

static void
queue_key(const DistilWatched *w, TupleTableSlot *row)
{
	distil_capture_key(w->pipeline, &w->columns, w->types, row, w->sync);
}

/* Is there anything to do: a text, or a value that should not be there? */
static bool
is_wanted(const DistilWatched *w, TupleTableSlot *row)
{
	if (!slot_attisnull(row, w->columns.text))
		return true;
	for (int i = 0; i < w->columns.n_values; i++)
	{
		if (!slot_attisnull(row, w->columns.values[i]))
			return true;
	}
	return false;
}

static void
row_updated(const TriggerData *t, const DistilWatched *w)
{
	bool		moved = !same_key(t->tg_relation, w, t->tg_trigslot, t->tg_newslot);

	if (moved && w->columns.n_values == 0)
		queue_key(w, t->tg_trigslot);
	queue_key(w, t->tg_newslot);
	if (w->remove_stale && w->n_targets > 0 &&
		(moved || !distil_same_value(t->tg_relation, w->columns.text, t->tg_trigslot,
									 t->tg_newslot)))
		distil_stale_remove(t->tg_relation, w, t->tg_trigslot);
}

static void
row_deleted(const TriggerData *t, const DistilWatched *w)
{
	queue_key(w, t->tg_trigslot);
	if (w->remove_stale && w->n_targets > 0)
		distil_stale_remove(t->tg_relation, w, t->tg_trigslot);
}

static void
check_event(const TriggerData *t)
{
	if (!TRIGGER_FIRED_AFTER(t->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("pipeline_capture must be fired AFTER")));
	if (TRIGGER_FIRED_FOR_STATEMENT(t->tg_event) && !TRIGGER_FIRED_BY_TRUNCATE(t->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("pipeline_capture must be fired FOR EACH ROW")));
}

Datum
distil_pipeline_capture(PG_FUNCTION_ARGS)
{
	const TriggerData *t = (TriggerData *) fcinfo->context;
	DistilWatched w;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "pipeline_capture")));
	check_event(t);
	w = *distil_watched(t);
	if (!w.acts || (w.sync && w.n_targets == 0))
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_BY_TRUNCATE(t->tg_event))
		distil_stale_remove_orphans(&w);
	else if (TRIGGER_FIRED_BY_UPDATE(t->tg_event))
		row_updated(t, &w);
	else if (TRIGGER_FIRED_BY_DELETE(t->tg_event))
		row_deleted(t, &w);
	else if (is_wanted(&w, t->tg_trigslot))
		queue_key(&w, t->tg_trigslot);
	if (w.each)
		distil_sync_keys(w.pipeline, distil_capture_take(w.pipeline));
	return PointerGetDatum(NULL);
}
