/*
 * preload.c -- see preload.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "pg/bridge/preload.h"

#define MAX_PARTS 8

typedef struct Part
{
	Size		(*size) (void);
	void		(*start) (void);
} Part;

static Part parts[MAX_PARTS];
static int	n_parts = 0;

static shmem_request_hook_type prev_shmem_request;
static shmem_startup_hook_type prev_shmem_startup;
static LWLockPadded *locks = NULL;	/* [n_parts] */

LWLock *
distil_preload_lock(int part)
{
	return &locks[part].lock;
}

static void
request_memory(void)
{
	if (prev_shmem_request != NULL)
		prev_shmem_request();
	for (int i = 0; i < n_parts; i++)
		RequestAddinShmemSpace(MAXALIGN(parts[i].size()));
	RequestNamedLWLockTranche("distilbert", n_parts);
}

static void
start_memory(void)
{
	if (prev_shmem_startup != NULL)
		prev_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	locks = GetNamedLWLockTranche("distilbert");
	for (int i = 0; i < n_parts; i++)
		parts[i].start();
	LWLockRelease(AddinShmemInitLock);
}

static void
set_hooks(void)
{
	prev_shmem_request = shmem_request_hook;
	shmem_request_hook = request_memory;
	prev_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = start_memory;
}

int
distil_preload_add(Size (*size) (void), void (*start) (void))
{
	Assert(n_parts < MAX_PARTS);
	if (n_parts == 0 && process_shared_preload_libraries_in_progress)
		set_hooks();
	parts[n_parts] = (Part) {size, start};
	return n_parts++;
}
