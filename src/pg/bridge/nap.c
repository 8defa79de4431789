/*
 * nap.c -- see nap.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"

#include "pg/bridge/nap.h"

/* A nap is this part of the wait so far. */
#define NAPS_IN_WAIT 32

void
distil_nap(DistilWait *wait, long shortest_ms, long longest_ms)
{
	long		ms = Max(Min(wait->waited_ms / NAPS_IN_WAIT, longest_ms), shortest_ms);

	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	wait->waited_ms += ms;
}
