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

/* exprs: the node's expressions; known is false if it may have more. */
typedef DistilWalk (*DistilPlanVisitor) (Plan *plan, List *exprs, bool known, void *ctx);

/*
 * Call visit for all nodes of a tree, from top to bottom, subplans that it
 * uses included: each once.
 */
extern void distil_plan_walk(PlannedStmt *stmt, Plan *plan, DistilPlanVisitor visit, void *ctx);

#endif
