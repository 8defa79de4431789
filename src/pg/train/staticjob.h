/*
 * staticjob.h -- distil_distill with static => true.
 */
#ifndef DISTILBERT_PG_STATICJOB_H
#define DISTILBERT_PG_STATICJOB_H

#include "pg/train/trainargs.h"

/* The whole call; one row for the result. */
extern Datum distil_static_distill(FunctionCallInfo fcinfo, const DistilTrainArgs *args);

#endif
