/*
 * threads.h -- the threads that "distilbert.threads" lets a backend use.
 */
#ifndef DISTILBERT_PG_THREADS_H
#define DISTILBERT_PG_THREADS_H

#include "dbert.h"

/*
 * The backend's pool, NULL for a single thread; raises when the system gives
 * no more.  Valid until the setting changes: ask anew before each run.
 */
extern DbertPool *distil_pool(void);

/* End the threads; the next distil_pool starts as many as are set then. */
extern void distil_pool_end(void);

#endif
