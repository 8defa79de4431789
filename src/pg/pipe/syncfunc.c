/*
 * syncfunc.c -- the triggers' function distilbert.pipeline_sync(name).
 *
 *	   BEFORE INSERT OR UPDATE FOR EACH ROW, where the target is a column
 *			sets its value, when the text is new
 *	   AFTER INSERT OR UPDATE OR DELETE FOR EACH STATEMENT, where it is a table
 *			does the keys that the triggers for rows have noted
 *
 * What fails is the writer's error: a row is there with its value, or not at
 * all.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/capture.h"
#include "pg/pipe/generation.h"
#include "pg/pipe/pipecompute.h"
#include "pg/pipe/pipesync.h"
#include "pg/pipe/watched.h"

PG_FUNCTION_INFO_V1(distil_pipeline_sync);

/* A generation's model, and how its answers become the column's values. */
typedef struct SyncColumn
{
	FmgrInfo	call;			/* pins the model */
	DistilModel *model;
	ExprState  *cast;
} SyncColumn;

/* Kept by the trigger's call site for a query, unless something changes. */
typedef struct SyncSite
{
	uint64		changes;		/* when it was made */
	MemoryContext context;		/* of what follows */
	ExprContext *expression;
	DistilPipeline *pipeline;
	SyncColumn	columns[DISTIL_MAX_GENERATIONS];
} SyncSite;

/* ---- what a call site knows ---- */

/* The cast of an assignment, of whatever is put in its place. */
static ExprState *
make_cast(Oid from, Form_pg_attribute att)
{
	CaseTestExpr *place = makeNode(CaseTestExpr);
	Node	   *cast;

	place->typeId = from;
	place->typeMod = -1;
	place->collation = get_typcollation(from);
	cast = coerce_to_target_type(NULL, (Node *) place, from, att->atttypid, att->atttypmod,
								 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (cast == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" cannot hold values of type %u", NameStr(att->attname),
						from)));
	return ExecInitExpr(expression_planner((Expr *) cast), NULL);
}

static void
fill_site(SyncSite *site, const TriggerData *t, const DistilWatched *w)
{
	DistilPipeline *p = distil_pipeline_get(w->pipeline);

	site->pipeline = p;
	site->expression = CreateStandaloneExprContext();
	for (int i = 0; i < Min(p->n_generations, w->columns.n_values); i++)
	{
		SyncColumn *c = &site->columns[i];

		c->call.fn_mcxt = site->context;
		c->model = distil_generation_model(&c->call, p, &p->generations[i]);
		c->cast = make_cast(p->task->task->type,
							TupleDescAttr(RelationGetDescr(t->tg_relation),
										  w->columns.values[i] - 1));
	}
}

static SyncSite *
call_site(FmgrInfo *flinfo, const TriggerData *t, const DistilWatched *w)
{
	SyncSite   *site = flinfo->fn_extra;
	uint64		changes = distil_watched_changes();
	MemoryContext old;

	if (site != NULL && site->changes == changes)
		return site;
	if (site == NULL)
		flinfo->fn_extra = site = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(SyncSite));
	if (site->context != NULL)
		MemoryContextDelete(site->context);
	memset(site, 0, sizeof(*site));
	site->context =
		AllocSetContextCreate(flinfo->fn_mcxt, "distilbert sync", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(site->context);
	fill_site(site, t, w);
	MemoryContextSwitchTo(old);
	site->changes = changes;
	return site;
}

/* ---- a column ---- */

/* The value of a text by generation i, as the column holds it. */
static Datum
value_of(SyncSite *site, int i, Datum text, bool *isnull)
{
	const DistilPipeline *p = site->pipeline;
	SyncColumn *c = &site->columns[i];
	DistilAnswer answer;

	distil_pipe_compute(p->task, c->model, p->generations[i].options, &text, 1, &answer);
	if (answer.error != NULL)
		ReThrowError(answer.error);
	ResetExprContext(site->expression);
	site->expression->caseValue_datum = answer.n > 0 ? answer.rows[0][DISTIL_VALUE].value : 0;
	site->expression->caseValue_isNull = answer.n == 0 || answer.rows[0][DISTIL_VALUE].isnull;
	return ExecEvalExpr(c->cast, site->expression, isnull);
}

/* The row with its values: NULL where there is no text. */
static HeapTuple
with_values(FmgrInfo *flinfo, const TriggerData *t, const DistilWatched *w, HeapTuple row,
			TupleTableSlot *slot)
{
	int			numbers[DISTIL_MAX_GENERATIONS];
	Datum		values[DISTIL_MAX_GENERATIONS] = {0};
	bool		nulls[DISTIL_MAX_GENERATIONS];
	bool		no_text;
	Datum		text = slot_getattr(slot, w->columns.text, &no_text);
	SyncSite   *site = no_text ? NULL : call_site(flinfo, t, w);

	for (int i = 0; i < w->columns.n_values; i++)
	{
		numbers[i] = w->columns.values[i];
		nulls[i] = true;
		if (!no_text)
			values[i] = value_of(site, i, text, &nulls[i]);
	}
	return heap_modify_tuple_by_cols(row, RelationGetDescr(t->tg_relation), w->columns.n_values,
									 numbers, values, nulls);
}

static HeapTuple
sync_row(FmgrInfo *flinfo, const TriggerData *t, const DistilWatched *w)
{
	bool		update = TRIGGER_FIRED_BY_UPDATE(t->tg_event);
	HeapTuple	row = update ? t->tg_newtuple : t->tg_trigtuple;

	if (!w->acts || w->n_targets > 0 ||
		(update && distil_same_value(t->tg_relation, w->columns.text, t->tg_trigslot,
									 t->tg_newslot)))
		return row;
	return with_values(flinfo, t, w, row, update ? t->tg_newslot : t->tg_trigslot);
}

/* ---- the function ---- */

static void
check_call(FunctionCallInfo fcinfo)
{
	const TriggerData *t = (const TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		(TRIGGER_FIRED_FOR_ROW(t->tg_event)
		 ? !TRIGGER_FIRED_BEFORE(t->tg_event) || TRIGGER_FIRED_BY_DELETE(t->tg_event)
		 : !TRIGGER_FIRED_AFTER(t->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("pipeline_sync must be fired BEFORE INSERT OR UPDATE FOR EACH ROW, "
						"or AFTER a statement")));
}

Datum
distil_pipeline_sync(PG_FUNCTION_ARGS)
{
	const TriggerData *t = (const TriggerData *) fcinfo->context;
	DistilWatched w;

	check_call(fcinfo);
	w = *distil_watched(t);
	if (TRIGGER_FIRED_FOR_ROW(t->tg_event))
		return PointerGetDatum(sync_row(fcinfo->flinfo, t, &w));
	if (w.acts && w.n_targets > 0)
		distil_sync_keys(w.pipeline, distil_capture_take(w.pipeline));
	return PointerGetDatum(NULL);
}
