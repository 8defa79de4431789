/*
 * trainpairs.h -- pairs of texts that an embedding is learnt from.
 */
#ifndef DISTILBERT_PG_TRAINPAIRS_H
#define DISTILBERT_PG_TRAINPAIRS_H

#include "pg/train/trainjob.h"

/*
 * The loss of pairs, their measure, and their numbers as the loss takes them;
 * after the pairs are split.
 */
extern void distil_train_begin_pairs(DistilTrainJob *job);

#endif
