/*
 * trainloop.h -- epochs of steps, for every function that trains a model.
 *
 * A function says in a DistilTrainLoop what a step and an evaluation are.  The
 * loop does the rest: the order of the examples, rows of the result, messages,
 * checkpoints, early stopping.
 */
#ifndef DISTILBERT_PG_TRAINLOOP_H
#define DISTILBERT_PG_TRAINLOOP_H

#include "pg/train/trainstate.h"

/*
 * Run all epochs, or as many as early stopping leaves; its weights of the best
 * evaluation are the trainer's then.  A training that is resumed gives the rows
 * of its earlier calls again.  Memory is of the current context.
 */
extern void distil_train_epochs(DistilTrainLoop *loop);

/* order[n]: 0 .. n-1 in random order */
extern void distil_train_permute(int32 *order, int n, uint64 key);

/* order[n]: the examples as an epoch goes through them. */
extern void distil_train_shuffle(int64 seed, int epoch, const int32 *examples, int n, int32 *order);

#endif
