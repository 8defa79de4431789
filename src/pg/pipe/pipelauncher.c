/*
 * pipelauncher.c -- see pipelauncher.h.
 *
 * Without a launcher nothing is done after a restart until somebody writes.  It
 * starts a worker in every database, one behind the other, when the server has
 * started or was promoted; a worker without work ends at once.  Later it starts
 * those for which no slot was free.  Where slots are few, workers that have
 * worked for a while make room for databases that wait (pipeworker.c).
 *
 * It is connected to no database, so it is in nobody's way.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "pg/pipe/pipelauncher.h"
#include "pg/pipe/pipesettings.h"
#include "pg/pipe/pipeshared.h"
#include "pg/pipe/pipewake.h"

#define RESTART_SECONDS 5
#define LONGEST_NAP 1000		/* ms until it tries again to find a slot */

extern PGDLLEXPORT void distil_pipeline_launcher(Datum arg);

/* Dropping one that failed halfway leaves datconnlimit -2 since 15.4. */
static bool
can_be_entered(const FormData_pg_database *database)
{
	return database->datallowconn && database->datconnlimit != -2;
}

/* All databases wait, in the order of their OIDs. */
static void
want_all(void)
{
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		if (can_be_entered(database))
			distil_pipeshared_want(database->oid);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
}

/* The next one, once it has started; false: none waits, or no slot is free. */
static bool
start_next(void)
{
	DistilWorkerStart start = {.look = true};
	BackgroundWorkerHandle *handle;
	pid_t		pid;

	start.database = distil_pipeshared_next();
	if (!OidIsValid(start.database))
		return false;
	if (!distil_worker_register(&start, &handle))
	{
		distil_pipeshared_want(start.database);
		return false;
	}
	(void) WaitForBackgroundWorkerStartup(handle, &pid);
	pfree(handle);
	return true;
}

static void
wait_for_wishes(void)
{
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT;
	bool		waiting = distil_pipeshared_waiting();

	(void) WaitLatch(MyLatch, waiting ? events : events & ~WL_TIMEOUT,
					 waiting ? Min(distil_pipeline_naptime, LONGEST_NAP) : -1L, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	QueryCancelPending = false; /* there is nothing that could be cancelled */
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		bool		before = distil_pipelines;

		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		if (distil_pipelines && !before)
			want_all();
	}
}

void
distil_pipeline_launcher(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	distil_pipeshared_launch();
	HOLD_CANCEL_INTERRUPTS();
	for (;;)
	{
		if (distil_pipelines && distil_pipeshared_all())
			want_all();
		while (distil_pipelines && start_next())
			CHECK_FOR_INTERRUPTS();
		wait_for_wishes();
	}
}

void
distil_pipelauncher_init(void)
{
	BackgroundWorker worker;

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_SECONDS;
	strlcpy(worker.bgw_library_name, "distilbert", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "distil_pipeline_launcher",
			sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "distilbert pipelines launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "distilbert pipelines launcher", sizeof(worker.bgw_type));
	RegisterBackgroundWorker(&worker);
}
