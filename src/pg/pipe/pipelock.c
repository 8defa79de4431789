/*
 * pipelock.c -- see pipelock.h.
 *
 * A try is a subtransaction with a lock_timeout of its own: a lock that was got
 * stays when it commits.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/pipelock.h"

#define TRY_MS 100
#define PAUSE_MS 200

/* Wait for TRY_MS.  NULL: the lock is ours; else why it is not. */
static ErrorData *
try_lock(Oid relation, LOCKMODE mode)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		int			nestlevel = NewGUCNestLevel();

		(void) set_config_option("lock_timeout", CppAsString2(TRY_MS), PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		LockRelationOid(relation, mode);
		AtEOXact_GUC(true, nestlevel);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

static void
let_others_through(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, PAUSE_MS,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

void
distil_lock_politely(Oid relation, LOCKMODE mode)
{
	TimestampTz start = GetCurrentTimestamp();

	if (ConditionalLockRelationOid(relation, mode))
		return;
	for (;;)
	{
		ErrorData  *error = try_lock(relation, mode);

		if (error == NULL)
			return;
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE ||
			(LockTimeout > 0 &&
			 TimestampDifferenceExceeds(start, GetCurrentTimestamp(), LockTimeout)))
			ReThrowError(error);
		FreeErrorData(error);
		let_others_through();
	}
}
