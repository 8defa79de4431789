/*
 * batchscan_runs.h -- the statements that the executor runs right now.
 *
 * A plan that nobody stops early may read ahead although a row could raise:
 * the error ends the statement in any case.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_RUNS_H
#define DISTILBERT_PG_BATCHSCAN_RUNS_H

#include "nodes/execnodes.h"

/* Does the run of the executor with this state go on to the plan's end? */
extern bool distil_runs_to_end(EState *estate);

/* Called once, when the library is loaded. */
extern void distil_runs_init(void);

#endif
