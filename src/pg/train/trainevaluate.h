/*
 * trainevaluate.h -- how good the model in training is on the rows held back.
 */
#ifndef DISTILBERT_PG_TRAINEVALUATE_H
#define DISTILBERT_PG_TRAINEVALUATE_H

#include "pg/train/trainjob.h"

/* The examples of validation, one at least, without dropout. */
extern DistilEvaluation distil_train_evaluate(DistilTrainJob *job);

/* The metric's value of what the teacher says of them. */
extern double distil_train_measure_teacher(DistilTrainJob *job);

/* Its name: "accuracy", "f1", "rmse", "spearman" or "agreement". */
extern const char *distil_train_metric(const DistilTrainJob *job);

/* Is less of it better? */
extern bool distil_train_metric_is_error(const DistilTrainJob *job);

#endif
