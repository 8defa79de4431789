/*
 * sharedcache.h -- the result cache that all processes of the server share.
 *
 * It exists where the library is preloaded and distilbert.shared_cache_size is
 * not 0.  Keys hold the role, so that nobody learns which texts others asked
 * about.
 */
#ifndef DISTILBERT_PG_SHAREDCACHE_H
#define DISTILBERT_PG_SHAREDCACHE_H

#include "pg/run/resultkey.h"

extern bool distil_shared_cache_exists(void);

/* Copies n floats; false: there are none. */
extern bool distil_shared_cache_find(const DistilResultKey *key, int part, float *values, int n);
extern void distil_shared_cache_keep(const DistilResultKey *key, int part, const float *values,
									 int n);

/* Called once by _PG_init. */
extern void distil_sharedcache_init(void);

#endif
