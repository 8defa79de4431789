/*
 * pipewake.c -- see pipewake.h.
 *
 * A worker is a dynamic background worker: nothing has to be preloaded.  It is
 * started when a transaction that queued something has committed, for before
 * that it would not see the keys.
 *
 * Is one alive?  It holds a lock on an object that no SQL command locks (our
 * extension, with a sub-number), which costs a writer 0.2 us to find out.  The
 * lock is no lock of a transaction, so it holds nothing back.
 *
 * No key is left lying between a worker that ends and a writer who believes it
 * alive: the worker first takes the lock "ending", gives up the place, and then
 * looks once more.  A writer whose keys are visible either finds the place free
 * and starts the next worker, or the worker's last look comes later and sees
 * them.  A worker that this session started and that does not run yet will take
 * the place: no second one is started meanwhile.  One that runs, without the
 * place, has not taken it yet or is gone in a moment: it is waited for.
 *
 * What runs after the commit must not raise: errors are caught and logged.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/memutils.h"

#include "pg/pipe/pipequeue.h"
#include "pg/pipe/pipesettings.h"
#include "pg/pipe/pipeshared.h"
#include "pg/pipe/pipewake.h"
#include "pg/store/catalog.h"

/* How long a worker that runs may take to come to its place, ms. */
#define LONGEST_COMING 100

/* Sub-numbers of the extension in locks: of places, and of workers that end. */
#define FIRST_PLACE 1
#define FIRST_ENDING 1001

static bool wanted = false;		/* at the end of the transaction */
static bool logged_in = false;	/* in a session that is to start a worker */
static Oid	extension = InvalidOid; /* as of the last time something was wanted */

/* The worker that this session started last; in TopMemoryContext, or NULL. */
static BackgroundWorkerHandle *started = NULL;

/* ---- locks ---- */

static LOCKTAG
tag_of(Oid class, Oid object, int sub)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, class, object, sub);
	return tag;
}

/* A lock of the session, held once however often it is asked for. */
static bool
try_lock(const LOCKTAG *tag, LOCKMODE mode)
{
	LockAcquireResult result;

#if PG_VERSION_NUM >= 180000
	result = LockAcquireExtended(tag, mode, true, true, false, NULL, false);
#else
	result = LockAcquireExtended(tag, mode, true, true, false, NULL);
#endif
	if (result == LOCKACQUIRE_ALREADY_HELD)
		LockRelease(tag, mode, true);
	return result != LOCKACQUIRE_NOT_AVAIL;
}

/* Could it be had now? */
static bool
is_free(LOCKTAG tag, LOCKMODE mode)
{
	if (!try_lock(&tag, mode))
		return false;
	LockRelease(&tag, mode, true);
	return true;
}

static LOCKTAG
place_tag(int place)
{
	return tag_of(ExtensionRelationId, extension, FIRST_PLACE + place);
}

static LOCKTAG
ending_tag(int place)
{
	return tag_of(ExtensionRelationId, extension, FIRST_ENDING + place);
}

bool
distil_worker_take_place(int place)
{
	LOCKTAG		tag;

	extension = get_extension_oid("distilbert", true);
	tag = place_tag(place);
	return OidIsValid(extension) && try_lock(&tag, ExclusiveLock);
}

bool
distil_worker_place_is_free(int place)
{
	return is_free(place_tag(place), ExclusiveLock);
}

void
distil_worker_leave_place(int place)
{
	LOCKTAG		tag = place_tag(place),
				ending = ending_tag(place);

	(void) try_lock(&ending, ExclusiveLock);
	LockRelease(&tag, ExclusiveLock, true);
}

bool
distil_worker_return_to_place(int place)
{
	LOCKTAG		tag = place_tag(place),
				ending = ending_tag(place);
	bool		back = try_lock(&tag, ExclusiveLock);

	if (back)
		LockRelease(&ending, ExclusiveLock, true);
	return back;
}

/*
 * The server itself releases a session's locks when a transaction is rolled
 * back, but not in a process that ends between transactions.
 */
static void
release_locks(int code, Datum arg)
{
	AbortOutOfAnyTransaction();
	LockReleaseAll(DEFAULT_LOCKMETHOD, true);
}

void
distil_worker_release_at_exit(void)
{
	before_shmem_exit(release_locks, (Datum) 0);
}

/* One object for each pipeline's name. */
static LOCKTAG
work_tag(const char *name)
{
	return tag_of(distil_find_table("pipeline"),
				  hash_bytes((const unsigned char *) name, (int) strlen(name)), 0);
}

bool
distil_pipeline_try_work(const char *name)
{
	LOCKTAG		tag = work_tag(name);

	return try_lock(&tag, ExclusiveLock);
}

void
distil_pipeline_wait_to_work(const char *name)
{
	LOCKTAG		tag = work_tag(name);

	if (LockAcquire(&tag, ExclusiveLock, true, false) == LOCKACQUIRE_ALREADY_HELD)
		LockRelease(&tag, ExclusiveLock, true);
}

void
distil_pipeline_end_work(const char *name)
{
	LOCKTAG		tag = work_tag(name);

	LockRelease(&tag, ExclusiveLock, true);
}

bool
distil_database_is_wanted(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
	return !is_free(tag, RowExclusiveLock);
}

/* ---- starting ---- */

bool
distil_worker_register(const DistilWorkerStart *start, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "distilbert", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "distil_pipeline_worker", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "distilbert pipelines", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "distilbert pipelines", sizeof(worker.bgw_type));
	memcpy(worker.bgw_extra, start, sizeof(*start));
	worker.bgw_notify_pid = handle != NULL ? MyProcPid : 0;
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

/* Does the one that this session started last take the place, or has it? */
static bool
is_coming(int place)
{
	pid_t		pid;

	for (int ms = 0; started != NULL && ms < LONGEST_COMING; ms++)
	{
		BgwHandleStatus status = GetBackgroundWorkerPid(started, &pid);

		if (status == BGWH_NOT_YET_STARTED)
			return true;
		if (status != BGWH_STARTED || !is_free(ending_tag(place), ExclusiveLock))
			return false;
		if (!is_free(place_tag(place), ExclusiveLock))
			return true;
		pg_usleep(1000);
	}
	return false;
}

static void
warn_once(void)
{
	static bool warned = false;

	if (warned)
		return;
	warned = true;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("no background worker could be started for the pipelines of this database"),
			 errdetail("What was written is queued, and is done by the next worker that starts."),
			 errhint("Raise \"max_worker_processes\", or CALL distil_run_pipeline().")));
}

static void
start_worker(void)
{
	DistilWorkerStart start = {.database = MyDatabaseId};
	BackgroundWorkerHandle *handle = NULL;
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	bool		registered = distil_worker_register(&start, &handle);

	MemoryContextSwitchTo(old);
	if (!registered && distil_pipeshared_exists())
		distil_pipeshared_want(MyDatabaseId);
	else if (!registered)
		warn_once();
	if (!registered)
		return;
	if (started != NULL)
		pfree(started);
	started = handle;
}

static void
wake_or_start(void)
{
	if (!distil_pipelines || IsBinaryUpgrade || !OidIsValid(extension) || RecoveryInProgress())
		return;
	if (distil_pipeshared_wake())
		return;
	if (is_free(place_tag(0), ExclusiveLock) && !is_coming(0))
		start_worker();
}

/* Behind a commit nothing may be raised, and interrupts stay held. */
static void
wake_after_commit(void)
{
	MemoryContext context = CurrentMemoryContext;
	uint32		holdoff = InterruptHoldoffCount;

	PG_TRY();
	{
		wake_or_start();
	}
	PG_CATCH();
	{
		InterruptHoldoffCount = holdoff;
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
}

/*
 * The extension has no cache in the server: it is looked up when its queue is
 * another table than before.
 */
static void
find_extension(void)
{
	static Oid	known_queue = InvalidOid;
	Oid			queue = distil_queue_table();

	if (OidIsValid(extension) && queue == known_queue)
		return;
	extension = get_extension_oid("distilbert", true);
	known_queue = queue;
}

void
distil_pipeline_wake(void)
{
	if (wanted)
		return;
	find_extension();
	wanted = true;
}

/*
 * Keys of a prepared transaction are seen by the worker when it is committed,
 * if there is a worker then: it stays while there are such transactions.
 */
static void
at_xact_end(XactEvent event, void *arg)
{
	bool		committed = event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE;

	if (logged_in && event == XACT_EVENT_PRE_COMMIT)
	{
		logged_in = false;
		distil_pipeline_wake();
	}
	if (!wanted || !(committed || event == XACT_EVENT_ABORT))
		return;
	wanted = false;
	if (committed)
		wake_after_commit();
}

void
distil_pipeline_wake_now(void)
{
	find_extension();
	wake_or_start();
}

/*
 * session_preload_libraries names the library: whoever logs in starts a worker,
 * so that what was left before a restart is done.
 */
static bool
loaded_at_login(void)
{
	return MyBackendType == B_BACKEND && !process_shared_preload_libraries_in_progress &&
		IsTransactionState() && session_preload_libraries_string != NULL &&
		strstr(session_preload_libraries_string, "distilbert") != NULL;
}

void
distil_pipewake_init(void)
{
	logged_in = loaded_at_login();
	RegisterXactCallback(at_xact_end, NULL);
}
