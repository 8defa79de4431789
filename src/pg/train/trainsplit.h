/*
 * trainsplit.h -- which examples are learnt, and which are held back for
 * validation.
 */
#ifndef DISTILBERT_PG_TRAINSPLIT_H
#define DISTILBERT_PG_TRAINSPLIT_H

#include "pg/train/trainjob.h"

/*
 * job->training and job->validation.  Before, n_training is the number of
 * examples that query gave; those of validation_query follow them in the set.
 */
extern void distil_train_split(DistilTrainJob *job);

#endif
