/*
 * batchscan_walk.c -- see batchscan_walk.h.
 *
 * PostgreSQL has a walker for expressions but none for plans.  A node that is
 * not listed here may keep expressions that we do not know, and do anything;
 * the visitor is told so.  README.md lists all nodes.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"

#include "pg/scan/batchscan_node.h"
#include "pg/scan/batchscan_walk.h"

/* ---- expressions of nodes ---- */

#define ADD(expr) (exprs = lappend(exprs, (void *) (expr)))

/* PostgreSQL's own methods fail for their arguments only. */
static DistilNodeCode
code_of_sample(const TableSampleClause *sample)
{
	ListCell   *lc;

	if (sample->tsmhandler >= FirstNormalObjectId)
		return DISTIL_CODE_FOREIGN;
	foreach(lc, sample->args)
	{
		if (!IsA(lfirst(lc), Const))
			return DISTIL_CODE_RAISES;
	}
	return DISTIL_CODE_PLAIN;
}

/* Scans of what others keep, or of others' code. */
static List *
of_foreign_scan(Plan *plan, List *exprs, DistilNodeCode *code)
{
	switch (nodeTag(plan))
	{
		case T_SampleScan:
			ADD(((SampleScan *) plan)->tablesample->args);
			ADD(((SampleScan *) plan)->tablesample->repeatable);
			*code = code_of_sample(((SampleScan *) plan)->tablesample);
			break;
		case T_TableFuncScan:
			ADD(((TableFuncScan *) plan)->tablefunc);
			*code = DISTIL_CODE_RAISES;
			break;
		case T_ForeignScan:
			ADD(((ForeignScan *) plan)->fdw_exprs);
			ADD(((ForeignScan *) plan)->fdw_recheck_quals);
			*code = DISTIL_CODE_FOREIGN;
			break;
		case T_CustomScan:
			ADD(((CustomScan *) plan)->custom_exprs);
			ADD(((CustomScan *) plan)->custom_scan_tlist);
			*code = distil_is_scan(plan) ? DISTIL_CODE_PLAIN : DISTIL_CODE_FOREIGN;
			break;
		default:
			*code = DISTIL_CODE_UNKNOWN;
			break;
	}
	return exprs;
}

/* Scans, whose expressions join exprs. */
static List *
of_scan(Plan *plan, List *exprs, DistilNodeCode *code)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SubqueryScan:
		case T_CteScan:
		case T_NamedTuplestoreScan:
		case T_WorkTableScan:
			break;
		case T_IndexScan:
			ADD(((IndexScan *) plan)->indexqual);
			ADD(((IndexScan *) plan)->indexqualorig);
			ADD(((IndexScan *) plan)->indexorderby);
			ADD(((IndexScan *) plan)->indexorderbyorig);
			break;
		case T_IndexOnlyScan:
			ADD(((IndexOnlyScan *) plan)->indexqual);
			ADD(((IndexOnlyScan *) plan)->recheckqual);
			ADD(((IndexOnlyScan *) plan)->indexorderby);
			break;
		case T_BitmapIndexScan:
			ADD(((BitmapIndexScan *) plan)->indexqual);
			ADD(((BitmapIndexScan *) plan)->indexqualorig);
			break;
		case T_BitmapHeapScan:
			ADD(((BitmapHeapScan *) plan)->bitmapqualorig);
			break;
		case T_TidScan:
			ADD(((TidScan *) plan)->tidquals);
			break;
		case T_TidRangeScan:
			ADD(((TidRangeScan *) plan)->tidrangequals);
			break;
		case T_ValuesScan:
			ADD(((ValuesScan *) plan)->values_lists);
			break;
		case T_FunctionScan:
			ADD(((FunctionScan *) plan)->functions);
			break;
		default:
			return of_foreign_scan(plan, exprs, code);
	}
	return exprs;
}

static List *
of_join(Plan *plan, List *exprs)
{
	ADD(((Join *) plan)->joinqual);
	if (IsA(plan, MergeJoin))
		ADD(((MergeJoin *) plan)->mergeclauses);
	if (IsA(plan, HashJoin))
		ADD(((HashJoin *) plan)->hashclauses);
	return exprs;
}

/* Keys, and how they are compared. */
static List *
of_memoize(Memoize *memoize, List *exprs)
{
	ListCell   *lc;

	foreach(lc, memoize->param_exprs)
	{
		int			i = foreach_current_index(lc);

		ADD(make_opclause(memoize->hashOperators[i], BOOLOID, false, lfirst(lc), lfirst(lc),
						  InvalidOid, memoize->collations[i]));
	}
	return exprs;
}

/* Its triggers may do anything. */
static List *
of_modify(ModifyTable *modify, List *exprs, DistilNodeCode *code)
{
	ADD(modify->withCheckOptionLists);
	ADD(modify->returningLists);
	ADD(modify->onConflictSet);
	ADD(modify->onConflictWhere);
	ADD(modify->mergeActionLists);
	*code = DISTIL_CODE_UNKNOWN;
	return exprs;
}

/* Nodes that neither scan nor join; all others are taken for scans. */
static List *
of_upper(Plan *plan, List *exprs, DistilNodeCode *code)
{
	switch (nodeTag(plan))
	{
		case T_Result:
			ADD(((Result *) plan)->resconstantqual);
			return exprs;
		case T_WindowAgg:
			ADD(((WindowAgg *) plan)->runCondition);
			return exprs;
		case T_Memoize:
			return of_memoize((Memoize *) plan, exprs);
		case T_ModifyTable:
			return of_modify((ModifyTable *) plan, exprs, code);
		case T_LockRows:
			*code = DISTIL_CODE_UNKNOWN;	/* others see locks */
			return exprs;
		case T_Append:
		case T_MergeAppend:
		case T_BitmapAnd:
		case T_BitmapOr:
		case T_Agg:
		case T_Group:
		case T_Gather:
		case T_GatherMerge:
		case T_Hash:
		case T_IncrementalSort:
		case T_Limit:
		case T_Material:
		case T_ProjectSet:
		case T_RecursiveUnion:
		case T_SetOp:
		case T_Sort:
		case T_Unique:
			return exprs;
		default:
			return of_scan(plan, exprs, code);
	}
}

/* All expressions of a node, unless its code is unknown. */
static List *
expressions_of(Plan *plan, DistilNodeCode *code)
{
	List	   *exprs = list_make3(plan->targetlist, plan->qual, plan->initPlan);

	*code = DISTIL_CODE_PLAIN;
	if (IsA(plan, NestLoop) || IsA(plan, MergeJoin) || IsA(plan, HashJoin))
		return of_join(plan, exprs);
	return of_upper(plan, exprs, code);
}

#undef ADD

/* ---- the walk ---- */

typedef struct Walker
{
	PlannedStmt *stmt;
	DistilPlanVisitor visit;
	void	   *ctx;
	Bitmapset  *entered;		/* subplans; a CTE may be used many times */
} Walker;

static bool walk_plan(Walker *w, Plan *plan);

static bool
walk_subplan(Walker *w, int plan_id)
{
	if (bms_is_member(plan_id, w->entered))
		return true;
	w->entered = bms_add_member(w->entered, plan_id);
	return walk_plan(w, list_nth(w->stmt->subplans, plan_id - 1));
}

/* True when it stops. */
static bool
walk_called_subplans(Node *node, void *ctx)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubPlan) && !walk_subplan(ctx, ((SubPlan *) node)->plan_id))
		return true;
	return expression_tree_walker(node, walk_called_subplans, ctx);
}

static List *
children_of(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Append:
			return ((Append *) plan)->appendplans;
		case T_MergeAppend:
			return ((MergeAppend *) plan)->mergeplans;
		case T_BitmapAnd:
			return ((BitmapAnd *) plan)->bitmapplans;
		case T_BitmapOr:
			return ((BitmapOr *) plan)->bitmapplans;
		case T_SubqueryScan:
			return list_make1(((SubqueryScan *) plan)->subplan);
		case T_CustomScan:
			return ((CustomScan *) plan)->custom_plans;
		default:
			return NIL;
	}
}

static bool
walk_children(Walker *w, Plan *plan)
{
	ListCell   *lc;

	foreach(lc, children_of(plan))
	{
		if (!walk_plan(w, lfirst(lc)))
			return false;
	}
	if (IsA(plan, CteScan) && !walk_subplan(w, ((CteScan *) plan)->ctePlanId))
		return false;
	return walk_plan(w, plan->lefttree) && walk_plan(w, plan->righttree);
}

/* False when it was stopped. */
static bool
walk_plan(Walker *w, Plan *plan)
{
	DistilNodeCode code;
	List	   *exprs;
	DistilWalk	how;

	if (plan == NULL)
		return true;
	check_stack_depth();
	exprs = expressions_of(plan, &code);
	how = w->visit(plan, exprs, code, w->ctx);
	if (how != DISTIL_WALK_ON)
		return how == DISTIL_WALK_SKIP;
	return !walk_called_subplans((Node *) exprs, w) && walk_children(w, plan);
}

void
distil_plan_walk(PlannedStmt *stmt, Plan *plan, DistilPlanVisitor visit, void *ctx)
{
	Walker		w = {.stmt = stmt,.visit = visit,.ctx = ctx};

	(void) walk_plan(&w, plan);
}
