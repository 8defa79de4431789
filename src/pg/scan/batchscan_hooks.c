/*
 * batchscan_hooks.c -- where PostgreSQL lets us in.
 *
 * planner_hook			rewrites each plan as it is made.
 * ExecutorStart_hook	rewrites plans that were made before the library was
 *						loaded.  The first statement of a connection that uses
 *						our functions loads it while it is planned (by their
 *						support function), too late for the planner hook.  Such
 *						a plan may be cached, so a copy is changed.
 * get_relation_info_hook	asks for parallel workers: the planner decides by a
 *						table's size, which says little of a model's work.
 *
 * (ExecutorRun_hook is that of batchscan_runs.c.)
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/table.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "optimizer/plancat.h"
#include "optimizer/planner.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "pg/scan/batchscan.h"
#include "pg/scan/batchscan_calls.h"
#include "pg/scan/batchscan_exec.h"
#include "pg/scan/batchscan_node.h"
#include "pg/scan/batchscan_plan.h"
#include "pg/scan/batchscan_reads.h"
#include "pg/scan/batchscan_runs.h"

/*
 * From so many rows on, and spread over so many blocks, a table is worth
 * workers.
 */
#define MIN_PARALLEL_ROWS 500
#define MIN_PARALLEL_BLOCKS 2

static planner_hook_type prev_planner;
static ExecutorStart_hook_type prev_executor_start;
static get_relation_info_hook_type prev_get_relation_info;

/* Loaded when the server started: no plan is older. */
static bool preloaded;

PG_FUNCTION_INFO_V1(distil_support);

/* ---- rewriting ---- */

/*
 * Is the plan to be rewritten?  A statement of others costs one test: the plan
 * of one that calls user-defined functions has dependencies (invalItems).
 * Databases in other encodings than UTF-8 are left alone, for the conversion of
 * a text may fail.
 */
static bool
is_ours(PlannedStmt *stmt)
{
	return distil_guc_enable_batching && stmt->invalItems != NIL &&
		stmt->commandType != CMD_UTILITY && GetDatabaseEncoding() == PG_UTF8 &&
		distil_statement_has_task(stmt);
}

static PlannedStmt *
plan_statement(Query *parse, const char *query_string, int cursor_options, ParamListInfo params)
{
	PlannedStmt *stmt;

	if (prev_planner != NULL)
		stmt = prev_planner(parse, query_string, cursor_options, params);
	else
		stmt = standard_planner(parse, query_string, cursor_options, params);
	if (is_ours(stmt))
		(void) distil_scan_rewrite(stmt);
	return stmt;
}

static void
start_statement(QueryDesc *desc, int eflags)
{
	if (!preloaded && !IsParallelWorker() && is_ours(desc->plannedstmt) &&
		!distil_statement_has_scan(desc->plannedstmt))
	{
		PlannedStmt *copy = copyObject(desc->plannedstmt);

		if (distil_scan_rewrite(copy))
			desc->plannedstmt = copy;
	}
	if (prev_executor_start != NULL)
		prev_executor_start(desc, eflags);
	else
		standard_ExecutorStart(desc, eflags);
}

/*
 * Support function of all functions on text.  It has nothing to say, but
 * asking it loads the library while a statement is being planned.
 */
Datum
distil_support(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(NULL);
}

/* ---- workers ---- */

/*
 * Blocks that there are: the planner takes a table that was never analysed for
 * ten, and workers share a table block by block.
 */
static BlockNumber
count_blocks(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);	/* the planner has locked it */
	BlockNumber blocks = 0;

	if (RELKIND_HAS_TABLE_AM(rel->rd_rel->relkind))
		blocks = RelationGetNumberOfBlocks(rel);
	table_close(rel, NoLock);
	return blocks;
}

static void
want_workers(PlannerInfo *root, Oid relid, bool inhparent, RelOptInfo *rel)
{
	BlockNumber blocks;

	if (prev_get_relation_info != NULL)
		prev_get_relation_info(root, relid, inhparent, rel);

	/* a number that the table's owner has set stays */
	if (inhparent || rel->rel_parallel_workers != -1 || max_parallel_workers_per_gather == 0 ||
		rel->tuples < MIN_PARALLEL_ROWS || !root->glob->parallelModeOK ||
		!distil_has_task((Node *) root->parse))
		return;
	blocks = count_blocks(relid);
	if (blocks >= MIN_PARALLEL_BLOCKS)
		rel->rel_parallel_workers = Min(blocks, max_parallel_workers_per_gather);
}

void
distil_scan_init(void)
{
	preloaded = process_shared_preload_libraries_in_progress;
	distil_scan_define_setting();
	distil_runs_init();
	RegisterCustomScanMethods(&distil_scan_methods);

	prev_planner = planner_hook;
	planner_hook = plan_statement;
	prev_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = start_statement;
	prev_get_relation_info = get_relation_info_hook;
	get_relation_info_hook = want_workers;
}
