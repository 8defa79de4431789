/*
 * pipeswitch.c -- distil_switch_pipeline.
 *
 *
 *
 * Both generations are kept up while the next one is built, so when its
 * backfill has ended they are of the same texts, and a queue that is never
 * empty does no harm.  One transaction puts the next target in the live one's
 * place: under its name, with its privileges and indexes of its kind.  What
 * would be left behind (an index that the next one lacks, a view that would
 * follow the old one) is told beforehand, and nothing is changed.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/bridge/arguments.h"
#include "pg/bridge/compat.h"
#include "pg/pipe/generation.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipelock.h"
#include "pg/pipe/pipeswitch.h"
#include "pg/pipe/pipetarget.h"
#include "pg/pipe/pipetriggers.h"
#include "pg/store/load.h"

PG_FUNCTION_INFO_V1(distil_switch_pipeline);

/* ---- may it be? ---- */

static char *
joined(List *strings, const char *separator)
{
	StringInfoData s;
	ListCell   *lc;

	initStringInfo(&s);
	foreach(lc, strings)
		appendStringInfo(&s, "%s%s", foreach_current_index(lc) > 0 ? separator : "",
						 (char *) lfirst(lc));
	return s.data;
}

static void
raise_not_ready(const DistilPipeline *p, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("pipeline \"%s\" cannot be switched", p->name),
			 errdetail("%s", detail), errhint("%s", hint)));
}

/* What was made for the live target, and would go or stay with it. */
static void
check_counterparts(const DistilPipeline *p)
{
	List	   *indexes = distil_missing_indexes(p);
	List	   *dependents = distil_target_dependents(p);
	List	   *lacks = distil_target_lacks(p);

	if (dependents != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("pipeline \"%s\" cannot be switched because other objects depend on what "
						"it replaces", p->name),
				 errdetail("They would go on showing the old values: %s.",
						   joined(dependents, ", ")),
				 errhint("Drop them, switch, and make them again, in one transaction.")));
	if (indexes != NIL)
		raise_not_ready(p, "The values that were built lack indexes that the live ones have.",
						psprintf("Make them, then switch again:\n%s;", joined(indexes, ";\n")));
	if (lacks != NIL)
		raise_not_ready(p, psprintf("The table that was built lacks what the live one has: %s.",
									joined(lacks, ", ")),
						psprintf("Make it for %s, too, or drop it.",
								 distil_sql_table(p->generations[1].target)));
}

static void
check_ready(const DistilPipeline *p)
{
	distil_pipeline_check_usable(p);
	if (p->n_generations < 2)
		raise_not_ready(p, "It builds no other values.",
						"Give it another model or other options by distil_alter_pipeline first.");
	if (p->generations[1].done_at == 0)
		raise_not_ready(p, "The values of its next generation are not all there.",
						"Wait until the view distil_pipelines shows state \"ready\", or run "
						"CALL distil_run_pipeline.");
	check_counterparts(p);
}

/* ---- the change ---- */

static void
run_all(List *statements)
{
	ListCell   *lc;

	foreach(lc, statements)
		distil_sql_run(lfirst(lc));
}

/* The live target out of the way, the next one in its place. */
static void
replace_table(const DistilPipeline *p, bool drop_old)
{
	const DistilGeneration *live = &p->generations[0];
	const char *name = get_rel_name(live->target);

	if (drop_old)
		distil_target_drop(p, live);
	else
		distil_sql_run(psprintf("ALTER TABLE %s RENAME TO %s", distil_sql_table(live->target),
								quote_identifier(makeObjectName(name, NULL, "_old"))));
	distil_sql_run(psprintf("ALTER TABLE %s RENAME TO %s",
							distil_sql_table(p->generations[1].target), quote_identifier(name)));
}

static void
rename_column(const DistilPipeline *p, AttrNumber column, const char *name)
{
	distil_sql_run(psprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", distil_sql_table(p->source),
							distil_sql_column(p->source, column), quote_identifier(name)));
}

/* The triggers name the columns, so they forget the live one first. */
static void
replace_column(const DistilPipeline *p, bool drop_old)
{
	const DistilGeneration *live = &p->generations[0];
	const char *name = get_attname(p->source, live->column, false);
	DistilPipeline next = *p;

	next.columns.n_values = 1;
	next.columns.values[0] = p->generations[1].column;
	distil_triggers_make(&next);
	if (drop_old)
		distil_target_drop(p, live);
	else
		rename_column(p, live->column, makeObjectName(name, NULL, "_old"));
	rename_column(p, p->generations[1].column, name);
}

static void
switch_pipeline(const DistilPipeline *p, bool drop_old)
{
	List	   *renames = drop_old ? distil_index_renames(p) : NIL;
	DistilOwnerState state;

	state = distil_become_owner(p->owner, false);
	run_all(distil_target_grants(p));
	if (OidIsValid(p->generations[0].target))
		replace_table(p, drop_old);
	else
		replace_column(p, drop_old);
	run_all(renames);
	distil_resign_owner(state);
	distil_generation_delete(p, p->generations[0].number);
}

/* The locks that the change needs: readers of what it renames wait, too. */
static void
lock_for_switch(const DistilPipeline *p)
{
	if (p->n_generations > 1 && OidIsValid(p->generations[0].target))
	{
		distil_lock_politely(p->source, ShareRowExclusiveLock);
		for (int i = 0; i < p->n_generations; i++)
			distil_lock_politely(p->generations[i].target, AccessExclusiveLock);
	}
	else
		distil_lock_politely(p->source, AccessExclusiveLock);
	distil_pipeline_lock();
}

Datum
distil_switch_pipeline(PG_FUNCTION_ARGS)
{
	const char *name = distil_text_argument(fcinfo, 0, "name of the pipeline");
	DistilPipeline *p;

	distil_prevent_read_only("distil_switch_pipeline()");
	check_ready(distil_pipeline_get(name));
	lock_for_switch(distil_pipeline_get(name));
	p = distil_pipeline_get(name);
	check_ready(p);
	switch_pipeline(p, PG_ARGISNULL(1) || PG_GETARG_BOOL(1));
	PG_RETURN_VOID();
}
