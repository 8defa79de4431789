/*
 * batchscan_arguments.h -- calls in the arguments of aggregates.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_ARGUMENTS_H
#define DISTILBERT_PG_BATCHSCAN_ARGUMENTS_H

#include "pg/scan/batchscan_stages.h"

/*
 * An Agg or WindowAgg with the calls in its arguments taken out into batch
 * nodes between it and its child, which stands at this place; or as it was.
 */
extern void distil_split_arguments(DistilRewrite *r, Plan *plan, DistilPlace below);

#endif
