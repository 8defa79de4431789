/*
 * batchscan_walk.h -- through all nodes of a finished plan.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_WALK_H
#define DISTILBERT_PG_BATCHSCAN_WALK_H

#include "nodes/plannodes.h"

/* How to go on. */
typedef enum DistilWalk
{
	DISTIL_WALK_ON,
	DISTIL_WALK_SKIP,			/* not below this node */
	DISTIL_WALK_STOP
} DistilWalk;

/* What a node does for a row beyond evaluating its expressions. */
typedef enum DistilNodeCode
{
	DISTIL_CODE_PLAIN,			/* nothing that could be noticed */
	DISTIL_CODE_RAISES,			/* it may fail */
	DISTIL_CODE_FOREIGN,		/* it may fail, and do in hiding what volatile functions do */
	DISTIL_CODE_UNKNOWN			/* it may do anything */
} DistilNodeCode;

/* exprs: the node's expressions, all of them unless its code is unknown. */
typedef DistilWalk (*DistilPlanVisitor) (Plan *plan, List *exprs, DistilNodeCode code, void *ctx);

/*
 * Call visit for all nodes of a tree, from top to bottom, subplans that it
 * uses included: each once.
 */
extern void distil_plan_walk(PlannedStmt *stmt, Plan *plan, DistilPlanVisitor visit, void *ctx);

#endif
