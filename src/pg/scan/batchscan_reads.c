/*
 * batchscan_reads.c -- what reading rows early could disturb.
 *
 * A batch node fetches rows before they are asked for, and some that never will
 * be: below a LIMIT, for a cursor that is closed early.  Nobody can tell,
 * unless fetching a row has effects (volatile functions below, or a node's code
 * that we do not know) or fails for it (1 / n > 0 in a condition below).  So
 * all that is evaluated when a row is fetched is looked at.  What the first row
 * makes the plan do at once (sorting, hashing, aggregating all of its input)
 * does not count.
 *
 * Leakproof functions do not raise for any value; of the others a few that
 * queries on text are full of are known not to.  For anything unknown the
 * answer is that it does.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "pg/scan/batchscan_calls.h"
#include "pg/scan/batchscan_node.h"
#include "pg/scan/batchscan_reads.h"
#include "pg/scan/batchscan_walk.h"

/* ---- functions, by their names in pg_catalog ---- */

/*
 * Not marked leakproof, but they take any value.  Not those on json, which may
 * have \u0000, nor date_part, whose unit may be none.
 */
static const char *const never_raise[] = {
	"bpchar", "btrim", "btrim1", "bttextcmp", "initcap", "jsonb_array_element_text",
	"jsonb_object_field", "jsonb_object_field_text", "left", "length", "lower", "ltrim",
	"ltrim1", "md5", "octet_length", "replace", "reverse", "right", "rtrim", "rtrim1",
	"starts_with", "strpos", "text", "text_starts_with", "textcat", "textlen", "textpos",
	"upper", "varchar",
	/* output and input of text, by CAST */
	"textin", "varcharin", "textout", "varcharout", "bpcharout", "nameout", "boolout",
	"int2out", "int4out", "int8out", "float4out", "float8out", "numeric_out", "uuid_out",
	"date_out", "timestamp_out", "timestamptz_out"
};

/* They fail for some second arguments, not for a positive constant. */
static const char *const divisions[] = {
	"int2div", "int2mod", "int4div", "int4mod", "int8div", "int8mod"
};

/* Volatile, but they neither run other code nor change settings. */
static const char *const tame[] = {
	"clock_timestamp", "currval", "gen_random_uuid", "lastval", "nextval", "pg_sleep",
	"random", "setseed", "timeofday"
};

static bool
is_one_of(Oid funcid, const char *const *names, int n)
{
	char	   *name = funcid < FirstNormalObjectId ? get_func_name(funcid) : NULL;

	for (int i = 0; i < n && name != NULL; i++)
	{
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* ---- expressions ---- */

/* One length() reads bytes in an encoding, which they may not be in. */
static bool
function_may_raise(Oid funcid, void *ctx)
{
	return !get_func_leakproof(funcid) &&
		(funcid == F_LENGTH_BYTEA_NAME ||
		 !is_one_of(funcid, never_raise, lengthof(never_raise)));
}

/* The comparison of built-in types, but for rows, takes any two values. */
static bool
comparison_may_raise(Oid type)
{
	return type >= FirstNormalObjectId || type_is_rowtype(type);
}

static bool
is_positive(Node *node)
{
	Const	   *c = (Const *) node;

	if (!IsA(node, Const) || c->constisnull)
		return false;
	switch (c->consttype)
	{
		case INT2OID:
			return DatumGetInt16(c->constvalue) > 0;
		case INT4OID:
			return DatumGetInt32(c->constvalue) > 0;
		case INT8OID:
			return DatumGetInt64(c->constvalue) > 0;
		default:
			return false;
	}
}

static bool
is_safe_division(Node *node)
{
	OpExpr	   *op = (OpExpr *) node;

	if (!IsA(node, OpExpr) || list_length(op->args) != 2 || !is_positive(lsecond(op->args)))
		return false;
	set_opfuncid(op);
	return is_one_of(op->opfuncid, divisions, lengthof(divisions));
}

/* Parameters that the executor sets. */
static bool
has_parameter(Node *node, void *ctx)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind == PARAM_EXEC;
	return expression_tree_walker(node, has_parameter, ctx);
}

/*
 * A parameter may be what (SELECT ...) gives, which runs, and may fail, when it
 * is read first: where it stands in an arm, perhaps for a later row.
 */
static bool
reads_sometimes(Node *node)
{
	if (IsA(node, BoolExpr) && ((BoolExpr *) node)->boolop == NOT_EXPR)
		return false;
	return expression_tree_walker(node, has_parameter, NULL);
}

static bool
may_raise(Node *node, void *ctx)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_FuncExpr:
		case T_ScalarArrayOpExpr:
		case T_CoerceViaIO:
			if (!is_safe_division(node) &&
				check_functions_in_node(node, function_may_raise, ctx))
				return true;
			break;
		case T_ArrayExpr:
			if (((ArrayExpr *) node)->multidims)
				return true;	/* unless all have the same dimensions */
			break;
		case T_MinMaxExpr:
			if (comparison_may_raise(((MinMaxExpr *) node)->minmaxtype))
				return true;
			break;
		case T_BoolExpr:
		case T_CaseExpr:
		case T_CoalesceExpr:
			if (reads_sometimes(node))
				return true;
			break;
		case T_RangeTblFunction:
			return may_raise(((RangeTblFunction *) node)->funcexpr, ctx);
		case T_Var:
		case T_Const:
		case T_Param:
		case T_List:
		case T_TargetEntry:
		case T_RelabelType:
		case T_CaseWhen:
		case T_CaseTestExpr:
		case T_RowExpr:
		case T_FieldSelect:
		case T_NullTest:
		case T_BooleanTest:
		case T_SQLValueFunction:
			break;
		default:
			return true;
	}
	return expression_tree_walker(node, may_raise, ctx);
}

/* ---- questions about plans ---- */

/*
 * Does it read all its input before it gives its first row, and only then?  As
 * long as no parameter changes, it does not read it again.
 */
static bool
reads_all_first(Plan *plan)
{
	if (!bms_is_empty(plan->extParam))
		return false;
	switch (nodeTag(plan))
	{
		case T_Sort:
		case T_Hash:
		case T_FunctionScan:
		case T_TableFuncScan:
			return true;
		case T_Agg:
			return ((Agg *) plan)->aggstrategy == AGG_PLAIN ||
				   ((Agg *) plan)->aggstrategy == AGG_HASHED;
		default:
			return false;
	}
}

typedef struct Inspection
{
	const DistilStatement *s;
	DistilReads reads;
} Inspection;

static DistilWalk
inspect_node(Plan *plan, List *exprs, DistilNodeCode code, void *ctx)
{
	Inspection *i = ctx;

	if (reads_all_first(plan))
		exprs = list_make2(plan->targetlist, plan->qual);
	else
	{
		i->reads.is_volatile |= code == DISTIL_CODE_UNKNOWN ||
			(code == DISTIL_CODE_FOREIGN && i->s->is_volatile);
		i->reads.may_raise |= code != DISTIL_CODE_PLAIN;
	}
	i->reads.is_volatile |= contain_volatile_functions((Node *) exprs);
	i->reads.may_raise |= may_raise((Node *) exprs, NULL);
	return reads_all_first(plan) ? DISTIL_WALK_SKIP : DISTIL_WALK_ON;
}

bool
distil_may_raise(Node *node)
{
	return may_raise(node, NULL);
}

bool
distil_arguments_may_raise(const CustomScan *scan)
{
	ListCell   *lc;

	foreach(lc, distil_scan_calls(scan))
	{
		if (may_raise((Node *) lfirst_node(FuncExpr, lc)->args, NULL))
			return true;
	}
	return false;
}

/*
 * Batch nodes directly on top of each other know which rows are read early
 * (see batchscan_exec.c), so that their calls do not count.
 */
DistilReads
distil_inspect_rows(const DistilStatement *s, Plan *plan)
{
	Inspection	i = {.s = s};

	while (distil_is_scan(plan))
	{
		i.reads.may_raise |= distil_arguments_may_raise((CustomScan *) plan) ||
			may_raise((Node *) plan->targetlist, NULL) || may_raise((Node *) plan->qual, NULL);
		i.reads.is_volatile |= contain_volatile_functions((Node *) plan->targetlist) ||
			contain_volatile_functions((Node *) plan->qual);
		plan = outerPlan(plan);
	}
	distil_plan_walk(s->stmt, plan, inspect_node, &i);
	return i.reads;
}

static bool
function_is_unruly(Oid funcid, void *ctx)
{
	return func_volatile(funcid) == PROVOLATILE_VOLATILE &&
		   !is_one_of(funcid, tame, lengthof(tame));
}

static bool
is_unruly(Node *node, void *ctx)
{
	if (node == NULL)
		return false;
	return check_functions_in_node(node, function_is_unruly, ctx) ||
		expression_tree_walker(node, is_unruly, ctx);
}

static DistilWalk
find_unruly(Plan *plan, List *exprs, DistilNodeCode code, void *ctx)
{
	*(bool *) ctx |= is_unruly((Node *) exprs, NULL);
	return *(bool *) ctx ? DISTIL_WALK_STOP : DISTIL_WALK_ON;
}

static DistilWalk
find_volatile(Plan *plan, List *exprs, DistilNodeCode code, void *ctx)
{
	*(bool *) ctx |= contain_volatile_functions((Node *) exprs);
	return *(bool *) ctx ? DISTIL_WALK_STOP : DISTIL_WALK_ON;
}

static DistilWalk
find_task(Plan *plan, List *exprs, DistilNodeCode code, void *ctx)
{
	*(bool *) ctx |= distil_has_task((Node *) exprs);
	return *(bool *) ctx ? DISTIL_WALK_STOP : DISTIL_WALK_ON;
}

static DistilWalk
find_batch(Plan *plan, List *exprs, DistilNodeCode code, void *ctx)
{
	*(bool *) ctx |= distil_is_scan(plan);
	return *(bool *) ctx ? DISTIL_WALK_STOP : DISTIL_WALK_ON;
}

static bool
found_in(PlannedStmt *stmt, DistilPlanVisitor visit)
{
	bool		found = false;

	distil_plan_walk(stmt, stmt->planTree, visit, &found);
	return found;
}

bool
distil_is_unruly(PlannedStmt *stmt)
{
	return found_in(stmt, find_unruly);
}

bool
distil_is_volatile(PlannedStmt *stmt)
{
	return found_in(stmt, find_volatile);
}

bool
distil_statement_has_task(PlannedStmt *stmt)
{
	return found_in(stmt, find_task);
}

bool
distil_statement_has_scan(PlannedStmt *stmt)
{
	return found_in(stmt, find_batch);
}
