/*
 * batchscan_split.h -- one plan node into nodes with and without calls.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_SPLIT_H
#define DISTILBERT_PG_BATCHSCAN_SPLIT_H

#include "pg/scan/batchscan_stages.h"

/*
 * Plan with its calls taken out into batch nodes above it; or plan, as it was.
 */
extern Plan *distil_split(DistilRewrite *r, Plan *plan, DistilPlace at);

/* Its parts, for nodes of several children. */

/*
 * Conditions (NULL: there are none) and target list with guarded calls.  What
 * is computed for all rows that get so far needs no guard.
 */
extern void distil_guard_node(DistilRewrite *r, List **conditions, List **tlist);

/* Cut off the conditions from the first on that has a call. */
extern List *distil_take_conditions(DistilRewrite *r, List **conditions);

extern List *distil_as_target_list(List *exprs);

/*
 * The stages above plan, which has s->leaves for columns, for conditions and
 * tlist, which are expressions over the leaves.
 */
extern Plan *distil_stack_stages(DistilSplit *s, Plan *plan, List *conditions, List *tlist,
								 bool shared);

#endif
