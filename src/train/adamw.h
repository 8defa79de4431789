/* adamw.h -- the optimizer. */
#ifndef DBERT_TRAIN_ADAMW_H
#define DBERT_TRAIN_ADAMW_H

#include "train/plan.h"

/*
 * Clip the gradients, move the parameters; trainer->step is the number of steps
 * before.
 */
extern DbertStatus dbert_adamw_step(const DbertPass *pass);

/* The parts in which gradients are summed, for acts.sums. */
extern size_t dbert_adamw_parts(const DbertParams *params);

#endif
