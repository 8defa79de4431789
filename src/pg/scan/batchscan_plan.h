/*
 * batchscan_plan.h -- the finished plan, rewritten.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_PLAN_H
#define DISTILBERT_PG_BATCHSCAN_PLAN_H

#include "nodes/plannodes.h"

/* Rewrites the statement in place; says whether there is a batch node now. */
extern bool distil_scan_rewrite(PlannedStmt *stmt);

#endif
