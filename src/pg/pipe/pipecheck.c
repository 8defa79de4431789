/*
 * pipecheck.c -- distil_check_pipeline.
 *
 *	   distil_check_pipeline(name, repair)		(kind text, rows bigint)
 *
 * Is the live target what the model says of the source, row by row?
 *
 *		missing		there is a text, and no value of it
 *		outdated	the value is that of another text
 *		orphaned	there is a value, and no text
 *		failed		keys that failed and wait, or were given up
 *
 * A table's rows have the hash of their text, so what is there costs a look.  A
 * column has none: its values are computed again, and compared.  So are texts
 * without rows, of which nothing says that there is nothing in them.  repair
 * queues the keys of all four, and the worker makes them so.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/bridge/arguments.h"
#include "pg/bridge/compat.h"
#include "pg/pipe/generation.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipebatch.h"
#include "pg/pipe/pipeerror.h"
#include "pg/pipe/pipequeue.h"
#include "pg/pipe/pipewake.h"
#include "pg/store/load.h"

PG_FUNCTION_INFO_V1(distil_check_pipeline);

typedef enum Finding
{
	FOUND_MISSING,
	FOUND_OUTDATED,
	FOUND_ORPHANED,
	FOUND_FAILED,
	N_FINDINGS,
	FOUND_NOTHING
} Finding;

static const char *const finding_names[] = {"missing", "outdated", "orphaned", "failed"};

typedef struct Check
{
	DistilJob  *job;
	bool		repair;
	SPIPlanPtr	compare;		/* of a column: has it a value, and this one? */
	int64		rows[N_FINDINGS];
} Check;

static bool
is_table(const Check *c)
{
	return OidIsValid(c->job->pipeline->generations[0].target);
}

static void
note(Check *c, Finding finding, ArrayType *key)
{
	if (finding == FOUND_NOTHING)
		return;
	c->rows[finding]++;
	if (c->repair)
		distil_queue_add_key(c->job->pipeline->name, key);
}

/* ---- one key ---- */

/* Of a table: has it rows of the key? */
static bool
has_rows(const Check *c, DistilKey *key)
{
	bool		found;

	distil_sql_plan(c->job->generations[0].known, key->columns, NULL, true, SPI_OK_SELECT);
	found = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
	return found;
}

static Finding
look_at_rows(const Check *c, DistilKey *key)
{
	if (!key->has_text || !key->wanted[0])
		return FOUND_NOTHING;	/* rows of no text are found from their side */
	if (has_rows(c, key))
		return FOUND_OUTDATED;
	return key->answers[0].n > 0 ? FOUND_MISSING : FOUND_NOTHING;
}

/* Is the column NULL, and is it this value? */
static void
compare_column(const Check *c, const DistilKey *key, NullableDatum answer, bool *null, bool *same)
{
	int			n = c->job->pipeline->columns.n_keys;
	Datum		values[INDEX_MAX_KEYS + 1];
	char		nulls[INDEX_MAX_KEYS + 1];
	bool		isnull;

	memcpy(values, key->columns, n * sizeof(Datum));
	memset(nulls, ' ', n);
	values[n] = answer.value;
	nulls[n] = answer.isnull ? 'n' : ' ';
	*null = *same = true;
	distil_sql_plan(c->compare, values, nulls, true, SPI_OK_SELECT);
	if (SPI_processed == 0)
		return;
	*null = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	*same = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull)) &&
		!isnull;
	SPI_freetuptable(SPI_tuptable);
}

static Finding
look_at_column(const Check *c, const DistilKey *key)
{
	NullableDatum answer = {.isnull = true};
	bool		null,
				same;

	if (key->has_text && key->answers[0].n > 0)
		answer = key->answers[0].rows[0][DISTIL_VALUE];
	compare_column(c, key, answer, &null, &same);
	if (null && answer.isnull)
		return FOUND_NOTHING;
	if (null)
		return FOUND_MISSING;
	if (answer.isnull)
		return key->has_text ? FOUND_OUTDATED : FOUND_ORPHANED;
	return same ? FOUND_NOTHING : FOUND_OUTDATED;
}

/* What fails now is counted with what failed before. */
static void
look_at_key(Check *c, DistilKey *key)
{
	if (key->error != NULL || !key->found)
		return;
	note(c, is_table(c) ? look_at_rows(c, key) : look_at_column(c, key), key->key);
}

/* ---- all keys of the source ---- */

static void
raise_fault(const Check *c, ErrorData *fault, bool outdated)
{
	if (fault != NULL)
		ReThrowError(fault);
	if (outdated)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" was changed meanwhile", c->job->pipeline->name),
				 errhint("Check it again.")));
}

/* Some keys: as many as their texts allow.  Returns how many those were. */
static int
check_keys(Check *c, DistilKey *keys, int n)
{
	DistilKeyBatch batch = {.job = c->job,.only = 0,.keys = keys,.n = n};
	DistilOwnerState state;

	raise_fault(c, distil_keys_read(&batch), batch.outdated);
	raise_fault(c, distil_keys_compute(&batch), false);
	state = distil_become_owner(c->job->pipeline->owner, true);
	for (int i = 0; i < batch.n; i++)
		look_at_key(c, &keys[i]);
	distil_resign_owner(state);
	return batch.n;
}

typedef void (*KeysVisitor) (Check *c, DistilKey *keys, int n);

/* The keys that a query gives, as the owner sees them, some at a time. */
static void
visit_keys(Check *c, const char *sql, KeysVisitor visit)
{
	DistilOwnerState state = distil_become_owner(c->job->pipeline->owner, true);
	int			nestlevel = distil_key_text_begin();
	SPIParseOpenOptions options = {.read_only = true};
	Portal		portal = SPI_cursor_parse_open(NULL, sql, &options);
	uint64		n;

	do
	{
		MemoryContext old;
		DistilKey  *keys;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, DISTIL_JOB_KEYS);
		n = SPI_processed;
		MemoryContextReset(c->job->batch);
		old = MemoryContextSwitchTo(c->job->batch);
		keys = palloc0_array(DistilKey, DISTIL_JOB_KEYS);
		for (uint64 i = 0; i < n; i++)
			keys[i].key = distil_sql_fetched(i, c->job->pipeline->columns.n_keys);
		SPI_freetuptable(SPI_tuptable);
		visit(c, keys, (int) n);
		MemoryContextSwitchTo(old);
	} while (n > 0);
	SPI_cursor_close(portal);
	distil_key_text_end(nestlevel);
	distil_resign_owner(state);
}

static void
check_fetched(Check *c, DistilKey *keys, int n)
{
	for (int done = 0; done < n;)
		done += check_keys(c, keys + done, n - done);
}

static void
note_orphans(Check *c, DistilKey *keys, int n)
{
	for (int i = 0; i < n; i++)
		note(c, FOUND_ORPHANED, keys[i].key);
}

static void
check_source(Check *c)
{
	const DistilPipeline *p = c->job->pipeline;

	visit_keys(c, psprintf("SELECT %s FROM %s x",
						   distil_sql_keys("x", p->source, p->columns.keys, p->columns.n_keys),
						   distil_sql_table(p->source)), check_fetched);
}

/* Keys of a target table that the source does not have, or not with a text. */
static void
check_target(Check *c)
{
	const DistilPipeline *p = c->job->pipeline;
	Oid			target = p->generations[0].target;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT DISTINCT %s FROM %s x WHERE NOT EXISTS (SELECT FROM %s s WHERE ",
					 distil_sql_keys("x", target, NULL, p->columns.n_keys),
					 distil_sql_table(target),
					 distil_sql_table(p->source));
	distil_sql_keys_equal(&sql, "x", target, "s", p->source, &p->columns);
	appendStringInfo(&sql, " AND s.%s IS NOT NULL)", distil_sql_column(p->source, p->columns.text));
	visit_keys(c, sql.data, note_orphans);
}

/* ---- beginning ---- */

/* "SELECT value IS NULL, value = CAST($n AS its type)" */
static void
prepare_compare(Check *c)
{
	const DistilPipeline *p = c->job->pipeline;
	AttrNumber	column = p->generations[0].column;
	int			n = p->columns.n_keys;
	char	   *value = psprintf("s.%s", distil_sql_column(p->source, column));
	Oid			types[INDEX_MAX_KEYS + 1];
	Oid			type,
				collation;
	int32		typmod;
	StringInfoData sql;

	get_atttypetypmodcoll(p->source, column, &type, &typmod, &collation);
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s IS NULL, ", value);
	distil_sql_equal(&sql, value,
					 psprintf("CAST($%d AS %s)", n + 1,
							  format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN |
												   FORMAT_TYPE_FORCE_QUALIFY)),
					 getBaseType(type));
	appendStringInfo(&sql, " FROM %s s WHERE ", distil_sql_table(p->source));
	distil_sql_keys_given(&sql, "s", p->source, p->columns.keys, n);
	for (int i = 0; i < n; i++)
		types[i] = c->job->keys[i].type;
	types[n] = p->task->task->type;
	c->compare = SPI_prepare(sql.data, n + 1, types);
	if (c->compare == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
}

static DistilJob *
begin(const char *name)
{
	const DistilPipeline *p = distil_pipeline_get(name);
	DistilJob  *job;

	distil_pipeline_check_usable(p);
	if (p->elsewhere)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" is kept up elsewhere", name),
				 errdetail("A subscription brings its values."),
				 errhint("Check it on the publisher.")));
	job = distil_job_begin(name, false);
	if (job == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" cannot be checked while it is paused", name),
				 errhint("Let it go on: SELECT distil_alter_pipeline(%s, paused => false).",
						 quote_literal_cstr(name))));
	return job;
}

/* Keys that failed; to repair is to try them again from the start. */
static void
check_failed(Check *c)
{
	const char *name = c->job->pipeline->name;
	ListCell   *lc;

	foreach(lc, distil_errors_keys(name))
	{
		note(c, FOUND_FAILED, lfirst(lc));
		if (c->repair)
			distil_error_forget(name, lfirst(lc));
	}
}

static void
check_all(Check *c)
{
	DistilOwnerState state;

	SPI_connect();
	if (!is_table(c))
	{
		state = distil_become_owner(c->job->pipeline->owner, true);
		prepare_compare(c);
		distil_resign_owner(state);
	}
	check_source(c);
	if (is_table(c))
		check_target(c);
	SPI_finish();
	check_failed(c);
}

Datum
distil_check_pipeline(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Check		c = {.repair = distil_bool_argument(fcinfo, 1)};
	char	   *name = distil_text_argument(fcinfo, 0, "name of the pipeline");

	if (c.repair)
		distil_prevent_read_only("distil_check_pipeline()");
	InitMaterializedSRF(fcinfo, 0);
	c.job = begin(name);
	check_all(&c);
	if (c.repair)
		distil_pipeline_wake();
	for (int i = 0; i < N_FINDINGS; i++)
	{
		Datum		values[2] = {CStringGetTextDatum(finding_names[i]), Int64GetDatum(c.rows[i])};
		bool		nulls[2] = {false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	distil_job_end(c.job);
	return (Datum) 0;
}
