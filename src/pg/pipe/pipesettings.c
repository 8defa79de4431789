/*
 * pipesettings.c -- see pipesettings.h.
 *
 * None of them changes a value that is stored; they say when and how fast it is
 * computed.  A worker goes by what the configuration and its database say.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "pg/pipe/pipesettings.h"

#define MOST_WORKERS 64

bool		distil_pipelines;
int			distil_pipeline_workers;
int			distil_pipeline_naptime;
int			distil_pipeline_load;
int			distil_pipeline_idle_exit;

void
distil_pipesettings_init(void)
{
	DefineCustomBoolVariable("distilbert.pipelines",
							 "Whether workers do what pipelines have queued.",
							 "When off, CALL distil_run_pipeline still does it.",
							 &distil_pipelines, true, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("distilbert.pipeline_workers",
							"Workers for the pipelines of a database at a time.",
							"A pipeline has one worker at a time.",
							&distil_pipeline_workers, 1, 1, MOST_WORKERS,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("distilbert.pipeline_naptime",
							"Time between two looks of an idle worker at the queue.",
							"With the library in shared_preload_libraries it is woken at once.",
							&distil_pipeline_naptime, 1000, 10, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("distilbert.pipeline_load",
							"Percentage of its time that a worker works.",
							"It sleeps for the rest.", &distil_pipeline_load, 100, 1, 100,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("distilbert.pipeline_idle_exit",
							"Time without work after which a worker ends.",
							"The next write starts it again.",
							&distil_pipeline_idle_exit, 60, 0, INT_MAX / 1000,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
}
