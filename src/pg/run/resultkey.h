/*
 * resultkey.h -- what results are found by, in both caches of them.
 */
#ifndef DISTILBERT_PG_RESULTKEY_H
#define DISTILBERT_PG_RESULTKEY_H

#include "pg/bridge/sha256.h"

/* SHA-256 over all that a result depends on, and the role that asks. */
typedef struct DistilResultKey
{
	uint8		sha256[DISTIL_SHA256_BYTES];
} DistilResultKey;

#endif
