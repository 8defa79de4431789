/*
 * sharedcache.h -- the result cache that all processes of the server share.
 *
 * It exists where the library is preloaded and distilbert.shared_cache_size is
 * not 0.  Keys hold the role, so that nobody learns which texts others asked
 * about.
 */
#ifndef DISTILBERT_PG_SHAREDCACHE_H
#define DISTILBERT_PG_SHAREDCACHE_H

#include "pg/run/resultcache.h"

extern bool distil_shared_cache_exists(void);

/* Copies n floats; false: there are none. */
extern bool distil_shared_cache_find(const DistilResultKey *key, int part, float *values, int n);
extern void distil_shared_cache_keep(const DistilResultKey *key, int part, const float *values,
									 int n);

/* The part of the server's shared memory (preload.c). */
extern Size distil_shared_cache_size(void);
extern void distil_shared_cache_start(void);

#endif
