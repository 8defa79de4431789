/*
 * batchscan_guards.c -- see batchscan_guards.h.
 *
 * A call in a later arm is evaluated for some rows only, and the conditions
 * that choose them may be there to avoid it.  They become a part of the call:
 *
 * 		CASE WHEN n > 3 THEN f(a) WHEN b THEN g(a) END
 *
 * has the calls f(CASE WHEN n > 3 THEN a END) and g(CASE WHEN n > 3 IS NOT TRUE
 * AND b THEN a END).  Calls of NULL are NULL and touch no model.  So they can
 * be computed for every row of a window, and the arms read what is there.
 *
 * Conditions are then evaluated early, and twice.  So they must not be volatile
 * nor raise; calls in them are columns by then, as they are computed in a stage
 * below.  What stands in the call's arguments must not raise either, and model
 * and options are constants.  All other arms stay as they are.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"

#include "pg/scan/batchscan_guards.h"
#include "pg/scan/batchscan_reads.h"

/* Conditions with calls that have conditions with calls grow fast. */
#define MAX_GUARD_NODES 300

typedef struct Guards
{
	const DistilStatement *s;
	List	   *always;			/* calls that are computed for every row anyhow */
	List	   *conditions;		/* all of them hold where we are */
} Guards;

static Node *guard(Node *node, void *ctx);

/* ---- conditions ---- */

static Node *
boolean_test(Node *arg, BoolTestType type)
{
	BooleanTest *test = makeNode(BooleanTest);

	test->arg = (Expr *) arg;
	test->booltesttype = type;
	test->location = -1;
	return (Node *) test;
}

static Node *
null_test(Node *arg)
{
	NullTest   *test = makeNode(NullTest);

	test->arg = (Expr *) arg;
	test->nulltesttype = IS_NULL;
	test->location = -1;
	return (Node *) test;
}

/* Under the conditions so far, and one more. */
static Node *
guard_under(Guards *g, Node *node, List *conditions)
{
	Guards		under = {g->s, g->always, list_concat_copy(g->conditions, conditions)};

	return guard(node, &under);
}

/* ---- is a guard harmless? ---- */

/* ctx: a List of calls */
static Node *
calls_as_constants(Node *node, void *ctx)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, FuncExpr) && list_member((List *) ctx, node))
		return (Node *) makeNullConst(exprType(node), exprTypmod(node), exprCollation(node));
	return expression_tree_mutator(node, calls_as_constants, ctx);
}

static bool
count_nodes(Node *node, void *ctx)
{
	if (node == NULL)
		return false;
	return ++*(int *) ctx > MAX_GUARD_NODES || expression_tree_walker(node, count_nodes, ctx);
}

/*
 * May it be evaluated early, and again, for any row, once its calls are done?
 */
static bool
is_harmless(const DistilStatement *s, Node *node)
{
	List	   *calls = NIL;
	FuncExpr   *call;
	int			nodes = 0;

	if (count_nodes(node, &nodes) || contain_volatile_functions(node))
		return false;
	while ((call = distil_next_call(s, node, calls)) != NULL)
		calls = lappend(calls, call);
	node = calls_as_constants(node, calls);
	return !distil_has_task(node) && !distil_may_raise(node);
}

static bool
is_constant(Node *node)
{
	return IsA(node, Const) || (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN);
}

static bool
has_harmless_arguments(const DistilStatement *s, FuncExpr *call)
{
	int			texts = distil_task_texts(distil_task_of(call->funcid));
	ListCell   *lc;

	foreach(lc, call->args)
	{
		if (foreach_current_index(lc) < texts ? !is_harmless(s, lfirst(lc))
											  : !is_constant(lfirst(lc)))
			return false;
	}
	return true;
}

/* ---- calls ---- */

/* CASE WHEN the conditions hold THEN text END */
static Node *
guarded_text(List *conditions, Node *text)
{
	CaseExpr   *expr = makeNode(CaseExpr);
	CaseWhen   *when = makeNode(CaseWhen);

	when->expr = list_length(conditions) == 1 ? linitial(conditions) :
		makeBoolExpr(AND_EXPR, list_copy(conditions), -1);
	when->result = (Expr *) text;
	when->location = -1;
	expr->casetype = exprType(text);
	expr->casecollid = exprCollation(text);
	expr->args = list_make1(when);
	expr->defresult = (Expr *) makeNullConst(expr->casetype, -1, expr->casecollid);
	expr->location = DISTIL_GUARD_LOCATION;
	return (Node *) copyObject(expr);
}

static Node *
guard_call(Guards *g, FuncExpr *call)
{
	FuncExpr   *guarded;

	if (call->funcretset)
		return (Node *) call;
	if (distil_task_of(call->funcid) != NULL && list_member(g->always, call))
		return (Node *) call;
	guarded = (FuncExpr *) expression_tree_mutator((Node *) call, guard, g);
	if (g->conditions == NIL || !distil_call_fits(g->s, (Node *) guarded) ||
		!has_harmless_arguments(g->s, guarded) || !is_harmless(g->s, (Node *) g->conditions))
		return (Node *) guarded;
	linitial(guarded->args) = guarded_text(g->conditions, linitial(guarded->args));
	return (Node *) guarded;
}

/* ---- arms ---- */

/*
 * Arguments of AND, OR, COALESCE: one is evaluated if test holds for those
 * before.
 */
static List *
guard_arms(Guards *g, List *arms, Node *(*test) (Node *arm))
{
	List	   *conditions = NIL;
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, arms)
	{
		Node	   *arm = guard_under(g, lfirst(lc), conditions);

		result = lappend(result, arm);
		conditions = lappend(conditions, test(arm));
	}
	return result;
}

static Node *
not_false(Node *arm)
{
	return boolean_test(arm, IS_NOT_FALSE);
}

static Node *
not_true(Node *arm)
{
	return boolean_test(arm, IS_NOT_TRUE);
}

static Node *
guard_bool(Guards *g, BoolExpr *expr)
{
	BoolExpr   *result = makeNode(BoolExpr);

	*result = *expr;
	if (expr->boolop == NOT_EXPR)
		result->args = list_make1(guard(linitial(expr->args), g));
	else
		result->args = guard_arms(g, expr->args, expr->boolop == AND_EXPR ? not_false : not_true);
	return (Node *) result;
}

static Node *
guard_coalesce(Guards *g, CoalesceExpr *expr)
{
	CoalesceExpr *result = makeNode(CoalesceExpr);

	*result = *expr;
	result->args = guard_arms(g, expr->args, null_test);
	return (Node *) result;
}

/* Of CASE x WHEN y: its condition "(what is compared) = y" with x in place. */
static Node *
with_value(Node *node, void *x)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, CaseTestExpr))
		return copyObject((Node *) x);
	if (IsA(node, ArrayCoerceExpr) || (IsA(node, CaseExpr) && ((CaseExpr *) node)->arg != NULL))
		return node;			/* has its own */
	return expression_tree_mutator(node, with_value, x);
}

static Node *
guard_case(Guards *g, CaseExpr *expr)
{
	CaseExpr   *result = makeNode(CaseExpr);
	List	   *conditions = NIL;
	ListCell   *lc;

	*result = *expr;
	result->arg = (Expr *) guard((Node *) expr->arg, g);
	result->args = NIL;
	foreach(lc, expr->args)
	{
		CaseWhen   *when = makeNode(CaseWhen);
		Node	   *test;

		*when = *lfirst_node(CaseWhen, lc);
		when->expr = (Expr *) guard_under(g, (Node *) when->expr, conditions);
		test = result->arg == NULL ? (Node *) when->expr
			: with_value((Node *) when->expr, result->arg);
		when->result = (Expr *)
			guard_under(g, (Node *) when->result, lappend(list_copy(conditions), test));
		conditions = lappend(conditions, boolean_test(test, IS_NOT_TRUE));
		result->args = lappend(result->args, when);
	}
	result->defresult = (Expr *) guard_under(g, (Node *) expr->defresult, conditions);
	return (Node *) result;
}

/* A mutator; what distil_next_call does not look into stays as it is. */
static Node *
guard(Node *node, void *ctx)
{
	if (node == NULL)
		return NULL;
	switch (nodeTag(node))
	{
		case T_BoolExpr:
			return guard_bool(ctx, (BoolExpr *) node);
		case T_CoalesceExpr:
			return guard_coalesce(ctx, (CoalesceExpr *) node);
		case T_CaseExpr:
			return guard_case(ctx, (CaseExpr *) node);
		case T_FuncExpr:
			return guard_call(ctx, (FuncExpr *) node);
		case T_OpExpr:
			if (((OpExpr *) node)->opretset)
				return node;
			return expression_tree_mutator(node, guard, ctx);
		case T_List:
		case T_TargetEntry:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
		case T_MinMaxExpr:
		case T_RowExpr:
		case T_ArrayExpr:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_CoerceToDomain:
		case T_FieldSelect:
		case T_NullTest:
		case T_BooleanTest:
			return expression_tree_mutator(node, guard, ctx);
		default:
			return node;
	}
}

Node *
distil_guard_calls(const DistilStatement *s, Node *node, List *always)
{
	Guards		g = {s, always, NIL};

	return guard(node, &g);
}
