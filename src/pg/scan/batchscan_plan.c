/*
 * batchscan_plan.c -- the finished plan, rewritten from its leaves up.
 *
 * Nodes that compute expressions are split (batchscan_split.c).  Nodes that
 * decide how many rows are read say so to those below:
 *
 *		Sort, Hash, Agg (plain, hashed), ModifyTable	all, before the first
 *		Append, Result, joins' outer side, ...			as many as of themselves
 *		Limit, semi-joins' inner side, merge joins, ...	rows read: unknown
 *
 * and a batch node without conditions under a Limit changes places with it,
 *
 * 		Limit							Custom Scan (DistilBatch)
 * 		-> Custom Scan (DistilBatch)	-> Limit
 * 			-> Sort							-> Sort
 *
 * so that it sees no row too many, and a sort knows how many rows will do.
 *
 * What is not known here is left as it is: what is below other extensions'
 * nodes; inputs of merge joins that have to mark and restore; ModifyTable's own
 * expressions.
 */
#include "postgres.h"

#include "jit/jit.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"

#include "pg/scan/batchscan_append.h"
#include "pg/scan/batchscan_arguments.h"
#include "pg/scan/batchscan_plan.h"
#include "pg/scan/batchscan_reads.h"
#include "pg/scan/batchscan_split.h"
#include "pg/scan/batchscan_walk.h"

static Plan *rewrite_plan(DistilRewrite *r, Plan *plan, DistilPlace at);

/* ---- places ---- */

/* As many rows as are read of the node itself, which stands at this place. */
static DistilPlace
same_demand(DistilPlace at)
{
	if (at.under_limit)
		at.demand = DISTIL_DEMAND_LESS;
	at.under_limit = false;
	at.markable = false;
	return at;
}

static DistilPlace
with_demand(DistilPlace at, DistilDemand demand)
{
	at = same_demand(at);
	at.demand = demand;
	return at;
}

static DistilPlace
below_limit(Limit *limit, DistilPlace at)
{
	at = same_demand(at);
	if (limit->limitOption == LIMIT_OPTION_COUNT)
		at.under_limit = true;
	else
		at.demand = DISTIL_DEMAND_LESS;
	return at;
}

static DistilPlace
below_agg(Agg *agg, DistilPlace at)
{
	if (agg->aggstrategy == AGG_PLAIN || agg->aggstrategy == AGG_HASHED)
		return with_demand(at, DISTIL_DEMAND_END);
	return same_demand(at);
}

/*
 * EXPLAIN calls nodes that share something with workers "Parallel".  A Gather
 * that debug_parallel_query = regress hides must leave the plan as it was.
 */
static DistilPlace
below_gather(Plan *plan, DistilPlace at)
{
	at = same_demand(at);
	at.shared = !(IsA(plan, Gather) && ((Gather *) plan)->invisible);
	return at;
}

static DistilPlace
outer_place(Plan *plan, DistilPlace at)
{
	switch (nodeTag(plan))
	{
		case T_Sort:
		case T_Hash:
		case T_ModifyTable:
			return with_demand(at, DISTIL_DEMAND_END);
		case T_Agg:
			return below_agg((Agg *) plan, at);
		case T_Limit:
			return below_limit((Limit *) plan, at);
		case T_Gather:
		case T_GatherMerge:
			return below_gather(plan, at);
		case T_Result:
			{
				DistilPlace below = same_demand(at);

				below.markable = at.markable;
				return below;
			}
		case T_Group:
		case T_HashJoin:
		case T_IncrementalSort:
		case T_LockRows:
		case T_Material:
		case T_NestLoop:
		case T_ProjectSet:
		case T_SetOp:
		case T_SubqueryScan:
		case T_Unique:
		case T_WindowAgg:
			return same_demand(at);
		default:
			return with_demand(at, DISTIL_DEMAND_LESS);
	}
}

static DistilPlace
inner_place(Plan *plan, DistilPlace at)
{
	DistilPlace below = with_demand(at, DISTIL_DEMAND_LESS);

	if (IsA(plan, HashJoin))
		return same_demand(at);
	if (IsA(plan, MergeJoin))
		below.markable = true;
	if (IsA(plan, NestLoop) && !((Join *) plan)->inner_unique &&
		(((Join *) plan)->jointype == JOIN_INNER || ((Join *) plan)->jointype == JOIN_LEFT))
		return same_demand(at);
	return below;
}

/* ---- children ---- */

static void
rewrite_list(DistilRewrite *r, List *plans, DistilPlace at)
{
	ListCell   *lc;

	foreach(lc, plans)
		lfirst(lc) = rewrite_plan(r, lfirst(lc), at);
}

static void
rewrite_children(DistilRewrite *r, Plan *plan, DistilPlace at)
{
	switch (nodeTag(plan))
	{
		case T_CustomScan:
		case T_ForeignScan:
			return;				/* theirs */
		case T_Append:
			rewrite_list(r, ((Append *) plan)->appendplans, same_demand(at));
			break;
		case T_MergeAppend:
			rewrite_list(r, ((MergeAppend *) plan)->mergeplans, same_demand(at));
			break;
		case T_SubqueryScan:
			((SubqueryScan *) plan)->subplan =
				rewrite_plan(r, ((SubqueryScan *) plan)->subplan, same_demand(at));
			break;
		default:
			break;
	}
	plan->lefttree = rewrite_plan(r, plan->lefttree, outer_place(plan, at));
	plan->righttree = rewrite_plan(r, plan->righttree, inner_place(plan, at));
}

/* ---- nodes ---- */

/*
 * Another extension's scan of a table that may have any target list.  Ours are
 * made after the node below them has been looked at.
 */
static bool
is_plain_scan(CustomScan *scan)
{
	return !distil_is_scan((Plan *) scan) && scan->scan.scanrelid > 0 &&
		scan->custom_plans == NIL && outerPlan(scan) == NULL &&
		(scan->flags & CUSTOMPATH_SUPPORT_PROJECTION) != 0;
}

/* Does it evaluate its target list, and may it have any other? */
static bool
can_be_split(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
		case T_SubqueryScan:
		case T_FunctionScan:
		case T_TableFuncScan:
		case T_ValuesScan:
		case T_CteScan:
		case T_NamedTuplestoreScan:
		case T_WorkTableScan:
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
		case T_Agg:
		case T_Group:
		case T_WindowAgg:
		case T_ProjectSet:
			return !plan->async_capable;
		case T_ForeignScan:
			return !plan->async_capable && ((ForeignScan *) plan)->operation == CMD_SELECT;
		case T_CustomScan:
			return is_plain_scan((CustomScan *) plan);
		case T_Result:
			return outerPlan(plan) != NULL;
		default:
			return false;
	}
}

/* Batch nodes without conditions go above the limit; see above. */
static Plan *
lower_limit(Plan *limit, DistilPlace at)
{
	Plan	   *top = outerPlan(limit);
	Plan	   *last = NULL;

	if (((Limit *) limit)->limitOption != LIMIT_OPTION_COUNT)
		return limit;
	for (Plan *p = top; distil_is_scan(p) && p->qual == NIL; p = outerPlan(p))
		last = p;
	if (last == NULL)
		return limit;
	if (distil_is_scan(outerPlan(last)) && at.demand != DISTIL_DEMAND_END)
	{
		/*
		 * the limit parts them: they cannot tell each other what is read early
		 */
		if (at.demand == DISTIL_DEMAND_LESS)
			return limit;
		distil_scan_set_ahead((CustomScan *) last, DISTIL_AHEAD_RUN);
	}

	for (Plan *p = top;; p = outerPlan(p))
	{
		p->startup_cost = limit->startup_cost;
		p->total_cost = limit->total_cost;
		p->plan_rows = limit->plan_rows;
		p->extParam = bms_copy(limit->extParam);
		p->allParam = bms_copy(limit->allParam);
		if (p == last)
			break;
	}
	top->initPlan = list_concat(limit->initPlan, top->initPlan);
	limit->initPlan = NIL;
	outerPlan(limit) = outerPlan(last);
	outerPlan(last) = limit;
	limit->targetlist = distil_column_vars(outerPlan(limit)->targetlist, OUTER_VAR);
	return top;
}

static Plan *
rewrite_plan(DistilRewrite *r, Plan *plan, DistilPlace at)
{
	if (plan == NULL)
		return NULL;
	check_stack_depth();
	if (IsA(plan, Append) && !at.markable)
	{
		/* while its children still have their calls */
		Plan	   *top = distil_split_append(r, (Append *) plan, at);

		if (top != plan)
			return top;
	}
	rewrite_children(r, plan, at);

	if (IsA(plan, Limit))
		return lower_limit(plan, at);
	if ((IsA(plan, Agg) || IsA(plan, WindowAgg) || IsA(plan, ProjectSet)) &&
		outer_place(plan, at).demand != DISTIL_DEMAND_LESS)
		distil_split_arguments(r, plan, outer_place(plan, at));
	if (can_be_split(plan) && !at.markable)
		return distil_split(r, plan, at);
	return plan;
}

/* ---- the statement ---- */

static DistilWalk
highest_id(Plan *plan, List *exprs, DistilNodeCode code, void *ctx)
{
	*(int *) ctx = Max(*(int *) ctx, plan->plan_node_id);
	return DISTIL_WALK_ON;
}

/* Numbers of nodes are unique over the statement. */
static int
free_plan_node_id(PlannedStmt *stmt)
{
	int			highest = 0;
	ListCell   *lc;

	distil_plan_walk(stmt, stmt->planTree, highest_id, &highest);
	foreach(lc, stmt->subplans)
		distil_plan_walk(stmt, lfirst(lc), highest_id, &highest);
	return highest + 1;
}

bool
distil_scan_rewrite(PlannedStmt *stmt)
{
	DistilRewrite r = {.s = {.stmt = stmt}};
	DistilPlace top = {.demand = DISTIL_DEMAND_RUN};
	DistilPlace sub = {.demand = DISTIL_DEMAND_LESS};

	r.s.unruly = distil_is_unruly(stmt);
	r.s.is_volatile = distil_is_volatile(stmt);
	r.next_id = free_plan_node_id(stmt);
	rewrite_list(&r, stmt->subplans, sub);
	stmt->planTree = rewrite_plan(&r, stmt->planTree, top);
	if (!distil_statement_has_scan(stmt))
		return false;
	stmt->jitFlags = PGJIT_NONE;
	return true;
}
