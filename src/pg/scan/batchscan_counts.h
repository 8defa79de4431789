/*
 * batchscan_counts.h -- what a batch node counted, in all processes of a query.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_COUNTS_H
#define DISTILBERT_PG_BATCHSCAN_COUNTS_H

#include "nodes/extensible.h"

/* All of CustomExecMethods. */
struct ParallelContext;
struct shm_toc;
extern Size distil_scan_estimate_dsm(CustomScanState *css, struct ParallelContext *pcxt);
extern void distil_scan_initialize_dsm(CustomScanState *css, struct ParallelContext *pcxt,
									   void *coordinate);
extern void distil_scan_reinitialize_dsm(CustomScanState *css, struct ParallelContext *pcxt,
										 void *coordinate);
extern void distil_scan_initialize_worker(CustomScanState *css, struct shm_toc *toc,
										  void *coordinate);
extern void distil_scan_shut_down(CustomScanState *css);

#endif
