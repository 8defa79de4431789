/*
 * traindigest.h -- what determines a training, hashed.
 */
#ifndef DISTILBERT_PG_TRAINDIGEST_H
#define DISTILBERT_PG_TRAINDIGEST_H

#include "pg/bridge/sha256.h"

/*
 * Two trainings with the same three give the same model, on the same processor
 * with the same OpenBLAS.  Apart, so that an error can say what has changed.
 */
typedef struct DistilTrainDigests
{
	uint8		base[DISTIL_SHA256_BYTES];	/* content of the models it begins with */
	uint8		options[DISTIL_SHA256_BYTES];
	uint8		rows[DISTIL_SHA256_BYTES];	/* tokens and labels, in their order */
} DistilTrainDigests;

#endif
