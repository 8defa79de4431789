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

/* Called once by _PG_init. */
extern void distil_threads_init(void);

#endif
