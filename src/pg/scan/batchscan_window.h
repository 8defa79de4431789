/*
 * batchscan_window.h -- the texts of a window through their models.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_WINDOW_H
#define DISTILBERT_PG_BATCHSCAN_WINDOW_H

#include "pg/scan/batchstate.h"

/*
 * Evaluate the texts of row i, which is in state->row, and count their bytes.
 */
extern void distil_window_take_texts(DistilScanState *state, int i);

/*
 * Compute the calls of all rows of the window, in batches.  needed: the first
 * row has been asked for, so that what fails for all rows may fail now.  What
 * fails for one is left to be done later.
 */
extern void distil_window_compute(DistilScanState *state, bool needed);

/* The answer that was left for later; raises what there is to raise.  The
 * result lives in the current context. */
extern Datum distil_call_now(DistilScanState *state, DistilCall *call, const DistilCell *cell,
							 bool *isnull);

/*
 * The call's answers for the window's rows from row on, now that the model has
 * been opened for the one before.
 */
extern void distil_window_compute_rest(DistilScanState *state, DistilCall *call, int row);

#endif
