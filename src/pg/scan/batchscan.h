/*
 * batchscan.h -- Custom Scan (DistilBatch): calls of model functions, evaluated
 * for many rows at a time.
 *
 * A plan node that computes such calls,
 *
 *		Seq Scan on t						SELECT id, distil_sentiment(body)
 *			tlist: id, f(body)				FROM t WHERE n > 3 AND f(body) > 0.5
 *			qual: n > 3, f(body) > 0.5
 *
 * becomes one that computes what they need, and a node above it that collects
 * its rows and appends the answers as columns:
 *
 *		Custom Scan (DistilBatch)
 *			tlist: id, f					of the columns (id, body, f)
 *			qual: f > 0.5
 *			-> Seq Scan on t
 *				tlist: id, body
 *				qual: n > 3
 *
 * Parts, each of which sees only those above it:
 *	batchscan_calls.c	which calls, in which places of an expression
 *	batchscan_reads.c	what reading rows early could disturb
 *	batchscan_split.c	one plan node into nodes with and without calls
 *	batchscan_plan.c	the finished plan, from top to bottom
 *	batchscan_hooks.c	where PostgreSQL lets us in
 * and, at run time (batchstate.h),
 *	batchscan_window.c	texts through models
 *	batchscan_exec.c	the node
 *	batchscan_counts.c	its counts, in parallel queries
 *	batchscan_explain.c	what EXPLAIN says of it
 */
#ifndef DISTILBERT_PG_BATCHSCAN_H
#define DISTILBERT_PG_BATCHSCAN_H

#include "nodes/extensible.h"
#include "nodes/plannodes.h"

#include "pg/func/task.h"

/* ---- the plan node ---- */

/*
 * custom_scan_tlist: the child's columns, Vars of OUTER_VAR; then the calls,
 * FuncExprs over Vars of OUTER_VAR.  targetlist and qual refer to it by
 * INDEX_VAR.  The child is the left one.  custom_private as below.
 */
extern const CustomScanMethods distil_scan_methods;

/* When a row may be read before it is asked for, and more often than it is. */
typedef enum DistilAhead
{
	DISTIL_AHEAD_FREE,			/* always: nobody can tell */
	DISTIL_AHEAD_RUN,			/* when the statement is run to its end */
	DISTIL_AHEAD_NEVER
} DistilAhead;

extern bool distil_is_scan(const Plan *plan);

/* custom_private, which workers get as text: one Integer */
extern void distil_scan_set_ahead(CustomScan *scan, DistilAhead ahead);
extern DistilAhead distil_scan_ahead(const CustomScan *scan);

/* A List of FuncExprs: what custom_scan_tlist has after the child's columns. */
extern List *distil_scan_calls(const CustomScan *scan);

/* ---- calls (batchscan_calls.c) ---- */

/* The task of one of our functions; NULL for any other, and for one that was
 * altered to have settings or another owner's rights. */
extern const DistilTask *distil_task_of(Oid funcid);

/* What is known about the statement a call stands in. */
typedef struct DistilStatement
{
	PlannedStmt *stmt;
	bool		unruly;			/* its volatile functions may change settings */
} DistilStatement;

/*
 * May this call be evaluated early and in company?  Its texts depend on the
 * row, its model and options do not, its arguments may be evaluated again.
 */
extern bool distil_call_fits(const DistilStatement *s, Node *node);

/*
 * The first call that fits, stands in node where it is evaluated whatever the
 * values are, is not in done (a List of calls), and whose arguments contain
 * no other such call; NULL if there is none.
 */
extern FuncExpr *distil_next_call(const DistilStatement *s, Node *node, List *done);

/*
 * Does one pass of a model answer both, which is made for a: the same arguments
 * and tests of model and options?  Then b costs nothing and fails only where a
 * does, so that it may be answered for rows that need a alone.
 */
extern bool distil_are_siblings(const FuncExpr *a, const FuncExpr *b);

/* Does a call that fits stand anywhere in node, conditional or not? */
extern bool distil_has_task(Node *node);

/* ---- reading early (batchscan_reads.c) ---- */

typedef struct DistilReads
{
	bool		is_volatile;	/* functions that count their calls */
	bool		may_raise;		/* expressions that fail for some rows */
} DistilReads;

/* What happens when a row of plan is fetched, beyond the first. */
extern DistilReads distil_inspect_rows(PlannedStmt *stmt, Plan *plan);

/* May evaluating the arguments of a batch node's calls raise for some rows? */
extern bool distil_arguments_may_raise(const CustomScan *scan);

/* Volatile functions of the whole statement that could change a setting? */
extern bool distil_is_unruly(PlannedStmt *stmt);

/* ---- rewriting ---- */

/* How far the node above reads its input. */
typedef enum DistilDemand
{
	DISTIL_DEMAND_END,			/* to the end, once it has begun */
	DISTIL_DEMAND_RUN,			/* to the end, if the statement is run to the end */
	DISTIL_DEMAND_LESS			/* perhaps not */
} DistilDemand;

/* Where a plan node stands. */
typedef struct DistilPlace
{
	DistilDemand demand;
	bool		under_limit;	/* directly; demand is then the limit's own */
	bool		markable;		/* must stay able to mark and restore */
	bool		shared;			/* below a Gather */
} DistilPlace;

typedef struct DistilRewrite
{
	DistilStatement s;
	int			next_id;		/* free plan_node_id */
} DistilRewrite;

/*
 * Plan with its calls taken out into batch nodes above it; or plan, as it was.
 */
extern Plan *distil_split(DistilRewrite *r, Plan *plan, DistilPlace at);

/* An Agg or WindowAgg with the calls in its arguments taken out below it. */
extern void distil_split_arguments(DistilRewrite *r, Plan *plan, DistilPlace at);

/* A target list that passes on all of another's columns, by Vars of varno. */
extern List *distil_column_vars(List *tlist, int varno);

/* Rewrites the statement in place; says whether there is a batch node now. */
extern bool distil_scan_rewrite(PlannedStmt *stmt);

/* The same question about the calls of a statement, to be cheap. */
extern bool distil_statement_has_task(PlannedStmt *stmt);
extern bool distil_statement_has_scan(PlannedStmt *stmt);

/*
 * Call visit for the expressions and the node itself of all plan nodes of a
 * tree, from top to bottom, subplans included; it says how to go on.
 */
typedef enum DistilWalk
{
	DISTIL_WALK_ON,
	DISTIL_WALK_SKIP,			/* not below this node */
	DISTIL_WALK_STOP
} DistilWalk;
typedef DistilWalk (*DistilPlanVisitor) (Plan *plan, List *exprs, bool known, void *ctx);
extern void distil_plan_walk(PlannedStmt *stmt, Plan *plan, DistilPlanVisitor visit, void *ctx);

/* Does a run of the executor with this state go on to the plan's end? */
struct EState;
extern bool distil_runs_to_end(struct EState *estate);

/* Called once by _PG_init. */
extern void distil_scan_init(void);

#endif
