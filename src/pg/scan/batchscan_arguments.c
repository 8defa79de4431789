/*
 * batchscan_arguments.c -- see batchscan_arguments.h.
 *
 * An aggregate's own value has no column before the node has run, so its calls
 * cannot move above the node; but its arguments are computed of rows of the
 * child, so the calls in them move below.  So do those in arguments of
 * functions that return sets, which ProjectSet evaluates once for each row of
 * its child.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"

#include "pg/scan/batchscan_arguments.h"
#include "pg/scan/batchscan_guards.h"

/* ---- arguments ---- */

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
	DistilSplit split;
	int			frame;			/* options of the WindowAgg */
	List	   *lists;			/* of the aggregates we may look into */
} Arguments;

/*
 * Where an aggregate, or a function that returns a set, keeps its arguments;
 * NULL: not to be touched.
 */
static List **
arguments_of(Node *node, int frame)
{
	if (IsA(node, Aggref) && ((Aggref *) node)->aggfilter == NULL &&
		!DO_AGGSPLIT_COMBINE(((Aggref *) node)->aggsplit))
		return &((Aggref *) node)->args;
	if (IsA(node, WindowFunc) && takes_every_row((WindowFunc *) node, frame))
		return &((WindowFunc *) node)->args;
	if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcretset)
		return &((FuncExpr *) node)->args;
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
	if (args != NULL || IsA(node, Aggref) || IsA(node, WindowFunc))
		return false;
	return expression_tree_walker(node, collect_arguments, ctx);
}

static Node *
guard_arguments(Node *node, void *ctx)
{
	Arguments  *a = ctx;
	List	  **args;

	if (node == NULL)
		return NULL;
	if (!IsA(node, Aggref) && !IsA(node, WindowFunc) && arguments_of(node, a->frame) == NULL)
		return expression_tree_mutator(node, guard_arguments, ctx);
	node = copyObject(node);
	if ((args = arguments_of(node, a->frame)) != NULL)
		*args = (List *) distil_guard_calls(&a->split.r->s, (Node *) *args, NIL);
	return node;
}

static Node *
replace_arguments(Node *node, void *ctx)
{
	Arguments  *a = ctx;
	List	  **args;

	if (node == NULL)
		return NULL;
	if (!IsA(node, Aggref) && !IsA(node, WindowFunc) && arguments_of(node, a->frame) == NULL)
		return expression_tree_mutator(node, replace_arguments, ctx);
	node = copyObject(node);
	if ((args = arguments_of(node, a->frame)) != NULL)
		*args = (List *) expression_tree_mutator((Node *) *args, distil_in_columns, &a->split);
	return node;
}

/* ---- what a batch node below has computed already ---- */

/* The expression with a column (of ctx, a target list) for each Var. */
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
	int			number = list_length(plan->targetlist) + 1;
	int			varno = distil_is_scan(plan) ? INDEX_VAR : OUTER_VAR;
	Expr	   *var;

	if (!distil_is_scan(plan))
	{
		pass_up(outerPlan(plan), expr, column);
		column = list_length(outerPlan(plan)->targetlist);
	}
	var = (Expr *) distil_var_of(expr, varno, column);
	plan->targetlist = lappend(plan->targetlist, makeTargetEntry(var, number, NULL, false));
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
		distil_scan_add_call(below, sibling);
		return list_length(calls) + 1;
	}
	return 0;
}

/*
 * Calls that the batch node below has computed already, for its condition, or
 * can answer with them: it passes them on.
 */
static void
reuse_calls(DistilSplit *s, Plan *child, CustomScan *below, Node *expr)
{
	int			first = list_length(outerPlan(below)->targetlist);
	ListCell   *lc;

	foreach(lc, distil_ready_calls(s, expr))
	{
		Node	   *wanted = in_terms_of(lfirst(lc), below->scan.plan.targetlist);
		int			number = answering_call(below, wanted);

		if (number == 0)
			continue;
		pass_up(child, wanted, first + number);
		s->calls = lappend(s->calls, lfirst(lc));
	}
}

/* ---- the split ---- */

void
distil_split_arguments(DistilRewrite *r, Plan *plan, DistilPlace below)
{
	Plan	   *child = outerPlan(plan);
	CustomScan *batch = batch_below(child);
	Arguments	a = {.split = {.r = r,.by_number = true}};
	List	   *init_plan = child->initPlan;
	List	   *tlist,
			   *qual;
	Plan	   *top;

	if (IsA(plan, WindowAgg))
		a.frame = ((WindowAgg *) plan)->frameOptions;
	tlist = (List *) guard_arguments((Node *) plan->targetlist, &a);
	qual = (List *) guard_arguments((Node *) plan->qual, &a);
	(void) collect_arguments((Node *) tlist, &a);
	(void) collect_arguments((Node *) qual, &a);
	if (distil_next_call(&r->s, (Node *) a.lists, NIL) == NULL)
		return;

	a.split.n_leaves = list_length(child->targetlist);
	if (batch != NULL)
		reuse_calls(&a.split, child, batch, (Node *) a.lists);
	top = distil_add_stages(&a.split, child, (Node *) a.lists, NIL, below.shared);
	if (!distil_allow_ahead(r, top, child, below))
	{
		child->initPlan = init_plan;
		return;
	}
	outerPlan(plan) = top;
	a.split.varno = OUTER_VAR;
	plan->targetlist = (List *) replace_arguments((Node *) tlist, &a);
	plan->qual = (List *) replace_arguments((Node *) qual, &a);
}
