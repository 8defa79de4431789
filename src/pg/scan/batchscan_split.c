/*
 * batchscan_split.c -- see batchscan_split.h.
 *
 * Above a node P, whose condition is q1 AND q2 AND f(a) > 0 AND q3 and whose
 * target list has g(f(a)) and h(b), stand after the split, from below:
 *
 * 		P			qual q1, q2		columns: a, b, what else is needed (leaves)
 * 		batch f		qual f > 0, q3	columns: leaves, f
 * 		batch g						columns: leaves, f, g(f)
 * 		batch h		target list		columns: leaves, f, g, h
 *
 * One stage for each condition, so that later calls are computed only for rows
 * that passed the earlier ones, in the order the planner chose: security
 * barriers first, cheap ones before calls.  Then those of the target list.
 * Everything but the calls is evaluated where a row leaves the last stage, as
 * it would be in P: once for each row, in order.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"

#include "pg/scan/batchscan_guards.h"
#include "pg/scan/batchscan_split.h"

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
			/* a unique join stops at its first match, which they choose */
			if (((Join *) plan)->jointype == JOIN_INNER && !((Join *) plan)->inner_unique &&
				plan->qual == NIL)
				return &((Join *) plan)->joinqual;
			return &plan->qual;
		default:
			return &plan->qual;
	}
}

List *
distil_take_conditions(DistilRewrite *r, List **conditions)
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

List *
distil_as_target_list(List *exprs)
{
	List	   *tlist = NIL;
	ListCell   *lc;

	foreach(lc, exprs)
	{
		int			number = foreach_current_index(lc) + 1;

		tlist = lappend(tlist, makeTargetEntry(lfirst(lc), number, NULL, false));
	}
	return tlist;
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
target_list_in_columns(DistilSplit *s, List *tlist)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, tlist)
	{
		TargetEntry *te = flatCopyTargetEntry(lfirst(lc));

		te->expr = (Expr *) distil_in_columns((Node *) te->expr, s);
		result = lappend(result, te);
	}
	return result;
}

Plan *
distil_stack_stages(DistilSplit *s, Plan *plan, List *conditions, List *tlist, bool shared)
{
	Plan	   *top = plan;
	List	   *later = list_concat_copy(conditions, tlist);
	ListCell   *lc;

	foreach(lc, conditions)
	{
		later = list_delete_first(later);
		top = distil_add_stages(s, top, lfirst(lc), later, shared);
		s->varno = INDEX_VAR;
		top->qual = lappend(top->qual, distil_in_columns(lfirst(lc), s));
	}
	top = distil_add_stages(s, top, (Node *) tlist, NIL, shared);
	s->varno = INDEX_VAR;
	top->targetlist = target_list_in_columns(s, tlist);
	return top;
}

/* Calls of node join calls. */
static List *
with_calls(DistilRewrite *r, List *calls, Node *node)
{
	FuncExpr   *call;

	while ((call = distil_next_call(&r->s, node, calls)) != NULL)
		calls = lappend(calls, call);
	return calls;
}

void
distil_guard_node(DistilRewrite *r, List **conditions, List **tlist)
{
	List	   *always = NIL;
	List	   *guarded = NIL;
	ListCell   *lc;

	if (conditions != NULL)
	{
		foreach(lc, *conditions)
		{
			always = with_calls(r, always, lfirst(lc));
			guarded = lappend(guarded, distil_guard_calls(&r->s, lfirst(lc), always));
		}
		*conditions = guarded;
	}
	always = with_calls(r, always, (Node *) *tlist);
	*tlist = (List *) distil_guard_calls(&r->s, (Node *) *tlist, always);
}

Plan *
distil_split(DistilRewrite *r, Plan *plan, DistilPlace at)
{
	DistilSplit s = {.r = r};
	List	  **place = output_conditions(plan);
	List	   *old_tlist = plan->targetlist;
	List	   *tlist = old_tlist;
	List	   *init_plan = plan->initPlan;
	List	   *all = place == NULL ? NIL : *place;
	List	   *conditions;
	Plan	   *top;

	distil_guard_node(r, place, &tlist);
	conditions = distil_take_conditions(r, place);

	if ((conditions == NIL && distil_next_call(&r->s, (Node *) tlist, NIL) == NULL) ||
		sets_parameters((Node *) tlist, NULL))
	{
		if (place != NULL)
			*place = all;
		return plan;
	}
	(void) distil_collect_leaves((Node *) conditions, &s);
	(void) distil_collect_leaves((Node *) tlist, &s);
	s.n_leaves = list_length(s.leaves);
	plan->targetlist = distil_as_target_list(s.leaves);

	top = distil_stack_stages(&s, plan, conditions, tlist, at.shared);
	if (distil_allow_ahead(r, top, plan, at))
		return top;

	/* put everything back */
	plan->targetlist = old_tlist;
	plan->initPlan = init_plan;
	if (place != NULL)
		*place = all;
	return plan;
}
