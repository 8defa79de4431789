/*
 * unknown.h -- the error for a name that no model has.
 */
#ifndef DISTILBERT_PG_UNKNOWN_H
#define DISTILBERT_PG_UNKNOWN_H

#include "utils/snapshot.h"

#include "pg/bridge/compat.h"

/*
 * Raise that there is no such model, hinting at near names that snapshot sees.
 */
pg_noreturn extern void distil_raise_unknown(const char *name, Snapshot snapshot);

#endif
