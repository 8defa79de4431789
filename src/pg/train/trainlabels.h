/*
 * trainlabels.h -- which head a training gives a model, and with which labels.
 */
#ifndef DISTILBERT_PG_TRAINLABELS_H
#define DISTILBERT_PG_TRAINLABELS_H

#include "pg/train/trainjob.h"

/*
 * From the rows that were read to head, problem, labels and measure; the rows'
 * classes are numbered by the labels.  Raises where there is nothing to tell
 * apart.
 */
extern void distil_train_choose_labels(DistilTrainJob *job);

/*
 * Number the rows' classes by job->labels, which are given; raises if a row has
 * another.
 */
extern void distil_train_place_labels(DistilTrainJob *job);

#endif
