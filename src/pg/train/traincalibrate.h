/*
 * traincalibrate.h -- after a training of classes: scores that are as often
 * right as they say.
 */
#ifndef DISTILBERT_PG_TRAINCALIBRATE_H
#define DISTILBERT_PG_TRAINCALIBRATE_H

#include "pg/train/trainjob.h"

/*
 * Before the first step: whether it will be done, as args.calibrate asks; tells
 * or raises why not.
 */
extern bool distil_train_may_calibrate(const DistilTrainJob *job);

/*
 * Find the temperature on the rows held back, divide the weights that give the
 * logits by it, and tell.
 */
extern void distil_train_calibrate(DistilTrainJob *job);

#endif
