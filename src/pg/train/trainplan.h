/*
 * trainplan.h -- how a training will go: the trainer's options, the number of
 * its steps, and its memory.
 */
#ifndef DISTILBERT_PG_TRAINPLAN_H
#define DISTILBERT_PG_TRAINPLAN_H

#include "pg/train/trainjob.h"

/* job->options and job->batch; after rows, labels and split are final. */
extern void distil_train_plan(DistilTrainJob *job);

/*
 * Raise where the training needs more memory than it may take; else tell how
 * much it is.  Before anything is computed.
 */
extern void distil_train_check_memory(DistilTrainJob *job);

#endif
