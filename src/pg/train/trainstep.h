/*
 * trainstep.h -- what a step learns from: a batch, masked, and with the
 * teacher's answers.
 */
#ifndef DISTILBERT_PG_TRAINSTEP_H
#define DISTILBERT_PG_TRAINSTEP_H

#include "pg/train/trainjob.h"

/*
 * Fill job->batch with examples order[first .. end), as many as fit; returns
 * how many.  Texts without labels are masked, in each epoch (from 1) in another
 * way; epoch 0 is the fixed mask of evaluations, and of all epochs with a
 * teacher, who reads each text once.
 */
extern int	distil_train_fill(const DistilTrainJob *job, int epoch, const int32 *order, int first,
							  int end);

/* The same, and a step of the trainer; ctx is the job (see DistilTrainLoop). */
extern int	distil_train_step(void *ctx, const int32 *order, int first, int end, double *loss);

#endif
