/*
 * preload.c -- the server's shared memory, for a library in
 * shared_preload_libraries.
 *
 * Each part says how much it wants and is started, in every process that
 * attaches, under the lock that PostgreSQL has for this.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "pg/bridge/preload.h"
#include "pg/run/sharedcache.h"

static shmem_request_hook_type prev_shmem_request;
static shmem_startup_hook_type prev_shmem_startup;
static LWLockPadded *locks = NULL;

LWLock *
distil_preload_lock(DistilLock lock)
{
	return &locks[lock].lock;
}

static void
request_memory(void)
{
	if (prev_shmem_request != NULL)
		prev_shmem_request();
	RequestAddinShmemSpace(
		add_size(MAXALIGN(distil_stats_shmem_size()), distil_shared_cache_size()));
	RequestNamedLWLockTranche("distilbert", DISTIL_LOCKS);
}

static void
start_memory(void)
{
	if (prev_shmem_startup != NULL)
		prev_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	locks = GetNamedLWLockTranche("distilbert");
	distil_stats_shmem_start();
	distil_shared_cache_start();
	LWLockRelease(AddinShmemInitLock);
}

void
distil_preload_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	prev_shmem_request = shmem_request_hook;
	shmem_request_hook = request_memory;
	prev_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = start_memory;
}
