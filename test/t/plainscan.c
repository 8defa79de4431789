/*
 * plainscan.c -- another extension's scan: Custom Scan (PlainScan) reads tables
 * whose names begin with "plain".
 */
#include "postgres.h"

#include "access/tableam.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "nodes/extensible.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

typedef struct PlainState
{
	CustomScanState css;
	TableScanDesc scan;
	TupleTableSlot *slot;
} PlainState;

static TupleTableSlot *
next_tuple(ScanState *ss)
{
	PlainState *state = (PlainState *) ss;

	if (!table_scan_getnextslot(state->scan, ForwardScanDirection, state->slot))
		return ExecClearTuple(ss->ss_ScanTupleSlot);
	return ExecCopySlot(ss->ss_ScanTupleSlot, state->slot);
}

static bool
recheck(ScanState *ss, TupleTableSlot *slot)
{
	return true;
}

static void
begin_scan(CustomScanState *css, EState *estate, int eflags)
{
	PlainState *state = (PlainState *) css;
	Relation	rel = css->ss.ss_currentRelation;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	state->scan = table_beginscan(rel, estate->es_snapshot, 0, NULL);
	state->slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), table_slot_callbacks(rel));
}

static TupleTableSlot *
next_row(CustomScanState *css)
{
	return ExecScan(&css->ss, next_tuple, recheck);
}

static void
end_scan(CustomScanState *css)
{
	PlainState *state = (PlainState *) css;

	if (state->scan == NULL)
		return;
	ExecDropSingleTupleTableSlot(state->slot);
	table_endscan(state->scan);
}

static void
scan_again(CustomScanState *css)
{
	table_rescan(((PlainState *) css)->scan, NULL);
	ExecScanReScan(&css->ss);
}

static const CustomExecMethods exec_methods = {
	.CustomName = "PlainScan",
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = next_row,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = scan_again
};

static Node *
create_state(CustomScan *scan)
{
	PlainState *state = (PlainState *) newNode(sizeof(PlainState), T_CustomScanState);

	state->css.methods = &exec_methods;
	return (Node *) state;
}

static const CustomScanMethods scan_methods = {
	.CustomName = "PlainScan",
	.CreateCustomScanState = create_state
};

static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
		  List *custom_plans)
{
	CustomScan *scan = makeNode(CustomScan);

	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = extract_actual_clauses(clauses, false);
	scan->scan.scanrelid = rel->relid;
	scan->flags = path->flags;
	scan->methods = &scan_methods;
	return &scan->scan.plan;
}

static const CustomPathMethods path_methods = {
	.CustomName = "PlainScan",
	.PlanCustomPath = make_plan
};

static void
add_plain_path(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	CustomPath *path;

	if (rte->rtekind != RTE_RELATION || strncmp(get_rel_name(rte->relid), "plain", 5) != 0)
		return;
	path = makeNode(CustomPath);
	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.rows = rel->rows;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->methods = &path_methods;
	rel->pathlist = rel->partial_pathlist = NIL;
	add_path(rel, &path->path);
}

void
_PG_init(void)
{
	set_rel_pathlist_hook = add_plain_path;
}
