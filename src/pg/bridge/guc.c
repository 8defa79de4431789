/*
 * guc.c -- the settings "distilbert.*".
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "dbert.h"
#include "pg/bridge/guc.h"
#include "pg/run/resultcache.h"
#include "pg/bridge/threads.h"

char	   *distil_guc_model_path;
int			distil_guc_threads;
bool		distil_guc_enable_batching;
int			distil_guc_train_memory = 4096;
int			distil_guc_checkpoint_interval;
int			distil_guc_checkpoint_space;
int			distil_guc_cache_size;
int			distil_guc_shared_cache_size;

static bool
check_model_path(char **newval, void **extra, GucSource source)
{
	if (**newval == '\0' || is_absolute_path(*newval))
		return true;
	GUC_check_errdetail("The folder must be given as an absolute path.");
	return false;
}

static void
assign_threads(int newval, void *extra)
{
	if (newval != distil_guc_threads)
		distil_threads_end();
}

static void
assign_cache_size(int newval, void *extra)
{
	distil_cache_resize(newval);
}

/* Shared memory is had when the server starts, or never. */
static void
define_shared_settings(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	DefineCustomIntVariable("distilbert.shared_cache_size",
							"Memory for results that all sessions of a role share.",
							"0: each session keeps its own alone.",
							&distil_guc_shared_cache_size, 0, 0, MAX_KILOBYTES,
							PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
}

void
distil_guc_init(void)
{
	DefineCustomStringVariable(
		"distilbert.model_path", "Folder under which distil_load_model finds relative paths.",
		"Empty: only absolute paths, which need the rights of pg_read_server_files.",
		&distil_guc_model_path, "", PGC_SUSET, 0, check_model_path, NULL, NULL);

	DefineCustomIntVariable("distilbert.threads",
							"Threads that may share the work of one batch of texts.",
							"Parallel workers use one each, whatever is set.",
							&distil_guc_threads, 1, 1, DBERT_MAX_THREADS,
							PGC_USERSET, 0, NULL, assign_threads, NULL);

	DefineCustomBoolVariable("distilbert.enable_batching",
							 "Computes calls of model functions for many rows at a time.",
							 "Results are the same either way.",
							 &distil_guc_enable_batching, true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);

	DefineCustomIntVariable("distilbert.train_memory",
							"Memory that one distil_train may take.",
							"A training that needs more is refused before it begins.",
							&distil_guc_train_memory, 4096, 1, 4 * 1024 * 1024,
							PGC_USERSET, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("distilbert.checkpoint_interval",
							"Time between two checkpoints of a training.",
							"An interrupted training can go on from its last checkpoint (resume => "
							"true); 0: there are none.",
							&distil_guc_checkpoint_interval, 5 * 60 * 1000, 0, INT_MAX, PGC_USERSET,
							GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"distilbert.checkpoint_space",
		"Disk space that checkpoints of all trainings on the server may take together.",
		"A training whose checkpoint would take more goes on without, with a warning.",
		&distil_guc_checkpoint_space, 10 * 1024, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MB, NULL, NULL,
		NULL);
	DefineCustomIntVariable("distilbert.cache_size",
							"Memory for results of texts that a session computed before.",
							"Hashes and numbers are kept, no texts; 0: nothing is.",
							&distil_guc_cache_size, 4096, 0, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, assign_cache_size, NULL);
	define_shared_settings();

	MarkGUCPrefixReserved("distilbert");
}
