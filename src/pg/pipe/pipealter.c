/*
 * pipealter.c -- distil_alter_pipeline.
 *
 *	   distil_alter_pipeline(name, model, options, mode, paused)
 *
 * What is NULL stays as it is.  Another model, or other options, give another
 * generation: a column or a table beside the live one, of the same name with
 * "__next" behind it, that is filled while the live one is kept up and read as
 * ever.  distil_switch_pipeline (pipeswitch.c) puts it in its place.
 *
 * A pipeline builds one generation at a time.  To ask for another one begins
 * anew; to ask for what is live gives up what is being built.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "pg/bridge/arguments.h"
#include "pg/bridge/compat.h"
#include "pg/pipe/generation.h"
#include "pg/pipe/pipelock.h"
#include "pg/pipe/pipesource.h"
#include "pg/pipe/pipetarget.h"
#include "pg/pipe/pipetriggers.h"
#include "pg/pipe/pipewake.h"
#include "pg/store/load.h"

PG_FUNCTION_INFO_V1(distil_alter_pipeline);

enum
{
	ARG_NAME,
	ARG_MODEL,
	ARG_OPTIONS,
	ARG_MODE,
	ARG_PAUSED
};

/* ---- the next generation ---- */

/* The live one's options, and over them those that are given. */
static NullableDatum *
merged_options(const DistilPipeline *p, Jsonb *given)
{
	Jsonb	   *live = distil_pipe_options_jsonb(p->task, p->generations[0].options);
	Datum		both;

	(void) distil_pipe_options(p->task, given); /* an object, of options that there are */
	both = DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(live), JsonbPGetDatum(given));
	return distil_pipe_options(p->task, DatumGetJsonbP(both));
}

static bool
same_options(const DistilPipeline *p, const NullableDatum *a, const NullableDatum *b)
{
	Datum		x = JsonbPGetDatum(distil_pipe_options_jsonb(p->task, a));
	Datum		y = JsonbPGetDatum(distil_pipe_options_jsonb(p->task, b));

	return DatumGetBool(DirectFunctionCall2(jsonb_eq, x, y));
}

static bool
makes_the_same(const DistilPipeline *p, const DistilGeneration *a, const DistilGeneration *b)
{
	return memcmp(a->sha256, b->sha256, DISTIL_SHA256_BYTES) == 0 &&
		same_options(p, a->options, b->options);
}

/* Its target goes; of a column, what the triggers know of it first. */
static void
give_up_next(DistilPipeline *p)
{
	DistilGeneration next = p->generations[1];

	p->n_generations = 1;
	if (!OidIsValid(next.target))
	{
		p->columns.n_values = 1;
		distil_triggers_make(p);
	}
	distil_target_drop(p, &next);
	distil_generation_delete(p, next.number);
}

/* "docs_chunks__next", or a column's */
static const char *
next_name(const DistilPipeline *p)
{
	const DistilGeneration *live = &p->generations[0];
	const char *name = OidIsValid(live->target) ? get_rel_name(live->target)
		: get_attname(p->source, live->column, false);

	return makeObjectName(name, NULL, "_next");
}

static void
add_column(DistilPipeline *p, DistilGeneration *next, int width)
{
	const char *name = next_name(p);

	if (get_attnum(p->source, name) != InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" already exists", name,
						get_rel_name(p->source)),
				 errdetail("It would hold the values of pipeline \"%s\" until they are switched.",
						   p->name),
				 errhint("Drop or rename that column.")));
	next->column = distil_target_add_column(p, name, width);
	p->columns.values[p->columns.n_values++] = next->column;
}

static void
add_next(DistilPipeline *p, int width)
{
	DistilGeneration *next = &p->generations[1];
	Oid			live = p->generations[0].target;

	if (OidIsValid(live))
		next->target =
			distil_target_make_table(p, get_rel_namespace(live), next_name(p), width);
	else
		add_column(p, next, width);
	p->n_generations = 2;
	distil_generation_insert(p, next);
	if (!OidIsValid(live))
		distil_triggers_make(p);
}

/* Another model or other options. */
static void
change_generation(FunctionCallInfo fcinfo, DistilPipeline *p)
{
	DistilGeneration next = {.number = p->generations[p->n_generations - 1].number + 1};
	int			width;

	next.model = PG_ARGISNULL(ARG_MODEL) ? p->generations[0].model
		: distil_text_argument(fcinfo, ARG_MODEL, "model");
	next.options = PG_ARGISNULL(ARG_OPTIONS) ? p->generations[0].options
		: merged_options(p, PG_GETARG_JSONB_P(ARG_OPTIONS));
	width = distil_generation_pin(fcinfo->flinfo, p, &next);
	if (p->n_generations > 1 && makes_the_same(p, &next, &p->generations[1]))
		return;
	if (p->n_generations > 1)
		give_up_next(p);
	if (makes_the_same(p, &next, &p->generations[0]))
	{
		ereport(NOTICE,
				(errmsg("pipeline \"%s\" has this model and these options already", p->name)));
		return;
	}
	p->generations[1] = next;
	add_next(p, width);
}

/* ---- the mode ---- */

static void
change_mode(DistilPipeline *p, const char *mode)
{
	Relation	source = table_open(p->source, NoLock);

	p->sync = distil_is_first_word(mode, "mode", "sync", "async");
	if (!OidIsValid(p->generations[0].target))
		distil_source_check_generated(source, p);
	distil_source_check_sync(p);
	table_close(source, NoLock);
	distil_triggers_drop(p);
	distil_triggers_make(p);
}

/* ---- the function ---- */

/* With the lock that the change needs, and then as it is now. */
static DistilPipeline *
open_pipeline(const char *name, bool generation, bool triggers)
{
	DistilPipeline *p = distil_pipeline_get(name);
	bool		column;

	distil_pipeline_check_usable(p);
	column = !OidIsValid(p->generations[0].target);
	/* triggers are dropped, which takes it in the end */
	if (triggers || (generation && column))
		distil_lock_politely(p->source, AccessExclusiveLock);
	else if (generation)
		distil_lock_politely(p->source, ShareRowExclusiveLock);
	distil_pipeline_lock();
	p = distil_pipeline_get(name);
	distil_pipeline_check_usable(p);
	return p;
}

Datum
distil_alter_pipeline(PG_FUNCTION_ARGS)
{
	const char *name = distil_text_argument(fcinfo, ARG_NAME, "name of the pipeline");
	bool		generation = !PG_ARGISNULL(ARG_MODEL) || !PG_ARGISNULL(ARG_OPTIONS);
	bool		mode = !PG_ARGISNULL(ARG_MODE);
	DistilPipeline *p;

	distil_prevent_read_only("distil_alter_pipeline()");
	p = open_pipeline(name, generation, mode);
	if (!PG_ARGISNULL(ARG_PAUSED))
		p->paused = PG_GETARG_BOOL(ARG_PAUSED);
	if (mode)
		change_mode(p, distil_text_argument(fcinfo, ARG_MODE, "mode"));
	distil_pipeline_update(p);
	if (generation)
		change_generation(fcinfo, p);
	distil_pipeline_wake();
	PG_RETURN_VOID();
}
