/*
 * pipewake.h -- starting and waking the workers of this database, and the locks
 * by which they know of each other.
 */
#ifndef DISTILBERT_PG_PIPEWAKE_H
#define DISTILBERT_PG_PIPEWAKE_H

/*
 * Keys were queued, or something else is to be done: when this transaction has
 * committed, a worker will see it.  Called before the transaction commits.
 */
extern void distil_pipeline_wake(void);

/* The same at once, for what is visible already.  Warns where it cannot be. */
extern void distil_pipeline_wake_now(void);

/* Start a worker in a place of a database (0 .. pipeline_workers - 1). */
typedef struct DistilWorkerStart
{
	Oid			database;
	int32		place;
	bool		look;			/* ends as soon as there is nothing to do */
} DistilWorkerStart;

/* False: no slot is free.  handle: in the current context; NULL: none. */
struct BackgroundWorkerHandle;
extern bool distil_worker_register(const DistilWorkerStart *start,
								   struct BackgroundWorkerHandle **handle);

/*
 * The lock that says that a worker is alive in a place.  It ends with the
 * process, and when a transaction is rolled back: then it is taken again.
 * False: another worker has it, or the extension is gone.
 *
 * A worker that wants to end leaves its place, looks once more for something to
 * do, and then exits or returns.
 */
extern bool distil_worker_take_place(int place);
extern void distil_worker_leave_place(int place);
extern bool distil_worker_return_to_place(int place);
extern bool distil_worker_place_is_free(int place);

/* All locks of this session end with the process, however it ends. */
extern void distil_worker_release_at_exit(void);

/*
 * The lock of whoever works at a pipeline, until he ends it or his transaction
 * is rolled back.  try: false where somebody else has it.
 */
extern bool distil_pipeline_try_work(const char *name);
extern void distil_pipeline_wait_to_work(const char *name);
extern void distil_pipeline_end_work(const char *name);

/* Does somebody want this database for himself (DROP, RENAME, a template)? */
extern bool distil_database_is_wanted(void);

/* Called once by _PG_init. */
extern void distil_pipewake_init(void);

#endif
