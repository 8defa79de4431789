/* params.h -- the parameters: where they stand, what they begin with. */
#ifndef DBERT_TRAIN_PARAMS_H
#define DBERT_TRAIN_PARAMS_H

#include "train/plan.h"

/* Plan both layouts; frozen as the options say. */
extern DbertStatus dbert_params_plan(const DbertTrainer *trainer, const DbertAllocator *alloc,
									 DbertParams *params, DbertError *err);

/*
 * Read values from the base, or begin them at random, and set
 * trainer->kept_head: whether the output layer is the base's.
 */
extern DbertStatus dbert_params_load(DbertTrainer *trainer, const DbertPoll *poll, DbertError *err);

#endif
