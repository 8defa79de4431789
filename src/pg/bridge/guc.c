/*
 * guc.c -- the settings "distilbert.*".
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "dbert.h"
#include "pg/bridge/guc.h"

bool		distil_guc_enable_batching;
int			distil_guc_train_memory = 4096;
int			distil_guc_checkpoint_interval;
int			distil_guc_checkpoint_space;

void
distil_guc_init(void)
{
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
}
