/*
 * batchscan_runs.c -- see batchscan_runs.h.
 *
 * ExecutorRun_hook sees the number of rows that a run is to give: all of them,
 * or as many as a cursor fetches.
 */
#include "postgres.h"

#include "executor/executor.h"

#include "pg/scan/batchscan_runs.h"

/* The runs in progress, innermost first. */
typedef struct Run
{
	EState	   *estate;
	bool		to_end;
	struct Run *outer;
} Run;

static Run *current_run = NULL;
static ExecutorRun_hook_type prev_executor_run;

bool
distil_runs_to_end(EState *estate)
{
	for (Run *run = current_run; run != NULL; run = run->outer)
	{
		if (run->estate == estate)
			return run->to_end;
	}
	return false;
}

#if PG_VERSION_NUM >= 180000
#define ONCE_PARAMETER
#define ONCE
#else
#define ONCE_PARAMETER , bool execute_once
#define ONCE , execute_once
#endif

static void
run_statement(QueryDesc *desc, ScanDirection direction, uint64 count ONCE_PARAMETER)
{
	Run			run = {desc->estate, count == 0 && ScanDirectionIsForward(direction), current_run};

	current_run = &run;
	PG_TRY();
	{
		if (prev_executor_run != NULL)
			prev_executor_run(desc, direction, count ONCE);
		else
			standard_ExecutorRun(desc, direction, count ONCE);
	}
	PG_FINALLY();
	{
		current_run = run.outer;
	}
	PG_END_TRY();
}

void
distil_runs_init(void)
{
	prev_executor_run = ExecutorRun_hook;
	ExecutorRun_hook = run_statement;
}
