/*
 * batchscan_node.c -- see batchscan_node.h.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "utils/guc.h"

#include "pg/scan/batchscan_node.h"

const char	distil_scan_name[] = "DistilBatch";

bool		distil_guc_enable_batching;

/*
 * Workers find the methods by name, so theirs have our string, too.  Another
 * extension's node may be called the same, but its string is another one.
 */
bool
distil_is_scan(const Plan *plan)
{
	return plan != NULL && IsA(plan, CustomScan) &&
		((const CustomScan *) plan)->methods->CustomName == distil_scan_name;
}

void
distil_scan_set_ahead(CustomScan *scan, DistilAhead ahead)
{
	scan->custom_private = list_make1(makeInteger(ahead));
}

DistilAhead
distil_scan_ahead(const CustomScan *scan)
{
	return (DistilAhead) intVal(linitial(scan->custom_private));
}

List *
distil_scan_calls(const CustomScan *scan)
{
	int			first = list_length(outerPlan(scan)->targetlist);
	List	   *calls = NIL;

	for (int i = first; i < list_length(scan->custom_scan_tlist); i++)
		calls = lappend(calls, list_nth_node(TargetEntry, scan->custom_scan_tlist, i)->expr);
	return calls;
}

void
distil_scan_add_call(CustomScan *scan, FuncExpr *call)
{
	int			number = list_length(scan->custom_scan_tlist) + 1;
	TargetEntry *column = makeTargetEntry((Expr *) call, number, NULL, false);

	scan->custom_scan_tlist = lappend(scan->custom_scan_tlist, column);
}

void
distil_scan_define_setting(void)
{
	DefineCustomBoolVariable("distilbert.enable_batching",
							 "Computes calls of model functions for many rows at a time.",
							 "Results are the same either way.",
							 &distil_guc_enable_batching, true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
}
