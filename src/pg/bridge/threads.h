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
extern DbertThreads *distil_threads(void);

/* End the threads; the next distil_threads starts as many as are set then. */
extern void distil_threads_end(void);

#endif
