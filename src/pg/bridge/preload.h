/*
 * preload.h -- the server's shared memory, for a library in
 * shared_preload_libraries.
 */
#ifndef DISTILBERT_PG_PRELOAD_H
#define DISTILBERT_PG_PRELOAD_H

#include "storage/lwlock.h"

typedef enum DistilLock
{
	DISTIL_LOCK_STATS,
	DISTIL_LOCK_CACHE,
	DISTIL_LOCKS
} DistilLock;

/* Only where the library is preloaded. */
extern LWLock *distil_preload_lock(DistilLock lock);

/* Called once by _PG_init, after the settings. */
extern void distil_preload_init(void);

#endif
