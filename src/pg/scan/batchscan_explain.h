/*
 * batchscan_explain.h -- what EXPLAIN says of a batch node.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_EXPLAIN_H
#define DISTILBERT_PG_BATCHSCAN_EXPLAIN_H

#include "nodes/extensible.h"

/* Of CustomExecMethods. */
struct ExplainState;
extern void distil_scan_explain(CustomScanState *css, List *ancestors, struct ExplainState *es);

#endif
