/*
 * pipetry.c -- see pipetry.h.
 *
 * A subtransaction cleans up whatever fails in it: snapshots, SPI, settings,
 * the role.  It costs a transaction number where something was written.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "pg/pipe/pipetry.h"

bool
distil_error_ends_work(const ErrorData *error)
{
	return ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION;
}

static void
run(void (*work) (void *), void *arg, bool snapshot)
{
	if (snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	work(arg);
	if (snapshot)
		PopActiveSnapshot();
}

ErrorData *
distil_catch(void (*work) (void *), void *arg, bool snapshot)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run(work, arg, snapshot);
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

ErrorData *
distil_try(void (*work) (void *), void *arg, bool snapshot)
{
	ErrorData  *error = distil_catch(work, arg, snapshot);

	if (error != NULL && distil_error_ends_work(error))
		ReThrowError(error);
	return error;
}

void
distil_next_transaction(bool in_call)
{
	MemoryContext context = CurrentMemoryContext;

	if (in_call)
		SPI_commit();
	else
	{
		CommitTransactionCommand();
		pgstat_report_stat(false);
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
	}
	MemoryContextSwitchTo(context);
	CHECK_FOR_INTERRUPTS();
}
