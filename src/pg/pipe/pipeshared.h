/*
 * pipeshared.h -- what workers, writers and the launcher tell each other
 * through shared memory, where the library is in shared_preload_libraries.
 *
 * All of these do nothing where it is not.  None raises, so they may be called
 * when a transaction has committed.
 */
#ifndef DISTILBERT_PG_PIPESHARED_H
#define DISTILBERT_PG_PIPESHARED_H

/* Is there such memory? */
extern bool distil_pipeshared_exists(void);

/* This process works for its database, until it leaves or exits. */
extern void distil_pipeshared_enter(void);
extern void distil_pipeshared_leave(void);

/* Wake the workers of this database; false: there is none. */
extern bool distil_pipeshared_wake(void);

/* A database that wants a worker, behind those that wait already. */
extern void distil_pipeshared_want(Oid database);

/* Does a database wait? */
extern bool distil_pipeshared_waiting(void);

/* For the launcher: the next one that waits, or InvalidOid; all do. */
extern Oid	distil_pipeshared_next(void);
extern bool distil_pipeshared_all(void);

/* This process is the launcher; its latch is set when something is wanted. */
extern void distil_pipeshared_launch(void);

/* Called once by _PG_init. */
extern void distil_pipeshared_init(void);

#endif
