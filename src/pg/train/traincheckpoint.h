/*
 * traincheckpoint.h -- files from which an interrupted training goes on.
 *
 * A checkpoint belongs to a role, a database and a model's name.  It outlives
 * the transaction, the session and the server, and is removed when a
 * transaction commits in which the training reached its end.
 */
#ifndef DISTILBERT_PG_TRAINCHECKPOINT_H
#define DISTILBERT_PG_TRAINCHECKPOINT_H

#include "pg/train/checkpointfile.h"

/*
 * The checkpoint of a training of the current user that has these digests;
 * nothing is read or written yet.  Memory is of context.
 */
extern DistilTrainCheckpoint *distil_checkpoint_begin(const char *command, const char *model,
													  const DistilTrainDigests *digests,
													  MemoryContext context);

/*
 * Write loop's trainer and state.  Where that cannot be done a warning says
 * so, and the training goes on without; interrupts are served.
 */
extern void distil_checkpoint_save(DistilTrainCheckpoint *c, DistilTrainLoop *loop);

/*
 * Read them; false: there is none.  Raises when it is one of another training,
 * or damaged.  state->rows must have room for all epochs.
 */
extern bool distil_checkpoint_load(DistilTrainCheckpoint *c, DistilTrainLoop *loop);

/* The training has come to its end. */
extern void distil_checkpoint_remove_at_commit(const DistilTrainCheckpoint *c);

#endif
