/*
 * traindigest.h -- what determines a training, hashed.
 */
#ifndef DISTILBERT_PG_TRAINDIGEST_H
#define DISTILBERT_PG_TRAINDIGEST_H

#include "pg/train/checkpointfile.h"
#include "pg/train/trainjob.h"

/* Once rows and options are final. */
extern void distil_train_digests(const DistilTrainJob *job, DistilTrainDigests *digests);

#endif
