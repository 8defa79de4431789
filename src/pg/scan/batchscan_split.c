/*
 * batchscan_split.c -- one plan node into nodes with and without calls.
 *
 * Above a node P, whose condition is q1 AND q2 AND f(a) > 0 AND q3 and whose
 * target list has g(f(a)) and h(b), stand after the split, from below:
 *
 * 		P			qual q1, q2		columns: a, b, what else is needed ("leaves")
 * 		batch f		qual f > 0, q3	columns: leaves, f
 * 		batch g						columns: leaves, f, g(f)
 * 		batch h		target list		columns: leaves, f, g, h
 *
 * One stage for each condition, so that later calls are computed only for rows
 * that passed the earlier ones, in the order the planner chose: security
 * barriers first, cheap ones before calls.  Then the target list; calls that
 * stand beside each other share a stage, a call within a call's argument goes
 * below it.  A later call that asks the same of the same model (siblings, see
 * distil_are_siblings) is answered with the first: its pass is made anyway.
 * Everything but the calls is evaluated where a row leaves the last stage, as
 * it would be in P: once for each row, in order.
 *
 * Columns of all stages are numbered alike: leaves from 1, then the calls in
 * the order of their stages.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"

#include "pg/scan/batchscan.h"

typedef struct Split
{
	DistilRewrite *r;
	List	   *leaves;			/* expressions of P */
	List	   *calls;			/* done, as they stood in P, with equal() ones once */
	int			n_leaves;
	bool		by_number;		/* leaves are Vars that have their column's number */
	int			varno;			/* what leaves and calls become Vars of */
} Split;

/* ---- Vars ---- */

static Var *
var_of(Node *expr, int varno, int column)
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

		vars = lappend(vars, makeTargetEntry((Expr *) var_of((Node *) te->expr, varno, te->resno),
											 te->resno, te->resname, te->resjunk));
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

static bool
collect_leaves(Node *node, void *ctx)
{
	Split	   *s = ctx;

	if (node == NULL)
		return false;
	if (!is_leaf(node))
		return expression_tree_walker(node, collect_leaves, ctx);
	if (position_in(s->leaves, node) == 0)
		s->leaves = lappend(s->leaves, node);
	return false;
}

/* An expression of P, in terms of the columns there are. */
static Node *
in_columns(Node *node, void *ctx)
{
	Split	   *s = ctx;
	int			i;

	if (node == NULL)
		return NULL;
	if (is_leaf(node))
		return (Node *) var_of(node, s->varno,
							   s->by_number ? castNode(Var, node)->varattno
											: position_in(s->leaves, node));
	if (IsA(node, FuncExpr) && (i = position_in(s->calls, node)) > 0)
		return (Node *) var_of(node, s->varno, s->n_leaves + i);
	return expression_tree_mutator(node, in_columns, ctx);
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
		scan->custom_scan_tlist =
			lappend(scan->custom_scan_tlist,
					makeTargetEntry(lfirst(lc), list_length(scan->custom_scan_tlist) + 1, NULL,
									false));

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

/* Calls of expr that are not done and need no others to be done first. */
static List *
ready_calls(Split *s, Node *expr)
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
with_siblings(Split *s, List *calls, Node *later)
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
make_stage(Split *s, Plan *below, List *calls, bool shared)
{
	List	   *in_stage = NIL;
	CustomScan *stage;
	ListCell   *lc;

	s->varno = OUTER_VAR;
	foreach(lc, calls)
	{
		FuncExpr   *call = copyObject(lfirst_node(FuncExpr, lc));

		call->args = (List *) expression_tree_mutator((Node *) call->args, in_columns, s);
		in_stage = lappend(in_stage, call);
	}
	s->calls = list_concat(s->calls, calls);
	stage = make_batch(s->r, below, in_stage, shared);
	stage->scan.plan.targetlist = distil_column_vars(stage->custom_scan_tlist, INDEX_VAR);
	return (Plan *) stage;
}

/* Stages until all calls of expr are done; the last of them, or below.  The
 * expressions in later are evaluated for rows that are left then. */
static Plan *
add_stages(Split *s, Plan *below, Node *expr, List *later, bool shared)
{
	List	   *calls;

	while ((calls = ready_calls(s, expr)) != NIL)
		below = make_stage(s, below, with_siblings(s, calls, (Node *) later), shared);
	return below;
}

/* ---- conditions ---- */

/*
 * Where a node keeps the conditions of which the last may as well be applied to
 * its output; NULL if it has none such.
 */
static List **
output_conditions(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_WindowAgg:
			return NULL;		/* they go with its run condition */
		case T_NestLoop:
		case T_HashJoin:
		case T_MergeJoin:
			/*
			 * a unique join stops at its first match: the condition chooses it
			 */
			if (((Join *) plan)->jointype == JOIN_INNER && !((Join *) plan)->inner_unique &&
				plan->qual == NIL)
				return &((Join *) plan)->joinqual;
			return &plan->qual;
		default:
			return &plan->qual;
	}
}

/* Cut off the conditions from the first on that has a call. */
static List *
take_conditions(DistilRewrite *r, List **conditions)
{
	List	   *taken = NIL;
	List	   *kept = NIL;
	ListCell   *lc;

	if (conditions == NULL)
		return NIL;
	foreach(lc, *conditions)
	{
		if (taken != NIL || distil_next_call(&r->s, lfirst(lc), NIL) != NULL)
			taken = lappend(taken, lfirst(lc));
		else
			kept = lappend(kept, lfirst(lc));
	}
	*conditions = kept;
	return taken;
}

static List *
as_target_list(List *exprs)
{
	List	   *tlist = NIL;
	ListCell   *lc;

	foreach(lc, exprs)
		tlist =
			lappend(tlist, makeTargetEntry(lfirst(lc), foreach_current_index(lc) + 1, NULL, false));
	return tlist;
}

/* ---- may it be done? ---- */

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
 * Tell each stage above plan how far it may read ahead.  A condition in a
 * stage or in one above it keeps a LIMIT from going below (batchscan_plan.c
 * moves it there otherwise), and so do the rows it reads.
 */
static bool
allow_ahead(DistilRewrite *r, Plan *top, Plan *plan, DistilPlace at)
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

/*
 * SET (a, b) = (SELECT ...) sets parameters while the target list is evaluated.
 */
static bool
sets_parameters(Node *node, void *ctx)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubPlan) && ((SubPlan *) node)->subLinkType == MULTIEXPR_SUBLINK)
		return true;
	return expression_tree_walker(node, sets_parameters, ctx);
}

/* ---- the split ---- */

static List *
target_list_in_columns(Split *s, List *tlist)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, tlist)
	{
		TargetEntry *te = flatCopyTargetEntry(lfirst(lc));

		te->expr = (Expr *) in_columns((Node *) te->expr, s);
		result = lappend(result, te);
	}
	return result;
}

/* The stages above plan, which has leaves for columns. */
static Plan *
stack_stages(Split *s, Plan *plan, List *conditions, List *tlist, bool shared)
{
	Plan	   *top = plan;
	List	   *later = list_concat_copy(conditions, tlist);
	ListCell   *lc;

	foreach(lc, conditions)
	{
		later = list_delete_first(later);
		top = add_stages(s, top, lfirst(lc), later, shared);
		s->varno = INDEX_VAR;
		top->qual = lappend(top->qual, in_columns(lfirst(lc), s));
	}
	top = add_stages(s, top, (Node *) tlist, NIL, shared);
	s->varno = INDEX_VAR;
	top->targetlist = target_list_in_columns(s, tlist);
	return top;
}

/* ---- the node itself ---- */

Plan *
distil_split(DistilRewrite *r, Plan *plan, DistilPlace at)
{
	Split		s = {.r = r};
	List	  **place = output_conditions(plan);
	List	   *tlist = plan->targetlist;
	List	   *init_plan = plan->initPlan;
	List	   *all = place == NULL ? NIL : *place;
	List	   *conditions = take_conditions(r, place);
	Plan	   *top;

	if ((conditions == NIL && distil_next_call(&r->s, (Node *) tlist, NIL) == NULL) ||
		sets_parameters((Node *) tlist, NULL))
	{
		if (place != NULL)
			*place = all;
		return plan;
	}
	(void) collect_leaves((Node *) conditions, &s);
	(void) collect_leaves((Node *) tlist, &s);
	s.n_leaves = list_length(s.leaves);
	plan->targetlist = as_target_list(s.leaves);

	top = stack_stages(&s, plan, conditions, tlist, at.shared);
	if (allow_ahead(r, top, plan, at))
		return top;

	/* put everything back */
	plan->targetlist = tlist;
	plan->initPlan = init_plan;
	if (place != NULL)
		*place = all;
	return plan;
}

/* ---- arguments of aggregates ---- */

/*
 * Does it take its argument from every row?  Window functions choose rows;
 * aggregates over a window that begins with the partition see them all.
 */
static bool
takes_every_row(WindowFunc *func, int frame)
{
	return func->winagg && func->aggfilter == NULL &&
		(frame & FRAMEOPTION_START_UNBOUNDED_PRECEDING) != 0 &&
		(frame & (FRAMEOPTION_END_UNBOUNDED_FOLLOWING | FRAMEOPTION_END_CURRENT_ROW)) != 0 &&
		(frame & FRAMEOPTION_EXCLUSION) == 0;
}

typedef struct Arguments
{
	Split		split;
	int			frame;			/* options of the WindowAgg */
	List	   *lists;			/* of the aggregates we may look into */
} Arguments;

/* Where an aggregate keeps its arguments; NULL: not to be touched. */
static List **
arguments_of(Node *node, int frame)
{
	if (IsA(node, Aggref) && ((Aggref *) node)->aggfilter == NULL &&
		!DO_AGGSPLIT_COMBINE(((Aggref *) node)->aggsplit))
		return &((Aggref *) node)->args;
	if (IsA(node, WindowFunc) && takes_every_row((WindowFunc *) node, frame))
		return &((WindowFunc *) node)->args;
	return NULL;
}

static bool
collect_arguments(Node *node, void *ctx)
{
	Arguments  *a = ctx;
	List	  **args;

	if (node == NULL)
		return false;
	if ((args = arguments_of(node, a->frame)) != NULL)
		a->lists = lappend(a->lists, *args);
	if (IsA(node, Aggref) || IsA(node, WindowFunc))
		return false;
	return expression_tree_walker(node, collect_arguments, ctx);
}

static Node *
replace_arguments(Node *node, void *ctx)
{
	Arguments  *a = ctx;
	List	  **args;

	if (node == NULL)
		return NULL;
	if (!IsA(node, Aggref) && !IsA(node, WindowFunc))
		return expression_tree_mutator(node, replace_arguments, ctx);
	node = copyObject(node);
	if ((args = arguments_of(node, a->frame)) != NULL)
		*args = (List *) expression_tree_mutator((Node *) *args, in_columns, &a->split);
	return node;
}

/* The expression with a column of below for each Var. */
static Node *
in_terms_of(Node *node, void *ctx)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
	{
		TargetEntry *te = list_nth((List *) ctx, ((Var *) node)->varattno - 1);

		return copyObject((Node *) te->expr);
	}
	return expression_tree_mutator(node, in_terms_of, ctx);
}

/* The batch node whose columns plan passes on, as they are; or NULL. */
static CustomScan *
batch_below(Plan *plan)
{
	while (IsA(plan, Sort))
		plan = outerPlan(plan);
	return distil_is_scan(plan) ? (CustomScan *) plan : NULL;
}

/* A column of the batch node below as the last one of plan. */
static void
pass_up(Plan *plan, Node *expr, int column)
{
	int			varno = distil_is_scan(plan) ? INDEX_VAR : OUTER_VAR;

	if (!distil_is_scan(plan))
	{
		pass_up(outerPlan(plan), expr, column);
		column = list_length(outerPlan(plan)->targetlist);
	}
	plan->targetlist = lappend(plan->targetlist,
							   makeTargetEntry((Expr *) var_of(expr, varno, column),
											   list_length(plan->targetlist) + 1, NULL, false));
}

/*
 * The number of the call among the node's that answers wanted; a sibling is
 * added to them.  0: there is none.
 */
static int
answering_call(CustomScan *below, Node *wanted)
{
	List	   *columns = distil_column_vars(below->custom_scan_tlist, INDEX_VAR);
	List	   *calls = distil_scan_calls(below);
	ListCell   *lc;

	foreach(lc, calls)
	{
		if (equal(in_terms_of(lfirst(lc), columns), wanted))
			return foreach_current_index(lc) + 1;
	}
	foreach(lc, calls)
	{
		FuncExpr   *call = lfirst_node(FuncExpr, lc);
		FuncExpr   *sibling = castNode(FuncExpr, copyObject(wanted));

		if (!distil_are_siblings((FuncExpr *) in_terms_of((Node *) call, columns), sibling))
			continue;
		sibling->args = copyObject(call->args);
		below->custom_scan_tlist =
			lappend(below->custom_scan_tlist,
					makeTargetEntry((Expr *) sibling, list_length(below->custom_scan_tlist) + 1,
									NULL, false));
		return list_length(calls) + 1;
	}
	return 0;
}

/*
 * Calls that the batch node below has computed already, for its condition, or
 * can answer with them: it passes them on.
 */
static void
reuse_calls(Split *s, Plan *child, CustomScan *below, Node *expr)
{
	int			first = list_length(outerPlan(below)->targetlist);
	ListCell   *lc;

	foreach(lc, ready_calls(s, expr))
	{
		Node	   *wanted = in_terms_of(lfirst(lc), below->scan.plan.targetlist);
		int			number = answering_call(below, wanted);

		if (number == 0)
			continue;
		pass_up(child, wanted, first + number);
		s->calls = lappend(s->calls, lfirst(lc));
	}
}

void
distil_split_arguments(DistilRewrite *r, Plan *plan, DistilPlace below)
{
	Plan	   *child = outerPlan(plan);
	CustomScan *batch = batch_below(child);
	Arguments	a = {.split = {.r = r,.by_number = true}};
	Plan	   *top;

	if (IsA(plan, WindowAgg))
		a.frame = ((WindowAgg *) plan)->frameOptions;
	(void) collect_arguments((Node *) plan->targetlist, &a);
	(void) collect_arguments((Node *) plan->qual, &a);
	if (distil_next_call(&r->s, (Node *) a.lists, NIL) == NULL)
		return;

	a.split.n_leaves = list_length(child->targetlist);
	if (batch != NULL)
		reuse_calls(&a.split, child, batch, (Node *) a.lists);
	top = add_stages(&a.split, child, (Node *) a.lists, NIL, below.shared);
	if (!allow_ahead(r, top, child, below))
		return;
	outerPlan(plan) = top;
	a.split.varno = OUTER_VAR;
	plan->targetlist = (List *) replace_arguments((Node *) plan->targetlist, &a);
	plan->qual = (List *) replace_arguments((Node *) plan->qual, &a);
}
