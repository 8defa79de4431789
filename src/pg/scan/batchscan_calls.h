/*
 * batchscan_calls.h -- which calls a batch node may evaluate, and in which
 * places of an expression.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_CALLS_H
#define DISTILBERT_PG_BATCHSCAN_CALLS_H

#include "nodes/plannodes.h"

#include "pg/func/task.h"

/* The task of one of our functions; NULL for any other, and for one that was
 * altered to have settings or another owner's rights. */
extern const DistilTask *distil_task_of(Oid funcid);

/* What is known about the statement a call stands in. */
typedef struct DistilStatement
{
	PlannedStmt *stmt;
	bool		is_volatile;	/* it has volatile functions */
	bool		unruly;			/* its volatile functions may change settings */
} DistilStatement;

/*
 * The first call that may be evaluated early and in company, stands in node
 * where it is evaluated whatever the values are, or has its guard in itself, is
 * not in done (a List of calls), and whose arguments contain no other such
 * call; NULL if there is none.
 */
extern FuncExpr *distil_next_call(const DistilStatement *s, Node *node, List *done);

/* May this node be a call that is evaluated early and in company? */
extern bool distil_call_fits(const DistilStatement *s, Node *node);

/*
 * The location of the CASE in a call's first text that has the conditions of
 * the arm the call stands in: it may be evaluated for all rows.
 */
#define DISTIL_GUARD_LOCATION	(-4)

/*
 * May b be answered by a pass of a model that is made for a?  Arguments and
 * tests of model and options are the same.  Then b costs nothing more and
 * fails only where a does, so it may be answered for rows that need only a.
 */
extern bool distil_are_siblings(const FuncExpr *a, const FuncExpr *b);

/* Does one of our functions stand anywhere in node, conditional or not? */
extern bool distil_has_task(Node *node);

#endif
