/*
 * batchscan_calls.c -- which calls a batch node may evaluate, and in which
 * places.
 *
 * A call is evaluated early, for rows that are not asked for yet, so it must
 * stand where an executor would evaluate it for each row anyhow: not under a
 * CASE, nor behind the first arm of AND, OR and COALESCE, unless it has become
 * one that is NULL for other rows (batchscan_guards.c).  What stands in its
 * arguments is evaluated early, too, and may be evaluated a second time, when
 * the early attempt failed.
 *
 * The model's name and the options must not depend on the row: so finding the
 * model, and whether it and the options fit, is a matter of the statement and
 * not of a row that may never be asked for.  Nor are calls batched whose texts
 * do not depend on the row: they have one answer.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "pg/scan/batchscan_calls.h"

typedef struct KnownFunction
{
	Oid			funcid;			/* key */
	const DistilTask *task;		/* or NULL */
} KnownFunction;

/* What was asked for, until some function changes. */
static HTAB *known = NULL;

/* ---- functions ---- */

/*
 * One value for texts, perhaps a model, options and rules (or that of errors
 * alone), as task.h says?
 */
static bool
takes_texts(Form_pg_proc proc, const DistilTask *task)
{
	int			more = proc->pronargs - distil_task_texts(task) - task->n_options;

	if (proc->proretset || OidIsValid(proc->provariadic) || (more != 0 && more != 2 && more != 3))
		return false;
	for (int i = 0; i < proc->pronargs; i++)
	{
		if (proc->proargtypes.values[i] != TEXTOID &&
			!distil_task_is_option(task, proc->pronargs, i))
			return false;
	}
	return true;
}

static bool
attribute_is_set(HeapTuple tuple, AttrNumber attribute)
{
	bool		isnull;

	(void) SysCacheGetAttr(PROCOID, tuple, attribute, &isnull);
	return !isnull;
}

/*
 * The task that a function's C symbol names, if the function is called without
 * ado.
 */
static const DistilTask *
task_of_symbol(HeapTuple tuple)
{
	Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(tuple);
	const DistilTask *task;
	bool		isnull;
	Datum		symbol;

	if (proc->prolang != ClanguageId || proc->prosecdef ||
		attribute_is_set(tuple, Anum_pg_proc_proconfig))
		return NULL;
	symbol = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	task = isnull ? NULL : distil_task_of_symbol(TextDatumGetCString(symbol));
	return task != NULL && takes_texts(proc, task) ? task : NULL;
}

static bool
belongs_to_us(Oid funcid)
{
	Oid			extension = get_extension_oid("distilbert", true);

	return OidIsValid(extension) &&
		getExtensionOfObject(ProcedureRelationId, funcid) == extension;
}

static const DistilTask *
look_up_task(Oid funcid)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcid));
	const DistilTask *task;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	task = task_of_symbol(tuple);
	ReleaseSysCache(tuple);

	/* somebody else's function may have the same symbol */
	return task != NULL && belongs_to_us(funcid) ? task : NULL;
}

static void
forget_functions(Datum arg, int cacheid, uint32 hashvalue)
{
	if (known != NULL)
		hash_destroy(known);
	known = NULL;
}

static void
start_knowing(void)
{
	static bool registered = false;
	HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(KnownFunction)};

	if (!registered)
		CacheRegisterSyscacheCallback(PROCOID, forget_functions, (Datum) 0);
	registered = true;
	ctl.hcxt = TopMemoryContext;
	known = hash_create("distilbert functions", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

const DistilTask *
distil_task_of(Oid funcid)
{
	KnownFunction *entry;
	const DistilTask *task;

	if (funcid < FirstNormalObjectId)
		return NULL;
	entry = known == NULL ? NULL : hash_search(known, &funcid, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->task;

	/* may read catalogs and so forget what is known */
	task = look_up_task(funcid);
	if (known == NULL)
		start_knowing();
	entry = hash_search(known, &funcid, HASH_ENTER, NULL);
	entry->task = task;
	return task;
}

/* ---- calls ---- */

/* Anything that differs from row to row? */
static bool
depends_on_row(Node *node, void *ctx)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) || IsA(node, Aggref) || IsA(node, WindowFunc) || IsA(node, GroupingFunc))
		return true;
	return expression_tree_walker(node, depends_on_row, ctx);
}

/* Anything that makes sense only where it stands, or runs a plan? */
static bool
bound_to_place(Node *node, void *ctx)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_SubPlan:
		case T_AlternativeSubPlan:
		case T_CaseTestExpr:
		case T_CoerceToDomainValue:
		case T_SetToDefault:
		case T_CurrentOfExpr:
		case T_NextValueExpr:
			return true;
		case T_Aggref:
		case T_WindowFunc:
			return false;		/* a column to us */
		default:
			return expression_tree_walker(node, bound_to_place, ctx);
	}
}

/* A text does, the model and the options do not. */
static bool
only_texts_depend_on_row(const DistilTask *task, List *args)
{
	bool		texts = false;
	ListCell   *lc;

	foreach(lc, args)
	{
		if (!depends_on_row(lfirst(lc), NULL))
			continue;
		if (foreach_current_index(lc) >= distil_task_texts(task))
			return false;
		texts = true;
	}
	return texts;
}

/*
 * May this call be evaluated early and in company?  Its texts depend on the
 * row, its model and options do not, its arguments may be evaluated again.
 */
bool
distil_call_fits(const DistilStatement *s, Node *node)
{
	FuncExpr   *call = (FuncExpr *) node;
	const DistilTask *task = IsA(node, FuncExpr) ? distil_task_of(call->funcid) : NULL;

	if (task == NULL || !only_texts_depend_on_row(task, call->args))
		return false;
	return !bound_to_place((Node *) call->args, NULL) &&
		!expression_returns_set((Node *) call->args) &&
		!contain_volatile_functions(node) &&
		!(s->unruly && contain_mutable_functions(node));
}

static bool
same_default_model(const DistilTask *a, const DistilTask *b)
{
	return a->setting == b->setting ||
		(a->setting != NULL && b->setting != NULL && strcmp(a->setting, b->setting) == 0);
}

bool
distil_are_siblings(const FuncExpr *a, const FuncExpr *b)
{
	const DistilTask *x = distil_task_of(a->funcid);
	const DistilTask *y = distil_task_of(b->funcid);

	return x->want == y->want && x->pair == y->pair && x->n_options == y->n_options &&
		x->check == y->check && same_default_model(x, y) &&
		func_strict(a->funcid) == func_strict(b->funcid) && equal(a->args, b->args);
}

/* ---- places ---- */

static List *
first_of(List *list)
{
	return list == NIL ? NIL : list_make1(linitial(list));
}

static List *
always_of_case(CaseExpr *expr)
{
	Expr	   *first = linitial_node(CaseWhen, expr->args)->expr;

	return expr->arg != NULL ? list_make2(expr->arg, first) : list_make1(first);
}

/*
 * The parts of an expression that are evaluated whenever it is.  Arguments of a
 * function that returns a set are evaluated for other rows than its result.
 */
static List *
always_evaluated(Node *node)
{
	switch (nodeTag(node))
	{
		case T_List:
			return (List *) node;
		case T_TargetEntry:
			return list_make1(((TargetEntry *) node)->expr);
		case T_FuncExpr:
			return ((FuncExpr *) node)->funcretset ? NIL : ((FuncExpr *) node)->args;
		case T_OpExpr:
			return ((OpExpr *) node)->opretset ? NIL : ((OpExpr *) node)->args;
		case T_DistinctExpr:
		case T_NullIfExpr:
			return ((OpExpr *) node)->args;
		case T_ScalarArrayOpExpr:
			return ((ScalarArrayOpExpr *) node)->args;
		case T_BoolExpr:
			return first_of(((BoolExpr *) node)->args);
		case T_CoalesceExpr:
			return first_of(((CoalesceExpr *) node)->args);
		case T_CaseExpr:
			return always_of_case((CaseExpr *) node);
		case T_MinMaxExpr:
			return ((MinMaxExpr *) node)->args;
		case T_RowExpr:
			return ((RowExpr *) node)->args;
		case T_ArrayExpr:
			return ((ArrayExpr *) node)->elements;
		case T_RelabelType:
			return list_make1(((RelabelType *) node)->arg);
		case T_CoerceViaIO:
			return list_make1(((CoerceViaIO *) node)->arg);
		case T_ArrayCoerceExpr:
			return list_make1(((ArrayCoerceExpr *) node)->arg);
		case T_CoerceToDomain:
			return list_make1(((CoerceToDomain *) node)->arg);
		case T_FieldSelect:
			return list_make1(((FieldSelect *) node)->arg);
		case T_NullTest:
			return list_make1(((NullTest *) node)->arg);
		case T_BooleanTest:
			return list_make1(((BooleanTest *) node)->arg);
		default:
			return NIL;
	}
}

static List *
rest_of(List *list)
{
	return list_copy_tail(list, 1);
}

/* The arms of CASE that are not evaluated always. */
static List *
sometimes_of_case(CaseExpr *expr)
{
	List	   *arms = NIL;
	ListCell   *lc;

	foreach(lc, expr->args)
	{
		CaseWhen   *when = lfirst_node(CaseWhen, lc);

		if (foreach_current_index(lc) > 0)
			arms = lappend(arms, when->expr);
		arms = lappend(arms, when->result);
	}
	return lappend(arms, expr->defresult);
}

/* The parts of an expression that are evaluated for some rows. */
static List *
sometimes_evaluated(Node *node)
{
	switch (nodeTag(node))
	{
		case T_BoolExpr:
			return rest_of(((BoolExpr *) node)->args);
		case T_CoalesceExpr:
			return rest_of(((CoalesceExpr *) node)->args);
		case T_CaseExpr:
			return sometimes_of_case((CaseExpr *) node);
		default:
			return NIL;
	}
}

static bool
has_guard(FuncExpr *call)
{
	Node	   *text = call->args == NIL ? NULL : linitial(call->args);

	return text != NULL && IsA(text, CaseExpr) &&
		((CaseExpr *) text)->location == DISTIL_GUARD_LOCATION;
}

/* Inner calls come before those around them.  always: node itself is. */
static FuncExpr *
next_call(const DistilStatement *s, Node *node, List *done, bool always)
{
	FuncExpr   *inner;
	ListCell   *lc;

	if (node == NULL)
		return NULL;
	foreach(lc, always_evaluated(node))
	{
		if ((inner = next_call(s, lfirst(lc), done, always)) != NULL)
			return inner;
	}
	foreach(lc, sometimes_evaluated(node))
	{
		if ((inner = next_call(s, lfirst(lc), done, false)) != NULL)
			return inner;
	}
	if (IsA(node, FuncExpr) && (always || has_guard((FuncExpr *) node)) &&
		!list_member(done, node) && distil_call_fits(s, node))
		return (FuncExpr *) node;
	return NULL;
}

FuncExpr *
distil_next_call(const DistilStatement *s, Node *node, List *done)
{
	return next_call(s, node, done, true);
}

static bool
has_task(Node *node, void *ctx)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) && distil_task_of(((FuncExpr *) node)->funcid) != NULL)
		return true;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, has_task, ctx, 0);
	return expression_tree_walker(node, has_task, ctx);
}

bool
distil_has_task(Node *node)
{
	return has_task(node, NULL);
}
