/*
 * pipecreate.c -- distil_create_pipeline.
 *
 *	   distil_create_pipeline(source, text_column, task, model, into_column,
 *			into_table, mode, options, stale, backfill, name)
 *
 * Everything is checked before anything is made, and all is one transaction.
 * Writers wait from the lock on the source to the end of the transaction; when
 * it commits, none without the triggers is left.  Rows that are there are found
 * by the backfill, later, with snapshots of its own: none is missed, whatever
 * the isolation level of this transaction.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

#include "pg/bridge/arguments.h"
#include "pg/bridge/compat.h"
#include "pg/pipe/capture.h"
#include "pg/pipe/generation.h"
#include "pg/pipe/pipedead.h"
#include "pg/pipe/pipepartitions.h"
#include "pg/pipe/pipesource.h"
#include "pg/pipe/pipetarget.h"
#include "pg/pipe/pipetriggers.h"
#include "pg/pipe/pipewake.h"
#include "pg/store/catalog.h"
#include "pg/store/load.h"

PG_FUNCTION_INFO_V1(distil_create_pipeline);

/* The arguments, in their order. */
enum
{
	ARG_SOURCE,
	ARG_TEXT_COLUMN,
	ARG_TASK,
	ARG_MODEL,
	ARG_INTO_COLUMN,
	ARG_INTO_TABLE,
	ARG_MODE,
	ARG_OPTIONS,
	ARG_STALE,
	ARG_BACKFILL,
	ARG_NAME
};

typedef struct CreateArgs
{
	const char *text_column;
	const char *into_column;	/* NULL: a table */
	Oid			schema;			/* of the table */
	const char *into_table;
	bool		add_column;		/* it does not exist */
	const char *name;			/* NULL: to be found */
	bool		backfill;
	int			width;			/* of embeddings */
} CreateArgs;

/* ---- arguments ---- */

static const char *
name_argument(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : pstrdup(NameStr(*PG_GETARG_NAME(arg)));
}

static void
require(FunctionCallInfo fcinfo, int arg, const char *what)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
}

/* The table's schema; where no worker could write, or nothing may be, none. */
static Oid
target_schema(List *names, Oid source)
{
	Oid			schema = list_length(names) == 2 ? get_namespace_oid(linitial(names), false)
												 : get_rel_namespace(source);

	if (isAnyTempNamespace(schema) || schema == get_namespace_oid("distilbert", true))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_SCHEMA_NAME),
				 errmsg("schema \"%s\" cannot have the target of a pipeline",
						get_namespace_name(schema)),
				 isAnyTempNamespace(schema) ? errdetail("No other session can see its tables.")
											: errdetail("It belongs to the extension."),
				 errhint("Name another schema, or none for that of the source.")));
	return schema;
}

static void
read_table(FunctionCallInfo fcinfo, CreateArgs *args, Oid source)
{
	char	   *given = text_to_cstring(PG_GETARG_TEXT_PP(ARG_INTO_TABLE));
	List	   *names;

	if (!SplitIdentifierString(pstrdup(given), '.', &names) || names == NIL ||
		list_length(names) > 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("into_table is not the name of a table: \"%s\"", given),
				 errhint("Write it as in SQL: 'docs_v', 'app.docs_v', '\"My table\"'.")));
	args->schema = target_schema(names, source);
	args->into_table = llast(names);
}

/* Where the values go: a column or a table, which the task decides. */
static void
read_target(FunctionCallInfo fcinfo, const DistilPipeTask *task, CreateArgs *args, Oid source)
{
	bool		column = !PG_ARGISNULL(ARG_INTO_COLUMN);
	bool		table = !PG_ARGISNULL(ARG_INTO_TABLE);

	if (column && task->kind != DISTIL_PIPE_VALUE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("task \"%s\" needs a table, not a column", task->name),
				 errdetail("It gives any number of rows for a text."),
				 errhint("Name a new table: into_table => '%s_%s'.", get_rel_name(source),
						 task->name)));
	if (column == table)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a pipeline needs either into_column or into_table"),
				 errhint("Name a column of the source, or a new table.")));
	args->into_column = name_argument(fcinfo, ARG_INTO_COLUMN);
	if (table)
		read_table(fcinfo, args, source);
	args->add_column = column && get_attnum(source, args->into_column) == InvalidAttrNumber;
}

static void
read_args(FunctionCallInfo fcinfo, DistilPipeline *p, CreateArgs *args)
{
	require(fcinfo, ARG_SOURCE, "source");
	require(fcinfo, ARG_TEXT_COLUMN, "text_column");
	p->source = PG_GETARG_OID(ARG_SOURCE);
	p->task = distil_pipe_task(distil_text_argument(fcinfo, ARG_TASK, "task"));
	p->sync = distil_is_first_word(distil_text_argument(fcinfo, ARG_MODE, "mode"), "mode", "sync",
								   "async");
	p->remove_stale = distil_is_first_word(distil_text_argument(fcinfo, ARG_STALE, "stale"),
										   "stale", "remove", "keep");
	args->text_column = name_argument(fcinfo, ARG_TEXT_COLUMN);
	args->name = PG_ARGISNULL(ARG_NAME) ? NULL : distil_text_argument(fcinfo, ARG_NAME, "name");
	args->backfill = distil_bool_argument(fcinfo, ARG_BACKFILL);
	read_target(fcinfo, p->task, args, p->source);
	require(fcinfo, ARG_OPTIONS, "options");
	p->n_generations = 1;
	p->generations[0].number = 1;
	p->generations[0].options = distil_pipe_options(p->task, PG_GETARG_JSONB_P(ARG_OPTIONS));
	p->generations[0].model = distil_text_argument(fcinfo, ARG_MODEL, "model");
}

/* ---- the name ---- */

/* As the target is called, shorter and with a number where it has to be. */
static const char *
default_name(const DistilPipeline *p, const CreateArgs *args)
{
	const char *base = args->into_column == NULL
		? args->into_table
		: psprintf("%s_%s", get_rel_name(p->source), args->into_column);
	char	   *name = pnstrdup(base, pg_mbcliplen(base, strlen(base), DISTIL_MAX_PIPELINE));

	for (int i = 1; distil_pipeline_read(name) != NULL; i++)
	{
		char		number[12];
		int			len = snprintf(number, sizeof(number), "%d", i);

		name = psprintf("%.*s%s", pg_mbcliplen(base, strlen(base), DISTIL_MAX_PIPELINE - len),
						base, number);
	}
	return name;
}

static void
check_name(const char *name)
{
	const DistilPipeline *there;

	if (name[0] == '\0' || strlen(name) > DISTIL_MAX_PIPELINE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("name of a pipeline must have 1 to %d bytes, not %d", DISTIL_MAX_PIPELINE,
						(int) strlen(name))));
	there = distil_pipeline_read(name);
	if (there != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("pipeline \"%s\" already exists", name),
				 errdetail("Its source is table \"%s\".", get_rel_name(there->source)),
				 errhint("Choose another name, or drop it first: "
						 "SELECT distil_drop_pipeline(%s).",
						 quote_literal_cstr(name))));
}

/* ---- making it ---- */

/* The column for the values, if it is there, has to do. */
static void
check_column(Relation source, const DistilPipeline *p, const CreateArgs *args)
{
	AttrNumber	column;

	if (args->add_column)
		return;
	column = distil_source_column(source, args->into_column)->attnum;
	for (int i = 0; i < p->columns.n_keys; i++)
	{
		if (p->columns.keys[i] == column)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
					 errmsg("column \"%s\" is part of the primary key", args->into_column),
					 errhint("Name another column; one that does not exist is added.")));
	}
	if (p->columns.text == column)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("a pipeline cannot write the column that it reads"),
				 errhint("Name another column; one that does not exist is added.")));
	distil_check_column_free(source, column, false);
	distil_target_check_column(source, p->task, args->width, column);
}

static void
make_target(DistilPipeline *p, const CreateArgs *args)
{
	if (args->into_column == NULL)
		p->generations[0].target =
			distil_target_make_table(p, args->schema, args->into_table, args->width);
	else
	{
		p->columns.n_values = 1;
		p->columns.values[0] = args->add_column
			? distil_target_add_column(p, args->into_column, args->width)
			: get_attnum(p->source, args->into_column);
	}
}

static void
make_pipeline(DistilPipeline *p, const CreateArgs *args)
{
	DistilGeneration *g = &p->generations[0];

	p->created_at = GetCurrentTimestamp();
	p->parts = distil_partitions_of(p->source);
	g->done_at = args->backfill ? 0 : p->created_at;
	make_target(p, args);
	distil_pipeline_insert(p);
	distil_generation_insert(p, g);
	distil_triggers_make(p);
}

Datum
distil_create_pipeline(PG_FUNCTION_ARGS)
{
	DistilPipeline p = {0};
	CreateArgs	args = {0};
	Relation	source;

	distil_prevent_read_only("distil_create_pipeline()");
	read_args(fcinfo, &p, &args);
	source = distil_open_source(p.source, args.add_column);
	p.owner = source->rd_rel->relowner;
	distil_pipeline_lock();
	(void) distil_living_pipelines();
	distil_source_columns(source, args.text_column, &p.columns);
	args.width = distil_generation_pin(fcinfo->flinfo, &p, &p.generations[0]);
	if (args.into_column != NULL)
		check_column(source, &p, &args);
	if (args.into_column != NULL)
		distil_source_check_generated(source, &p);
	distil_source_check_sync(&p);
	table_close(source, NoLock);
	if (args.name != NULL)
		check_name(args.name);
	p.name = pstrdup(args.name != NULL ? args.name : default_name(&p, &args));
	make_pipeline(&p, &args);
	distil_pipeline_wake();
	PG_RETURN_TEXT_P(cstring_to_text(p.name));
}
