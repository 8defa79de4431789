/*
 * batchscan_append.c -- see batchscan_append.h.
 *
 * Append reads asynchronous foreign scans all at once, if they stand directly
 * below it.  A batch node between them would end that, so it goes above:
 *
 *		Append								Custom Scan (DistilBatch)
 *		-> Async Foreign Scan on p1			-> Append
 *			tlist: id, f(body)					-> Async Foreign Scan on p1
 *		-> Async Foreign Scan on p2					tlist: id, body
 *			tlist: id, f(body)					-> Async Foreign Scan on p2
 *													tlist: id, body
 *
 * That needs children which compute the same of their columns, as partitions
 * do: with a child's leaves (Vars) numbered in the order of their appearance,
 * all have equal expressions.  Partitions of this server may be among them.
 */
#include "postgres.h"

#include "pg/scan/batchscan_append.h"
#include "pg/scan/batchscan_split.h"

/* A child and what it was. */
typedef struct Child
{
	Plan	   *plan;
	DistilSplit split;
	List	   *old_tlist;
	List	   *old_qual;
	List	   *tlist;
	List	   *taken;			/* conditions from the first with a call on */
	List	   *numbered;		/* taken and tlist, of columns */
} Child;

/* Do the expressions, without the columns' names, read alike? */
static List *
in_numbers(Child *child)
{
	List	   *exprs = list_copy(child->taken);
	ListCell   *lc;

	foreach(lc, child->tlist)
		exprs = lappend(exprs, lfirst_node(TargetEntry, lc)->expr);
	return (List *) distil_in_columns((Node *) exprs, &child->split);
}

static void
look_at_child(DistilRewrite *r, Child *child, Plan *plan)
{
	child->plan = plan;
	child->split = (DistilSplit) {.r = r,.varno = OUTER_VAR};
	child->old_tlist = child->tlist = plan->targetlist;
	child->old_qual = plan->qual;
	distil_guard_node(r, &plan->qual, &child->tlist);
	child->taken = distil_take_conditions(r, &plan->qual);
	(void) distil_collect_leaves((Node *) child->taken, &child->split);
	(void) distil_collect_leaves((Node *) child->tlist, &child->split);
	child->split.n_leaves = list_length(child->split.leaves);
	child->numbered = in_numbers(child);
}

static void
restore(Child *children, int n)
{
	for (int i = 0; i < n; i++)
	{
		children[i].plan->targetlist = children[i].old_tlist;
		children[i].plan->qual = children[i].old_qual;
	}
}

/* A scan of a table, which may give any columns of it. */
static bool
is_table_scan(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_ForeignScan:
			return ((ForeignScan *) plan)->operation == CMD_SELECT;
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
			return true;
		default:
			return false;
	}
}

/* Scans, some of them asynchronous. */
static bool
is_asynchronous(Append *append)
{
	ListCell   *lc;

	foreach(lc, append->appendplans)
	{
		if (!is_table_scan(lfirst(lc)))
			return false;
	}
	return append->nasyncplans > 0;
}

static bool
has_call(DistilRewrite *r, Child *child)
{
	return child->taken != NIL || distil_next_call(&r->s, (Node *) child->tlist, NIL) != NULL;
}

Plan *
distil_split_append(DistilRewrite *r, Append *append, DistilPlace at)
{
	int			n = list_length(append->appendplans);
	Child	   *children = palloc0_array(Child, n);
	List	   *tlist = append->plan.targetlist;
	List	   *init_plan = append->plan.initPlan;
	bool		alike = is_asynchronous(append);
	int			seen = 0;
	Plan	   *top;

	for (; seen < n && alike; seen++)
	{
		look_at_child(r, &children[seen], list_nth(append->appendplans, seen));
		alike = has_call(r, &children[seen]) &&
			equal(children[seen].numbered, children[0].numbered);
	}
	if (!alike)
	{
		restore(children, seen);
		return (Plan *) append;
	}
	for (int i = 0; i < n; i++)
		children[i].plan->targetlist = distil_as_target_list(children[i].split.leaves);
	append->plan.targetlist = distil_column_vars(children[0].plan->targetlist, OUTER_VAR);

	top = distil_stack_stages(&children[0].split, (Plan *) append, children[0].taken,
							  children[0].tlist, at.shared);
	if (distil_allow_ahead(r, top, (Plan *) append, at))
		return top;
	restore(children, n);
	append->plan.targetlist = tlist;
	append->plan.initPlan = init_plan;
	return (Plan *) append;
}
