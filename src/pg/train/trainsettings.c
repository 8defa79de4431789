/*
 * trainsettings.c -- see trainsettings.h.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "pg/train/trainsettings.h"

int			distil_guc_train_memory = 4096;
int			distil_guc_checkpoint_interval;
int			distil_guc_checkpoint_space;

int64
distil_train_memory_limit(void)
{
	return (int64) distil_guc_train_memory * 1024 * 1024;
}

void
distil_trainsettings_init(void)
{
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
