/*
 * pipeshared.c -- see pipeshared.h.
 *
 * A small table of the processes that work, by which a writer finds the latch
 * to set, and a list of databases for which no process could be started, or
 * whose worker made room for others.  A list that is full says "all": the
 * launcher then looks into every database, as when the server starts.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"

#include "pg/bridge/preload.h"
#include "pg/pipe/pipeshared.h"

#define MOST_WORKERS 128
#define MOST_WAITING 256

typedef struct SharedWorker
{
	Oid			database;		/* InvalidOid: the place is free */
	Latch	   *latch;
} SharedWorker;

typedef struct PipeShared
{
	Latch	   *launcher;		/* NULL: there is none */
	SharedWorker workers[MOST_WORKERS];
	bool		all;
	int			n_waiting;
	Oid			waiting[MOST_WAITING];	/* [n_waiting], the first waits longest */
} PipeShared;

static int	part_number;		/* of preload.h */
static PipeShared *shared = NULL;
static int	place = -1;			/* this process's, among the workers */

bool
distil_pipeshared_exists(void)
{
	return shared != NULL;
}

static void
lock(void)
{
	LWLockAcquire(distil_preload_lock(part_number), LW_EXCLUSIVE);
}

static void
unlock(void)
{
	LWLockRelease(distil_preload_lock(part_number));
}

/* ---- workers ---- */

static void
leave_at_exit(int code, Datum arg)
{
	distil_pipeshared_leave();
}

void
distil_pipeshared_enter(void)
{
	static bool registered = false;

	if (shared == NULL || place >= 0)
		return;
	if (!registered)
		before_shmem_exit(leave_at_exit, (Datum) 0);
	registered = true;
	lock();
	for (int i = 0; i < MOST_WORKERS && place < 0; i++)
	{
		if (OidIsValid(shared->workers[i].database))
			continue;
		shared->workers[i] = (SharedWorker) {MyDatabaseId, MyLatch};
		place = i;
	}
	unlock();
}

void
distil_pipeshared_leave(void)
{
	if (place < 0)
		return;
	lock();
	shared->workers[place].database = InvalidOid;
	unlock();
	place = -1;
}

bool
distil_pipeshared_wake(void)
{
	bool		found = false;

	if (shared == NULL)
		return false;
	LWLockAcquire(distil_preload_lock(part_number), LW_SHARED);
	for (int i = 0; i < MOST_WORKERS; i++)
	{
		if (shared->workers[i].database != MyDatabaseId)
			continue;
		SetLatch(shared->workers[i].latch);
		found = true;
	}
	unlock();
	return found;
}

/* ---- databases that wait ---- */

static bool
waits(Oid database)
{
	for (int i = 0; i < shared->n_waiting; i++)
	{
		if (shared->waiting[i] == database)
			return true;
	}
	return false;
}

void
distil_pipeshared_want(Oid database)
{
	if (shared == NULL)
		return;
	lock();
	if (!waits(database))
	{
		if (shared->n_waiting < MOST_WAITING)
			shared->waiting[shared->n_waiting++] = database;
		else
			shared->all = true;
	}
	/* what the launcher itself wants it tries again after a nap */
	if (shared->launcher != NULL && shared->launcher != MyLatch)
		SetLatch(shared->launcher);
	unlock();
}

bool
distil_pipeshared_waiting(void)
{
	bool		waiting;

	if (shared == NULL)
		return false;
	LWLockAcquire(distil_preload_lock(part_number), LW_SHARED);
	waiting = shared->n_waiting > 0;
	unlock();
	return waiting;
}

Oid
distil_pipeshared_next(void)
{
	Oid			database = InvalidOid;

	lock();
	if (shared->n_waiting > 0)
	{
		database = shared->waiting[0];
		shared->n_waiting--;
		memmove(shared->waiting, shared->waiting + 1, shared->n_waiting * sizeof(Oid));
	}
	unlock();
	return database;
}

bool
distil_pipeshared_all(void)
{
	bool		all;

	lock();
	all = shared->all;
	shared->all = false;
	unlock();
	return all;
}

/* ---- the launcher ---- */

static void
end_launcher(int code, Datum arg)
{
	lock();
	shared->launcher = NULL;
	unlock();
}

void
distil_pipeshared_launch(void)
{
	before_shmem_exit(end_launcher, (Datum) 0);
	lock();
	shared->launcher = MyLatch;
	shared->all = true;
	unlock();
}

/* ---- memory ---- */

static Size
shared_size(void)
{
	return sizeof(PipeShared);
}

static void
start_shared(void)
{
	bool		found;

	shared = ShmemInitStruct("distilbert pipelines", sizeof(PipeShared), &found);
	if (!found)
		memset(shared, 0, sizeof(PipeShared));
}

void
distil_pipeshared_init(void)
{
	part_number = distil_preload_add(shared_size, start_shared);
}
