/*
 * batchscan_counts.c -- what a batch node counted, in all processes of a query.
 *
 * Below a Gather each worker has a node of its own.  It leaves its counts in
 * the query's shared memory when it is shut down; the leader adds them to its
 * own before that memory goes.  A worker may be shut down more than once, and
 * be started again for a rescan.
 */
#include "postgres.h"

#include "access/parallel.h"

#include "pg/scan/batchscan_counts.h"
#include "pg/scan/batchstate.h"

static void
add_counts(DistilCounts *sum, const DistilCounts *counts)
{
	sum->rows += counts->rows;
	distil_usage_add(&sum->usage, &counts->usage);
}

static Size
counts_size(int n)
{
	return add_size(offsetof(DistilSharedCounts, counts), mul_size(n, sizeof(DistilCounts)));
}

Size
distil_scan_estimate_dsm(CustomScanState *css, ParallelContext *pcxt)
{
	return counts_size(pcxt->nworkers);
}

void
distil_scan_initialize_dsm(CustomScanState *css, ParallelContext *pcxt, void *coordinate)
{
	DistilScanState *state = (DistilScanState *) css;

	state->shared = coordinate;
	memset(state->shared, 0, counts_size(pcxt->nworkers));
	state->shared->n = pcxt->nworkers;
}

/* A rescan starts workers again: they go on counting. */
void
distil_scan_reinitialize_dsm(CustomScanState *css, ParallelContext *pcxt, void *coordinate)
{
}

void
distil_scan_initialize_worker(CustomScanState *css, shm_toc *toc, void *coordinate)
{
	((DistilScanState *) css)->shared = coordinate;
}

void
distil_scan_shut_down(CustomScanState *css)
{
	DistilScanState *state = (DistilScanState *) css;
	DistilSharedCounts *shared = state->shared;

	if (shared == NULL)
		return;
	if (IsParallelWorker())
	{
		add_counts(&shared->counts[ParallelWorkerNumber], &state->counts);
		memset(&state->counts, 0, sizeof(DistilCounts));
		return;
	}
	for (int i = 0; i < shared->n; i++)
		add_counts(&state->counts, &shared->counts[i]);
	state->shared = NULL;
}
