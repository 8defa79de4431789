/*
 * batchscan_stages.h -- batch nodes on top of a plan node, for its calls.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_STAGES_H
#define DISTILBERT_PG_BATCHSCAN_STAGES_H

#include "pg/scan/batchscan_calls.h"
#include "pg/scan/batchscan_node.h"

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
	bool		shared;			/* below a Gather, which EXPLAIN shows */
} DistilPlace;

/* A statement that is rewritten. */
typedef struct DistilRewrite
{
	DistilStatement s;
	int			next_id;		/* free plan_node_id */
} DistilRewrite;

/*
 * A plan node P, and the stages above it so far.  Columns of all stages are
 * numbered alike: leaves from 1, then the calls in the order of their stages.
 */
typedef struct DistilSplit
{
	DistilRewrite *r;
	List	   *leaves;			/* expressions of P */
	List	   *calls;			/* done, as they stood in P, with equal() ones once */
	int			n_leaves;
	bool		by_number;		/* leaves are Vars that have their column's number */
	int			varno;			/* what leaves and calls become Vars of */
} DistilSplit;

/* A Var of varno with the type of expr. */
extern Var *distil_var_of(Node *expr, int varno, int column);

/* A target list that passes on all of another's columns, by Vars of varno. */
extern List *distil_column_vars(List *tlist, int varno);

/* A walker: the leaves of node join those of ctx, a DistilSplit. */
extern bool distil_collect_leaves(Node *node, void *ctx);

/*
 * A mutator: an expression of P in terms of the columns there are; ctx is a
 * DistilSplit.
 */
extern Node *distil_in_columns(Node *node, void *ctx);

/* Calls of expr that are not done and need no others to be done first. */
extern List *distil_ready_calls(DistilSplit *s, Node *expr);

/*
 * Stages until all calls of expr are done; the last of them, or below.  The
 * expressions in later are evaluated for rows that are left then.
 */
extern Plan *distil_add_stages(DistilSplit *s, Plan *below, Node *expr, List *later, bool shared);

/*
 * Tell each stage from top down to plan, which is none, how far it may read
 * ahead; false: one may not at all.
 */
extern bool distil_allow_ahead(DistilRewrite *r, Plan *top, Plan *plan, DistilPlace at);

#endif
