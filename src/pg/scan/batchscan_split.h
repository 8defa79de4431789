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

#endif
