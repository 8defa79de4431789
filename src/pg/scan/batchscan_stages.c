/*
 * batchscan_stages.c -- see batchscan_stages.h.
 *
 * Calls that stand beside each other share a stage; a call in the argument of
 * another goes into a stage below.  A later call that asks the same of the same
 * model (a sibling, see distil_are_siblings) is answered with the first: the
 * pass is made anyway.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"

#include "pg/scan/batchscan_exec.h"
#include "pg/scan/batchscan_reads.h"
#include "pg/scan/batchscan_stages.h"

/* ---- columns ---- */

Var *
distil_var_of(Node *expr, int varno, int column)
{
	return makeVar(varno, column, exprType(expr), exprTypmod(expr), exprCollation(expr), 0);
}

List *
distil_column_vars(List *tlist, int varno)
{
	List	   *vars = NIL;
	ListCell   *lc;

	foreach(lc, tlist)
	{
		TargetEntry *te = lfirst_node(TargetEntry, lc);
		Var		   *var = distil_var_of((Node *) te->expr, varno, te->resno);

		vars = lappend(vars, makeTargetEntry((Expr *) var, te->resno, te->resname, te->resjunk));
	}
	return vars;
}

static int
position_in(List *list, Node *node)
{
	ListCell   *lc;

	foreach(lc, list)
	{
		if (equal(lfirst(lc), node))
			return foreach_current_index(lc) + 1;
	}
	return 0;
}

static bool
is_leaf(Node *node)
{
	return IsA(node, Var) || IsA(node, Aggref) || IsA(node, WindowFunc) || IsA(node, GroupingFunc);
}

bool
distil_collect_leaves(Node *node, void *ctx)
{
	DistilSplit *s = ctx;

	if (node == NULL)
		return false;
	if (!is_leaf(node))
		return expression_tree_walker(node, distil_collect_leaves, ctx);
	if (position_in(s->leaves, node) == 0)
		s->leaves = lappend(s->leaves, node);
	return false;
}

Node *
distil_in_columns(Node *node, void *ctx)
{
	DistilSplit *s = ctx;
	int			i;

	if (node == NULL)
		return NULL;
	if (is_leaf(node))
	{
		i = s->by_number ? castNode(Var, node)->varattno : position_in(s->leaves, node);
		return (Node *) distil_var_of(node, s->varno, i);
	}
	if (IsA(node, FuncExpr) && (i = position_in(s->calls, node)) > 0)
		return (Node *) distil_var_of(node, s->varno, s->n_leaves + i);
	return expression_tree_mutator(node, distil_in_columns, ctx);
}

/* ---- batch nodes ---- */

/* A batch node over child; its target list and qual are the caller's to set. */
static CustomScan *
make_batch(DistilRewrite *r, Plan *child, List *calls, bool shared)
{
	CustomScan *scan = makeNode(CustomScan);
	Plan	   *plan = &scan->scan.plan;
	ListCell   *lc;

	scan->methods = &distil_scan_methods;
	scan->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	if (ExecSupportsBackwardScan(child))
		scan->flags |= CUSTOMPATH_SUPPORT_BACKWARD_SCAN;
	scan->custom_scan_tlist = distil_column_vars(child->targetlist, OUTER_VAR);
	foreach(lc, calls)
		distil_scan_add_call(scan, lfirst_node(FuncExpr, lc));

	plan->startup_cost = child->startup_cost;
	plan->total_cost = child->total_cost;
	plan->plan_rows = child->plan_rows;
	plan->plan_width = child->plan_width;
#if PG_VERSION_NUM >= 180000
	plan->disabled_nodes = child->disabled_nodes;
#endif
	plan->parallel_safe = child->parallel_safe;
	plan->parallel_aware = shared;
	plan->plan_node_id = r->next_id++;
	plan->extParam = bms_copy(child->extParam);
	plan->allParam = bms_copy(child->allParam);
	plan->initPlan = child->initPlan;
	child->initPlan = NIL;
	outerPlan(plan) = child;
	return scan;
}

List *
distil_ready_calls(DistilSplit *s, Node *expr)
{
	List	   *seen = list_copy(s->calls);
	List	   *ready = NIL;
	FuncExpr   *call;

	while ((call = distil_next_call(&s->r->s, expr, seen)) != NULL)
	{
		seen = lappend(seen, call);
		if (distil_next_call(&s->r->s, (Node *) call->args, s->calls) == NULL)
			ready = lappend(ready, call);
	}
	return ready;
}

/*
 * Calls of later that are answered by what is computed for calls, added to
 * these.
 */
static List *
with_siblings(DistilSplit *s, List *calls, Node *later)
{
	List	   *seen = list_concat_copy(s->calls, calls);
	FuncExpr   *call;

	while ((call = distil_next_call(&s->r->s, later, seen)) != NULL)
	{
		ListCell   *lc;

		seen = lappend(seen, call);
		foreach(lc, calls)
		{
			if (distil_are_siblings(lfirst_node(FuncExpr, lc), call))
			{
				calls = lappend(calls, call);
				break;
			}
		}
	}
	return calls;
}

/* A stage for calls, which become done; it passes on all columns. */
static Plan *
make_stage(DistilSplit *s, Plan *below, List *calls, bool shared)
{
	List	   *in_stage = NIL;
	CustomScan *stage;
	ListCell   *lc;

	s->varno = OUTER_VAR;
	foreach(lc, calls)
	{
		FuncExpr   *call = copyObject(lfirst_node(FuncExpr, lc));

		call->args = (List *) expression_tree_mutator((Node *) call->args, distil_in_columns, s);
		in_stage = lappend(in_stage, call);
	}
	s->calls = list_concat(s->calls, calls);
	stage = make_batch(s->r, below, in_stage, shared);
	stage->scan.plan.targetlist = distil_column_vars(stage->custom_scan_tlist, INDEX_VAR);
	return (Plan *) stage;
}

Plan *
distil_add_stages(DistilSplit *s, Plan *below, Node *expr, List *later, bool shared)
{
	List	   *calls;

	while ((calls = distil_ready_calls(s, expr)) != NIL)
		below = make_stage(s, below, with_siblings(s, calls, (Node *) later), shared);
	return below;
}

/* ---- may they read ahead? ---- */

/* How far may stage read ahead? */
static DistilAhead
ahead_of(DistilRewrite *r, CustomScan *stage, DistilDemand demand)
{
	DistilReads reads = distil_inspect_rows(r->s.stmt, outerPlan(stage));

	if (reads.is_volatile)
		return DISTIL_AHEAD_NEVER;
	if (demand == DISTIL_DEMAND_END ||
		!(reads.may_raise || distil_arguments_may_raise(stage)))
		return DISTIL_AHEAD_FREE;
	return demand == DISTIL_DEMAND_RUN ? DISTIL_AHEAD_RUN : DISTIL_AHEAD_NEVER;
}

/*
 * A LIMIT directly above stages without conditions moves below them
 * (batchscan_plan.c): they then read what the limit's own place reads.  A
 * condition in a stage keeps the limit above, and the limit may stop early.
 */
bool
distil_allow_ahead(DistilRewrite *r, Plan *top, Plan *plan, DistilPlace at)
{
	DistilDemand demand = at.demand;

	for (Plan *p = top; p != plan; p = outerPlan(p))
	{
		CustomScan *stage = (CustomScan *) p;
		DistilAhead ahead;

		if (at.under_limit && p->qual != NIL)
			demand = DISTIL_DEMAND_LESS;
		ahead = ahead_of(r, stage, demand);
		if (ahead == DISTIL_AHEAD_NEVER)
			return false;
		distil_scan_set_ahead(stage, ahead);
	}
	return true;
}
