/*
 * pipeworker.c -- the background worker of a database.
 *
 * It visits the pipelines one after the other (pipevisit.c), sleeps, and looks
 * again, until there has been nothing to do for a while.  While it sleeps it is
 * in no transaction and holds nothing that anybody waits for; if somebody wants
 * the database for himself, to drop, rename or copy it, it ends.
 *
 * It connects as the superuser that initdb made, for the owner of a table may
 * have no right to log in, and takes the owner's place for what is his.  No
 * setting of a role or a database changes what it stores.
 *
 * A fault of a pipeline puts that pipeline off, and no other: for some seconds,
 * and longer each time.
 */
#include "postgres.h"

#include "access/twophase.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/pmsignal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/pipedead.h"
#include "pg/pipe/pipeerror.h"
#include "pg/pipe/pipeline.h"
#include "pg/pipe/pipesettings.h"
#include "pg/pipe/pipeshared.h"
#include "pg/pipe/pipetry.h"
#include "pg/pipe/pipevisit.h"
#include "pg/pipe/pipewake.h"

/* How long a visit begins batches, ms. */
#define FULL_VISIT 1000
#define PART_VISIT 100

/* Somebody who wants the database waits for 5 s at most. */
#define LONGEST_SLEEP 1000

/*
 * Numbers are not given in the order of commits: so many are looked at again.
 * Those that come later still are found when all of the queue is looked at.
 */
#define OVERLAP 1000

/* A worker makes room for databases that wait after so long, ms. */
#define TURN 10000

extern PGDLLEXPORT void distil_pipeline_worker(Datum arg);

/* What is remembered of a pipeline while the worker lives. */
typedef struct Known
{
	struct Known *next;
	char		name[DISTIL_MAX_PIPELINE + 1];
	int64		seq;			/* of the queue, where to read on */
	int			faults;			/* in a row */
	TimestampTz until;			/* not before this */
} Known;

typedef struct Worker
{
	DistilWorkerStart start;
	Known	   *known;
	Known	   *current;		/* being visited, or NULL */
	MemoryContext round;		/* reset for each */
	TimestampTz began;
	TimestampTz last_work;		/* when there was something to do */
	TimestampTz looked;			/* when all of the queue was looked at */
	bool		more;			/* there is more to do at once */
	int			busy;			/* pipelines that had something, in a round */
	TimestampTz next;			/* when something is to be tried again; 0: nothing is */
	double		work_ms;		/* in this round */
} Worker;

/* ---- a session of its own kind ---- */

static void
set(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/*
 * Nothing that a role or a database has set counts, where it would change what
 * is stored or end the work.  A commit need not wait for the disk: what it did
 * is undone by a crash as a whole, and done again.
 */
static void
set_session(void)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog, pg_temp"},
		{"statement_timeout", "0"},
		{"lock_timeout", "1s"},
		{"idle_in_transaction_session_timeout", "0"},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		{"session_replication_role", "origin"},
		{"row_security", "on"},
		{"synchronous_commit", "off"},
		{"plan_cache_mode", "auto"},
		{"jit", "off"},
#if PG_VERSION_NUM >= 170000
		{"transaction_timeout", "0"},
#endif
	};

	for (int i = 0; i < lengthof(settings); i++)
		set(settings[i][0], settings[i][1]);
}

static void
begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
}

static void
end(void)
{
	CommitTransactionCommand();
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/* ---- what is known ---- */

static Known *
known_pipeline(Worker *w, const char *name)
{
	Known	   *k;

	for (k = w->known; k != NULL; k = k->next)
	{
		if (strcmp(k->name, name) == 0)
			return k;
	}
	k = MemoryContextAllocZero(TopMemoryContext, sizeof(Known));
	strlcpy(k->name, name, sizeof(k->name));
	k->seq = PG_INT64_MIN;
	k->next = w->known;
	return w->known = k;
}

/* The earlier one of two times, of which 0 is none. */
static TimestampTz
earlier(TimestampTz a, TimestampTz b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* ---- visits ---- */

typedef struct FaultNote
{
	const char *name;
	int			faults;
	const ErrorData *error;
} FaultNote;

static void
note_fault(void *arg)
{
	FaultNote  *note = arg;

	distil_error_fault(note->name, note->faults, note->error);
}

/*
 * Put the pipeline off.  The log and, if it can be written, the view say why: a
 * disk that is full may take no row.
 */
static void
put_off(Known *k, const ErrorData *error)
{
	FaultNote	note = {k->name, ++k->faults, error};
	int			seconds = distil_fault_seconds(k->faults);

	k->until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), seconds * INT64CONST(1000));
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("pipeline \"%s\" is put off for %d s: %s", k->name, seconds, error->message),
			 error->detail != NULL ? errdetail_internal("%s", error->detail) : 0,
			 error->hint != NULL ? errhint("%s", error->hint) : 0));
	(void) distil_try(note_fault, &note, true);
	distil_next_transaction(false);
}

static void
forget_fault(void *arg)
{
	distil_error_forget_fault(arg);
}

/* The pipeline works again. */
static void
go_on(Known *k)
{
	k->faults = 0;
	k->until = 0;
	(void) distil_try(forget_fault, k->name, true);
	distil_next_transaction(false);
}

static DistilVisit
make_visit(const Known *k, bool all)
{
	return (DistilVisit) {
		.name = k->name,
		.most_keys = PG_INT64_MAX,
		.milliseconds = distil_pipeline_load == 100 ? FULL_VISIT : PART_VISIT,
		.seq = all ? PG_INT64_MIN : Max(k->seq, PG_INT64_MIN + OVERLAP) - OVERLAP
	};
}

/* all: look at the whole queue, not only behind what was done. */
static void
visit_pipeline(Worker *w, Known *k, bool all)
{
	DistilVisit visit = make_visit(k, all);

	distil_visit(&visit);
	k->seq = Max(k->seq, visit.seq);
	w->more |= visit.more && visit.fault == NULL;
	w->busy += visit.more;
	if (visit.fault != NULL)
		put_off(k, visit.fault);
	else if (k->faults > 0)
		go_on(k);
	w->next = earlier(w->next, earlier(visit.next, k->until));
}

static void
look_at_pipeline(Worker *w, const char *name)
{
	TimestampTz next;

	w->more |= distil_visit_look(name, &next);
	w->next = earlier(w->next, next);
}

/*
 * Visit all pipelines that nobody else works at.  Somebody who wants the
 * database need not wait for more than one visit: at the others it is only
 * looked.
 */
static void
visit_all(Worker *w, bool all)
{
	List	   *names;
	ListCell   *lc;

	begin();
	MemoryContextSwitchTo(w->round);
	names = distil_living_pipelines();
	foreach(lc, names)
	{
		Known	   *k = known_pipeline(w, lfirst(lc));

		if (k->until > GetCurrentTimestamp())
		{
			w->next = earlier(w->next, k->until);
			continue;
		}
		if (distil_database_is_wanted())
		{
			look_at_pipeline(w, k->name);
			continue;
		}
		if (!distil_pipeline_try_work(k->name))
			continue;
		w->current = k;
		pgstat_report_activity(STATE_RUNNING, k->name);
		visit_pipeline(w, k, all);
		w->current = NULL;
		distil_pipeline_end_work(k->name);
	}
	end();
}

/* What a visit did not catch: a query that was cancelled, a failed commit. */
static void
recover(Worker *w)
{
	Known	   *k = w->current;
	ErrorData  *error;

	MemoryContextSwitchTo(w->round);
	error = CopyErrorData();
	HOLD_INTERRUPTS();
	EmitErrorReport();
	AbortCurrentTransaction();
	FlushErrorState();
	RESUME_INTERRUPTS();
	w->current = NULL;
	w->more = false;
	if (k == NULL || distil_error_ends_work(error))
		return;
	begin();
	MemoryContextSwitchTo(w->round);
	put_off(k, error);
	w->next = earlier(w->next, k->until);
	end();
}

/* A rollback has ended the lock of the worker's place. */
static void
round_of_visits(Worker *w, bool all)
{
	instr_time	start,
				stop;

	w->more = false;
	w->busy = 0;
	w->next = 0;
	INSTR_TIME_SET_CURRENT(start);
	PG_TRY();
	{
		/* a cancel that came between visits had nothing to cancel */
		QueryCancelPending = false;
		RESUME_CANCEL_INTERRUPTS();
		visit_all(w, all);
		HOLD_CANCEL_INTERRUPTS();
	}
	PG_CATCH();
	{
		HOLD_CANCEL_INTERRUPTS();	/* an error has ended the former ones */
		recover(w);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(w->round);
	INSTR_TIME_SET_CURRENT(stop);
	INSTR_TIME_SUBTRACT(stop, start);
	w->work_ms = INSTR_TIME_GET_MILLISEC(stop);
	if (all)
		w->looked = GetCurrentTimestamp();
	if (w->more)
		w->last_work = GetCurrentTimestamp();
}

/* ---- may it stay? ---- */

static int64
ms_since(TimestampTz time)
{
	return (GetCurrentTimestamp() - time) / 1000;
}

/* Is the place still this worker's, and the extension there? */
static bool
has_place(const Worker *w)
{
	bool		has;

	begin();
	has = distil_worker_take_place(w->start.place);
	end();
	return has;
}

/* A transaction that is prepared wakes nobody when it is committed. */
static bool
has_prepared(void)
{
	bool		found;

	if (max_prepared_xacts == 0)
		return false;
	begin();
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	(void) SPI_execute("SELECT FROM pg_catalog.pg_prepared_xacts "
					   "WHERE database OPERATOR(pg_catalog.=) pg_catalog.current_database()",
					   true, 1);
	found = SPI_processed > 0;
	SPI_finish();
	PopActiveSnapshot();
	end();
	return found;
}

static bool
is_idle(const Worker *w)
{
	int64		limit = w->start.look ? 0 : distil_pipeline_idle_exit * INT64CONST(1000);

	return !w->more && w->next == 0 && ms_since(w->last_work) >= limit && !has_prepared();
}

/* Look once more when everybody can see that this worker goes. */
static void
look_and_leave(Worker *w)
{
	distil_pipeshared_leave();
	distil_worker_leave_place(w->start.place);
	round_of_visits(w, true);
}

/*
 * Nothing was to be done for a while; true: there still is nothing, or another
 * worker came.
 */
static bool
ends(Worker *w)
{
	look_and_leave(w);
	if (!w->more || !distil_worker_return_to_place(w->start.place))
		return true;
	distil_pipeshared_enter();
	return false;
}

/* Others wait for a worker, and this one had its turn. */
static bool
makes_room(const Worker *w)
{
	return distil_pipeshared_waiting() && (!w->more || ms_since(w->began) >= TURN);
}

/* Somebody else has to come back to what is left. */
static void
leave_to_another(Worker *w, bool soon)
{
	DistilWorkerStart start = w->start;

	if (!w->more)
		look_and_leave(w);
	if (!w->more && w->next == 0)
		return;
	if (distil_pipeshared_exists())
		distil_pipeshared_want(w->start.database);
	else if (soon)
		(void) distil_worker_register(&start, NULL);
}

/* ---- sleeping ---- */

/* A process that outlives the postmaster keeps the next one from starting. */
static void
reload(void)
{
	CHECK_FOR_INTERRUPTS();
	if (!PostmasterIsAlive())
		proc_exit(1);
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
}

/* Until the latch is set or the time is over; true: it was set. */
static bool
nap(int64 ms)
{
	int			events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
								   (long) Max(Min(ms, LONGEST_SLEEP), 0), PG_WAIT_EXTENSION);

	if ((events & WL_LATCH_SET) == 0)
		return false;
	ResetLatch(MyLatch);
	return true;
}

/* The share of the time that distilbert.pipeline_load leaves to others. */
static void
rest(const Worker *w)
{
	int64		ms = (int64) (w->work_ms * (100 - distil_pipeline_load) / distil_pipeline_load);
	TimestampTz start = GetCurrentTimestamp();

	while (ms_since(start) < ms && !distil_database_is_wanted())
	{
		reload();
		(void) nap(ms - ms_since(start));
	}
}

/* ms until the queue is to be looked at, or something is to be tried again. */
static int64
until_next_look(const Worker *w)
{
	int64		left = distil_pipeline_naptime - ms_since(w->looked);

	return w->next == 0 ? left : Min(left, -ms_since(w->next));
}

/*
 * Until somebody wakes it, or it is time for another look, or to end; true: the
 * look is at the whole queue.
 */
static bool
sleep_until_needed(const Worker *w)
{
	for (;;)
	{
		int64		left = until_next_look(w);

		if (left <= 0)
			return true;
		if (nap(left))
			return false;
		reload();
		if (!distil_pipelines || distil_database_is_wanted() || makes_room(w) || is_idle(w))
			return true;
	}
}

/* ---- the process ---- */

/* Another worker for other pipelines, where there may be more than one. */
static void
start_another(const Worker *w)
{
	DistilWorkerStart start = {.database = w->start.database,.place = w->start.place + 1};

	if (w->busy > 1 && start.place < distil_pipeline_workers &&
		distil_worker_place_is_free(start.place))
		(void) distil_worker_register(&start, NULL);
}

static void
work(Worker *w)
{
	bool		all = true;

	for (;;)
	{
		reload();
		if (!distil_pipelines || !has_place(w))
			return;
		round_of_visits(w, all);
		if (distil_database_is_wanted())
		{
			leave_to_another(w, true);
			return;
		}
		if (makes_room(w))
		{
			leave_to_another(w, false);
			return;
		}
		if (is_idle(w) && ends(w))
			return;
		start_another(w);
		rest(w);
		all = w->more ? false : sleep_until_needed(w);
	}
}

void
distil_pipeline_worker(Datum arg)
{
	Worker	   *w;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	w = MemoryContextAllocZero(TopMemoryContext, sizeof(Worker));
	memcpy(&w->start, MyBgworkerEntry->bgw_extra, sizeof(w->start));
	BackgroundWorkerInitializeConnectionByOid(w->start.database, InvalidOid, 0);
	distil_worker_release_at_exit();
	set_session();
	w->round = AllocSetContextCreate(TopMemoryContext, "distilbert visits",
									 ALLOCSET_DEFAULT_SIZES);
	w->began = w->last_work = GetCurrentTimestamp();
	distil_pipeshared_enter();
	HOLD_CANCEL_INTERRUPTS();	/* but in visits */
	work(w);
	distil_pipeshared_leave();
}
