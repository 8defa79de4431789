/*
 * batchscan_exec.c -- the batch node at work.
 *
 *		FILL		read rows from the child, up to the target, and evaluate
 *		  |			their texts
 *		COMPUTE		texts through models
 *		  |
 *		PASS ON		one row per call, in order: condition, projection
 *		  |
 *		  +--> no rows left: the target doubles, and FILL again; when the child
 *			   is at its end, so are we
 *
 * The target begins with 1 and doubles until a window's texts fill a batch
 * (distilbert.batch_tokens).  So whoever stops early has paid for less than
 * twice the rows that were taken.  work_mem bounds what a window holds.
 *
 * Errors come for rows that are asked for, never before: what fails while a
 * window is computed is put off and tried again, alone, when the row is passed
 * on.  A batch node that reads ahead from another one tells it so (early).
 * When that one comes to a row that was put off, it stops (paused) until it is
 * asked for the row.
 *
 * Going backwards (FETCH PRIOR) gives up windows: the child is brought back to
 * the row passed on last, and from then on read row by row either way.
 *
 * Memory: rows, texts and answers of a window in state->window, reset when the
 * next one begins; the rest with the query.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pg/bridge/compat.h"
#include "pg/run/modelmemory.h"
#include "pg/scan/batchscan_counts.h"
#include "pg/scan/batchscan_exec.h"
#include "pg/scan/batchscan_explain.h"
#include "pg/scan/batchscan_runs.h"
#include "pg/scan/batchscan_window.h"

/* More rows make no better batch. */
#define MAX_WINDOW_ROWS 8192

/* A guess: English has four to five. */
#define BYTES_PER_TOKEN 6

static Node *create_state(CustomScan *scan);
static void begin(CustomScanState *css, EState *estate, int eflags);
static TupleTableSlot *next_row(CustomScanState *css);
static void end(CustomScanState *css);
static void rescan(CustomScanState *css);

const CustomScanMethods distil_scan_methods = {
	.CustomName = distil_scan_name,
	.CreateCustomScanState = create_state
};

static const CustomExecMethods exec_methods = {
	.CustomName = distil_scan_name,
	.BeginCustomScan = begin,
	.ExecCustomScan = next_row,
	.EndCustomScan = end,
	.ReScanCustomScan = rescan,
	.EstimateDSMCustomScan = distil_scan_estimate_dsm,
	.InitializeDSMCustomScan = distil_scan_initialize_dsm,
	.ReInitializeDSMCustomScan = distil_scan_reinitialize_dsm,
	.InitializeWorkerCustomScan = distil_scan_initialize_worker,
	.ShutdownCustomScan = distil_scan_shut_down,
	.ExplainCustomScan = distil_scan_explain
};

/* ---- beginning and end ---- */

static Node *
create_state(CustomScan *scan)
{
	DistilScanState *state;

	state = (DistilScanState *) newNode(sizeof(DistilScanState), T_CustomScanState);
	state->css.methods = &exec_methods;
	return (Node *) state;
}

/* The state as one of ours, or NULL. */
static DistilScanState *
scan_state(PlanState *ps)
{
	if (ps == NULL || !IsA(ps, CustomScanState) ||
		((CustomScanState *) ps)->methods != &exec_methods)
		return NULL;
	return (DistilScanState *) ps;
}

/* As ExecInitFunc does. */
static void
check_privilege(Oid funcid)
{
	AclResult	result = object_aclcheck(ProcedureRelationId, funcid, GetUserId(), ACL_EXECUTE);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(funcid));
	InvokeFunctionExecuteHook(funcid);
}

static void
begin_call(DistilScanState *state, DistilCall *call, FuncExpr *expr)
{
	PlanState  *ps = &state->css.ss.ps;

	check_privilege(expr->funcid);
	fmgr_info_cxt(expr->funcid, &call->flinfo, ps->state->es_query_cxt);
	fmgr_info_set_expr((Node *) expr, &call->flinfo);
	call->task = distil_task_of(expr->funcid);
	if (call->task == NULL)
		elog(ERROR, "function %u cannot be batched", expr->funcid);
	call->collation = expr->inputcollid;
	call->n_args = list_length(expr->args);
	call->model_arg = distil_task_model_arg(call->task, call->n_args);
	for (int i = 0; i < call->n_args; i++)
		call->args[i] = ExecInitExpr(list_nth(expr->args, i), ps);
}

static bool
same_texts(FuncExpr *a, FuncExpr *b)
{
	int			texts = distil_task_texts(distil_task_of(a->funcid));

	if (distil_task_texts(distil_task_of(b->funcid)) != texts)
		return false;
	for (int i = 0; i < texts; i++)
	{
		if (!equal(list_nth(a->args, i), list_nth(b->args, i)))
			return false;
	}
	return true;
}

/* Texts are evaluated over the window's rows. */
static void
begin_calls(DistilScanState *state)
{
	CustomScan *plan = (CustomScan *) state->css.ss.ps.plan;
	List	   *exprs = distil_scan_calls(plan);
	PlanState  *ps = &state->css.ss.ps;

	ps->outerops = &TTSOpsMinimalTuple;
	ps->outeropsset = true;
	ps->outeropsfixed = true;

	state->n_calls = list_length(exprs);
	state->calls = palloc0_array(DistilCall, state->n_calls);
	for (int i = 0; i < state->n_calls; i++)
	{
		FuncExpr   *expr = list_nth_node(FuncExpr, exprs, i);
		DistilCall *call = &state->calls[i];

		begin_call(state, call, expr);
		call->same_texts = i;
		for (int j = i - 1; j >= 0; j--)
		{
			if (same_texts(list_nth_node(FuncExpr, exprs, j), expr))
				call->same_texts = j;
		}
	}
}

/*
 * The scan of a table whose row every row of ps is, so that a cursor over us
 * can be used in WHERE CURRENT OF.
 */
static ScanState *
find_scan(PlanState *ps)
{
	while (ps != NULL && (IsA(ps, LimitState) || IsA(ps, ResultState)))
		ps = outerPlanState(ps);
	if (ps == NULL)
		return NULL;
	switch (nodeTag(ps))
	{
		case T_SeqScanState:
		case T_SampleScanState:
		case T_IndexScanState:
		case T_BitmapHeapScanState:
		case T_TidScanState:
		case T_TidRangeScanState:
			return (ScanState *) ps;
		case T_CustomScanState:
			return scan_state(ps) != NULL && ((ScanState *) ps)->ss_currentRelation != NULL ?
				(ScanState *) ps : NULL;
		default:
			return NULL;
	}
}

static void
begin(CustomScanState *css, EState *estate, int eflags)
{
	DistilScanState *state = (DistilScanState *) css;
	CustomScan *plan = (CustomScan *) css->ss.ps.plan;
	PlanState  *child = ExecInitNode(outerPlan(plan), estate, eflags & ~EXEC_FLAG_MARK);

	outerPlanState(css) = child;
	state->n_inputs = list_length(outerPlan(plan)->targetlist);
	state->ahead = distil_scan_ahead(plan);
	state->enabled = distil_guc_enable_batching;
	begin_calls(state);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	state->row = ExecInitExtraTupleSlot(estate, ExecGetResultType(child), &TTSOpsMinimalTuple);
	state->window = AllocSetContextCreate(estate->es_query_cxt, "distilbert window",
										  ALLOCSET_DEFAULT_SIZES);
	state->scan = find_scan(child);
	if (state->scan != NULL)
		css->ss.ss_currentRelation = state->scan->ss_currentRelation;
	state->target = 1;
}

static void
end(CustomScanState *css)
{
	ExecEndNode(outerPlanState(css));
}

static void
forget_window(DistilScanState *state)
{
	ExecClearTuple(state->row);
	ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
	MemoryContextReset(state->window);
	state->count = state->next = 0;
	state->bytes = state->text_bytes = 0;
}

static void
rescan(CustomScanState *css)
{
	DistilScanState *state = (DistilScanState *) css;
	PlanState  *child = outerPlanState(css);

	forget_window(state);
	state->target = 1;
	state->started = state->done = state->ended = state->by_row = state->paused = false;
	if (child->chgParam == NULL)
		ExecReScan(child);
}

/* ---- filling a window ---- */

static void
enlarge(DistilScanState *state)
{
	MemoryContext context = state->css.ss.ps.state->es_query_cxt;
	int			capacity = Max(state->capacity * 2, 8);

#define ENLARGE(array) \
	((array) = (array) == NULL ? MemoryContextAllocZero(context, capacity * sizeof(*(array))) : \
	 repalloc((array), capacity * sizeof(*(array))))
	ENLARGE(state->tuples);
	if (state->scan != NULL)
	{
		ENLARGE(state->tids);
		ENLARGE(state->tableoids);
	}
	for (int i = 0; i < state->n_calls; i++)
		ENLARGE(state->calls[i].cells);
#undef ENLARGE
	state->capacity = capacity;
}

static void
keep_row(DistilScanState *state, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(state->window);
	int			i = state->count;

	if (i == state->capacity)
		enlarge(state);
	state->tuples[i] = ExecCopySlotMinimalTuple(slot);
	state->bytes += state->tuples[i]->t_len;
	if (state->scan != NULL)
	{
		state->tids[i] = state->scan->ss_ScanTupleSlot->tts_tid;
		state->tableoids[i] = state->scan->ss_ScanTupleSlot->tts_tableOid;
	}
	ExecStoreMinimalTuple(state->tuples[i], state->row, false);
	distil_window_take_texts(state, i);
	state->count++;
	MemoryContextSwitchTo(old);
}

static bool
is_full(const DistilScanState *state)
{
	return state->count >= state->target ||
		state->bytes + state->text_bytes >= work_mem * (Size) 1024 ||
		state->text_bytes >= (Size) distil_guc_batch_tokens * BYTES_PER_TOKEN;
}

static int
window_rows(const DistilScanState *state)
{
	if (state->by_row || !state->enabled || state->ahead == DISTIL_AHEAD_NEVER)
		return 1;
	if (state->ahead == DISTIL_AHEAD_RUN && !IsParallelWorker() &&
		!distil_runs_to_end(state->css.ss.ps.state))
		return 1;
	return state->target;
}

/* A child of ours hears whether the row is asked for. */
static TupleTableSlot *
fetch(DistilScanState *state)
{
	PlanState  *ps = outerPlanState(state);
	DistilScanState *child = scan_state(ps);

	state->started = true;
	if (child != NULL)
		child->early = state->early || state->count > 0;
	return ExecProcNode(ps);
}

static bool
child_paused(DistilScanState *state)
{
	DistilScanState *child = scan_state(outerPlanState(state));

	return child != NULL && child->paused;
}

/* Texts that fill a batch are enough; a window of fewer may be larger. */
static void
choose_next_target(DistilScanState *state)
{
	if (state->count >= state->target && state->window_tokens < distil_guc_batch_tokens)
		state->target = Min(state->target * 2, MAX_WINDOW_ROWS);
	else if (state->window_tokens > 2 * (int64) distil_guc_batch_tokens)
		state->target = Max(state->target / 2, 1);
}

static void
fill(DistilScanState *state)
{
	int			rows = window_rows(state);
	bool		paused = false;

	forget_window(state);
	state->window_tokens = 0;
	while (state->count == 0 || (state->count < rows && !is_full(state)))
	{
		TupleTableSlot *slot = fetch(state);

		if (TupIsNull(slot))
		{
			paused = child_paused(state);
			state->done = !paused;
			break;
		}
		keep_row(state, slot);
	}
	state->paused = paused && state->count == 0;
	if (state->count == 0)
		return;
	distil_window_compute(state, !state->early);
	choose_next_target(state);
}

/* ---- passing rows on ---- */

/* Is there an answer of this row that may not be computed yet? */
static bool
must_wait(const DistilScanState *state, int row)
{
	for (int i = 0; i < state->n_calls && state->early; i++)
	{
		if (state->calls[i].cells[row].state == DISTIL_CELL_LATER)
			return true;
	}
	return false;
}

static Datum
answer_of(DistilScanState *state, DistilCall *call, int row, bool *isnull)
{
	DistilCell *cell = &call->cells[row];
	MemoryContext old;
	Datum		answer;

	*isnull = cell->state == DISTIL_CELL_NULL;
	if (cell->state != DISTIL_CELL_LATER)
		return *isnull ? (Datum) 0 : cell->answer;
	old = MemoryContextSwitchTo(state->window);
	answer = distil_call_now(state, call, cell, isnull);
	MemoryContextSwitchTo(old);
	return answer;
}

/* The child's columns and the answers become the scan tuple. */
static void
set_scan_tuple(DistilScanState *state, int row)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	int			n = state->n_inputs;

	ExecStoreMinimalTuple(state->tuples[row], state->row, false);
	slot_getallattrs(state->row);

	ExecClearTuple(slot);
	memcpy(slot->tts_values, state->row->tts_values, n * sizeof(Datum));
	memcpy(slot->tts_isnull, state->row->tts_isnull, n * sizeof(bool));
	for (int i = 0; i < state->n_calls; i++)
		slot->tts_values[n + i] = answer_of(state, &state->calls[i], row, &slot->tts_isnull[n + i]);
	ExecStoreVirtualTuple(slot);
	if (state->scan != NULL)
	{
		slot->tts_tid = state->tids[row];
		slot->tts_tableOid = state->tableoids[row];
	}
}

/* The next row of the window, projected; NULL if it does not pass. */
static TupleTableSlot *
pass_on(DistilScanState *state)
{
	PlanState  *ps = &state->css.ss.ps;
	ExprContext *econtext = ps->ps_ExprContext;

	set_scan_tuple(state, state->next++);
	econtext->ecxt_scantuple = state->css.ss.ss_ScanTupleSlot;
	if (!ExecQual(ps->qual, econtext))
	{
		InstrCountFiltered1(ps, 1);
		return NULL;
	}
	return ps->ps_ProjInfo != NULL ? ExecProject(ps->ps_ProjInfo) : econtext->ecxt_scantuple;
}

static TupleTableSlot *
no_row(DistilScanState *state)
{
	ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
	if (state->css.ss.ps.ps_ProjInfo != NULL)
		return ExecClearTuple(state->css.ss.ps.ps_ResultTupleSlot);
	return state->css.ss.ss_ScanTupleSlot;
}

/* ---- backwards ---- */

/* Bring the child back to the row that was passed on last. */
static void
give_back_rows(DistilScanState *state)
{
	DistilScanState *child = scan_state(outerPlanState(state));
	int			rows = 0;

	if (child != NULL)
		child->early = false;
	if (state->started && !state->ended)
		rows = state->count - state->next + (state->done ? 1 : 0);
	while (rows-- > 0)
		(void) ExecProcNode(outerPlanState(state));
	state->by_row = true;
	state->done = false;
	state->next = state->count;
}

/* ---- the node ---- */

static TupleTableSlot *
next_row(CustomScanState *css)
{
	DistilScanState *state = (DistilScanState *) css;
	TupleTableSlot *slot;

	if (ScanDirectionIsBackward(css->ss.ps.state->es_direction) && !state->by_row)
		give_back_rows(state);
	state->paused = false;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		ResetExprContext(css->ss.ps.ps_ExprContext);
		if (state->next == state->count)
		{
			if (state->done && !state->by_row)
				break;
			fill(state);
			if (state->count == 0)
				break;
		}
		if (must_wait(state, state->next))
		{
			state->paused = true;
			return no_row(state);
		}
		if ((slot = pass_on(state)) != NULL)
			return slot;
	}
	state->ended = !state->paused;
	return no_row(state);
}
