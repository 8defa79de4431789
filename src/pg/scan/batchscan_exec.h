/*
 * batchscan_exec.h -- the batch node at work.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_EXEC_H
#define DISTILBERT_PG_BATCHSCAN_EXEC_H

#include "nodes/extensible.h"

/* Those of the plan node (batchscan_node.h). */
extern const CustomScanMethods distil_scan_methods;

#endif
