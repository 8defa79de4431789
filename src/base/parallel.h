/*
 * parallel.h -- a loop divided among threads of the caller's own pool.
 *
 * A pool belongs to one thread, its owner, who makes it, runs loops with it,
 * takes part in them as worker 0, and ends it.  The other workers sleep
 * between loops, with every signal blocked, and do nothing but call the work:
 * what that touches must be plain memory.  A NULL pool is the owner alone, and
 * no thread is ever started for it.  A pool does not survive fork in the
 * child.
 */
#ifndef DBERT_BASE_PARALLEL_H
#define DBERT_BASE_PARALLEL_H

#include "base/memory.h"
#include "base/status.h"

#define DBERT_MAX_THREADS 64

typedef struct DbertThreads DbertThreads;

/*
 * A pool of threads workers, the owner among them: 2 .. DBERT_MAX_THREADS.
 * E_NOMEM when the system gives no more threads.
 */
extern DbertStatus dbert_threads_create(int threads, const DbertAllocator *alloc,
									 DbertThreads **pool, DbertError *err);

/* Joins the threads; takes NULL. */
extern void dbert_threads_free(DbertThreads *pool);

/* Workers, 1 for NULL. */
extern int	dbert_threads_count(const DbertThreads *pool);

/*
 * Part i of a loop, by worker 0 .. threads-1.  A status other than OK ends the
 * loop; parts that have begun run to their end.
 */
typedef DbertStatus (*DbertWork) (void *ctx, int i, int worker);

/*
 * work(ctx, i, worker) for i in first .. end-1, each once, no part by two
 * workers, in no order unless pool is NULL; returns when all have returned,
 * with the first failure seen, and no worker touches anything until the next.
 */
extern DbertStatus dbert_parallel_for(DbertThreads *pool, int first, int end, DbertWork work,
									  void *ctx);

#endif
