/* passbegin.h -- a pass over a batch begins: the batch is checked. */
#ifndef DBERT_TRAIN_PASSBEGIN_H
#define DBERT_TRAIN_PASSBEGIN_H

#include "train/plan.h"

/*
 * Fill *pass, which points to t, batch, poll and err.  E_LIMIT: a batch, or a
 * pool of threads, larger than the options promised; E_INVALID: one that the
 * objective cannot learn from.
 */
extern DbertStatus dbert_pass_begin(DbertTrainer *t, const DbertTrainBatch *batch, bool training,
									const DbertPoll *poll, DbertError *err, DbertPass *pass);

#endif
