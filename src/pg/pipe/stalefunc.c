/*
 * stalefunc.c -- the triggers' function distilbert.pipeline_stale(name).
 *
 *	   BEFORE UPDATE FOR EACH ROW
 *
 * It sets the values of a pipeline whose target is a column to NULL when the
 * text has changed.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/rel.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/watched.h"

PG_FUNCTION_INFO_V1(distil_pipeline_stale);

static HeapTuple
without_values(const TriggerData *t, const DistilPipelineColumns *columns)
{
	int			numbers[DISTIL_MAX_GENERATIONS];
	Datum		values[DISTIL_MAX_GENERATIONS] = {0};
	bool		nulls[DISTIL_MAX_GENERATIONS];

	for (int i = 0; i < columns->n_values; i++)
	{
		numbers[i] = columns->values[i];
		nulls[i] = true;
	}
	return heap_modify_tuple_by_cols(t->tg_newtuple, RelationGetDescr(t->tg_relation),
									 columns->n_values, numbers, values, nulls);
}

Datum
distil_pipeline_stale(PG_FUNCTION_ARGS)
{
	const TriggerData *t = (TriggerData *) fcinfo->context;
	DistilWatched w;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(t->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(t->tg_event) || !TRIGGER_FIRED_BY_UPDATE(t->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("pipeline_stale must be fired BEFORE UPDATE FOR EACH ROW")));
	w = *distil_watched(t);
	if (!w.acts || w.columns.n_values == 0 ||
		distil_same_value(t->tg_relation, w.columns.text, t->tg_trigslot, t->tg_newslot))
		return PointerGetDatum(t->tg_newtuple);
	return PointerGetDatum(without_values(t, &w.columns));
}
