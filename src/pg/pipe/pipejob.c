/*
 * pipejob.c -- see pipejob.h.
 *
 * All statements are for one key: with its primary key's index they cost some
 * microseconds, whatever the planner believes about the table, and a key's
 * failure is its own.  Every name and every operator has its schema.
 *
 * The hash of a text (distilbert.pipeline_hash) decides whether a row still has
 * the text that was computed.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/generation.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipeerror.h"
#include "pg/pipe/pipejob.h"
#include "pg/pipe/watched.h"
#include "pg/run/modelmemory.h"

#define BYTES_PER_TOKEN 4

/* ---- names ---- */

/* "ONLY x s" of a table, "x s" of a partitioned one */
static char *
source_name(const DistilPipeline *p)
{
	bool		partitioned = get_rel_relkind(p->source) == RELKIND_PARTITIONED_TABLE;

	return psprintf("%s%s s", partitioned ? "" : "ONLY ", distil_sql_table(p->source));
}

static const char *
text_expression(const DistilPipeline *p)
{
	return psprintf("CAST(s.%s AS pg_catalog.text)",
					distil_sql_column(p->source, p->columns.text));
}

/* Whatever the statements are made of. */
static char *
signature_of(const DistilPipeline *p)
{
	StringInfoData s;

	initStringInfo(&s);
	appendStringInfo(&s, "%u %s %s", p->owner, source_name(p), text_expression(p));
	for (int i = 0; i < p->columns.n_keys; i++)
		appendStringInfo(&s, " %s %u", distil_sql_column(p->source, p->columns.keys[i]),
						 get_atttype(p->source, p->columns.keys[i]));
	for (int i = 0; i < p->n_generations; i++)
	{
		const DistilGeneration *g = &p->generations[i];

		appendStringInfo(&s, " %d %u %d %s", g->number, g->target, g->column,
						 OidIsValid(g->target) ? distil_sql_table(g->target) :
						 distil_sql_column(p->source, g->column));
	}
	return s.data;
}

/* " WHERE a.key = $1 AND ...", of the source, or of a target's first columns */
static void
append_where_key(StringInfo sql, const DistilPipeline *p, const char *alias, Oid target)
{
	appendStringInfoString(sql, " WHERE ");
	if (OidIsValid(target))
		distil_sql_keys_given(sql, alias, target, NULL, p->columns.n_keys);
	else
		distil_sql_keys_given(sql, alias, p->source, p->columns.keys, p->columns.n_keys);
}

/* ---- statements ---- */

/* "$1, ..." */
static char *
parameter_list(int n)
{
	StringInfoData s;

	initStringInfo(&s);
	for (int i = 0; i < n; i++)
		appendStringInfo(&s, "%s$%d", i > 0 ? ", " : "", i + 1);
	return s.data;
}

static void
free_plan(SPIPlanPtr plan)
{
	if (plan != NULL)
		SPI_freeplan(plan);
}

/* A plan for the whole visit; its parameters are the key, then more [n]. */
static SPIPlanPtr
prepare(const DistilJob *job, const char *sql, const Oid *more, int n)
{
	Oid			types[INDEX_MAX_KEYS + DISTIL_MOST_COLUMNS + 1];
	int			n_keys = job->pipeline->columns.n_keys;
	SPIPlanPtr	plan;

	for (int i = 0; i < n_keys; i++)
		types[i] = job->keys[i].type;
	for (int i = 0; i < n; i++)
		types[n_keys + i] = more[i];
	plan = SPI_prepare_cursor(sql, n_keys + n, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

static void
prepare_source(DistilJob *job)
{
	const DistilPipeline *p = job->pipeline;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s", text_expression(p), source_name(p));
	append_where_key(&sql, p, "s", InvalidOid);
	job->read = prepare(job, sql.data, NULL, 0);

	resetStringInfo(&sql);
	appendStringInfo(&sql, "SELECT distilbert.pipeline_hash(%s) FROM %s", text_expression(p),
					 source_name(p));
	append_where_key(&sql, p, "s", InvalidOid);
	appendStringInfoString(&sql, " FOR NO KEY UPDATE");
	job->wait = prepare(job, sql.data, NULL, 0);
	appendStringInfoString(&sql, " SKIP LOCKED");
	job->lock = prepare(job, sql.data, NULL, 0);
}

/* A target table has the key's columns, those of an answer, and the hash. */
static void
prepare_table(DistilJob *job, const DistilGeneration *g, DistilJobGeneration *plans)
{
	const DistilPipeline *p = job->pipeline;
	const char *table = distil_sql_table(g->target);
	Oid			types[DISTIL_MOST_COLUMNS + 1];
	int			n = distil_answer_types(p->task, types);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT t.%s FROM %s t",
					 distil_sql_column(g->target, p->columns.n_keys + n + 1), table);
	append_where_key(&sql, p, "t", g->target);
	appendStringInfoString(&sql, " LIMIT 1");
	plans->known = prepare(job, sql.data, NULL, 0);

	resetStringInfo(&sql);
	appendStringInfo(&sql, "DELETE FROM %s t", table);
	append_where_key(&sql, p, "t", g->target);
	plans->remove = prepare(job, sql.data, NULL, 0);

	types[n++] = BYTEAOID;
	resetStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s (", table);
	for (int i = 1; i <= p->columns.n_keys + n; i++)
		appendStringInfo(&sql, "%s%s", i > 1 ? ", " : "", distil_sql_column(g->target, i));
	appendStringInfoString(&sql, ") VALUES (");
	appendStringInfo(&sql, "%s)", parameter_list(p->columns.n_keys + n));
	plans->put = prepare(job, sql.data, types, n);
}

static void
prepare_column(DistilJob *job, const DistilGeneration *g, DistilJobGeneration *plans)
{
	const DistilPipeline *p = job->pipeline;
	const char *column = distil_sql_column(p->source, g->column);
	int			parameter = p->columns.n_keys + 1;
	Oid			types[DISTIL_MOST_COLUMNS];
	int			n = distil_answer_types(p->task, types);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s SET %s = $%d", source_name(p), column, parameter);
	append_where_key(&sql, p, "s", InvalidOid);
	appendStringInfo(&sql, " AND (s.%s IS NOT NULL OR $%d IS NOT NULL)", column, parameter);
	plans->put = prepare(job, sql.data, types, n);
}

/* ---- keys behind a key ---- */

/* The operator ">" of a type's default class, as "OPERATOR(pg_catalog.>)". */
static const char *
greater_of(Oid type, bool *builtin)
{
	Oid			operator = lookup_type_cache(type, TYPECACHE_GT_OPR)->gt_opr;
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("type %s has no order", format_type_be(type))));
	form = (Form_pg_operator) GETSTRUCT(tuple);
	*builtin = form->oprnamespace == PG_CATALOG_NAMESPACE &&
		strcmp(NameStr(form->oprname), ">") == 0;
	name = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
					NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return name;
}

/* "a > $1 OR (a = $1 AND (b > $2 OR ...))", from column i on */
static void
append_behind(StringInfo sql, const DistilPipeline *p, int i)
{
	AttrNumber	column = p->columns.keys[i];
	Oid			type = get_atttype(p->source, column);
	char	   *name = psprintf("s.%s", distil_sql_column(p->source, column));
	char	   *parameter = psprintf("$%d", i + 1);
	bool		builtin;

	appendStringInfo(sql, "%s %s %s", name, greater_of(type, &builtin), parameter);
	if (i + 1 == p->columns.n_keys)
		return;
	appendStringInfoString(sql, " OR (");
	distil_sql_equal(sql, name, parameter, type);
	appendStringInfoString(sql, " AND (");
	append_behind(sql, p, i + 1);
	appendStringInfoString(sql, "))");
}

/* "s.key, ..." */
static char *
key_list(const DistilPipeline *p)
{
	return distil_sql_keys("s", p->source, p->columns.keys, p->columns.n_keys);
}

/* As a comparison of rows, which an index can follow, where it can be said. */
static char *
behind(const DistilPipeline *p)
{
	bool		all = true;
	StringInfoData s;

	initStringInfo(&s);
	for (int i = 0; i < p->columns.n_keys; i++)
	{
		bool		builtin;

		(void) greater_of(get_atttype(p->source, p->columns.keys[i]), &builtin);
		all &= builtin;
	}
	if (all)
		appendStringInfo(&s, "ROW(%s) OPERATOR(pg_catalog.>) ROW(%s)", key_list(p),
						 parameter_list(p->columns.n_keys));
	else
		append_behind(&s, p, 0);
	return s.data;
}

/*
 * Keys behind the position, for the backfill.  Of a column, rows that have a
 * value keep it, and rows without a text need none.
 */
void
distil_job_prepare_next(DistilJob *job, int generation)
{
	const DistilPipeline *p = job->pipeline;
	const DistilGeneration *g = &p->generations[generation];
	DistilJobGeneration *plans = &job->generations[generation];
	StringInfoData sql;

	free_plan(plans->next);
	plans->next = NULL;
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s WHERE true", key_list(p), source_name(p));
	if (g->position != NULL)
		appendStringInfo(&sql, " AND (%s)", behind(p));
	if (!OidIsValid(g->target))
		appendStringInfo(&sql, " AND s.%s IS NULL AND s.%s IS NOT NULL",
						 distil_sql_column(p->source, g->column),
						 distil_sql_column(p->source, p->columns.text));
	appendStringInfo(&sql, " ORDER BY %s LIMIT %d", key_list(p), DISTIL_JOB_KEYS);
	plans->next = prepare(job, sql.data, NULL, 0);
}

/* ---- models ---- */

static void
open_model(DistilJob *job, int i)
{
	const DistilGeneration *g = &job->pipeline->generations[i];
	DistilJobGeneration *plans = &job->generations[i];

	plans->call.fn_mcxt = job->context;
	plans->model = distil_generation_model(&plans->call, job->pipeline, g);
	distil_pipe_check_model(job->pipeline->task, plans->model, g->options);
}

size_t
distil_job_text_bytes(const DistilJob *job)
{
	const DistilPipeTask *task = job->pipeline->task;
	int			want = task->task != NULL ? task->task->want : DBERT_WANT_LOGITS;
	size_t		tokens = SIZE_MAX / BYTES_PER_TOKEN;

	for (int i = 0; i < job->pipeline->n_generations; i++)
		tokens = Min(tokens, distil_batch_tokens(job->generations[i].model, want));
	return tokens * BYTES_PER_TOKEN;
}

/* ---- visits ---- */

static void
prepare_keys(DistilJob *job)
{
	const DistilPipeline *p = job->pipeline;

	for (int i = 0; i < p->columns.n_keys; i++)
	{
		DistilJobKey *key = &job->keys[i];
		Oid			collation,
					input;

		get_atttypetypmodcoll(p->source, p->columns.keys[i], &key->type, &key->typmod, &collation);
		getTypeInputInfo(key->type, &input, &key->ioparam);
		fmgr_info_cxt(input, &key->input, job->context);
	}
}

static void
prepare_generation(DistilJob *job, int i)
{
	const DistilGeneration *g = &job->pipeline->generations[i];
	DistilJobGeneration *plans = &job->generations[i];

	if (OidIsValid(g->target))
		prepare_table(job, g, plans);
	else
		prepare_column(job, g, plans);
	if (g->done_at == 0)
		distil_job_prepare_next(job, i);
}

/* The end of the visit's context. */
static void
free_plans(void *arg)
{
	DistilJob  *job = arg;

	free_plan(job->read);
	free_plan(job->lock);
	free_plan(job->wait);
	for (int i = 0; i < DISTIL_MAX_GENERATIONS; i++)
	{
		DistilJobGeneration *plans = &job->generations[i];

		free_plan(plans->known);
		free_plan(plans->remove);
		free_plan(plans->put);
		free_plan(plans->next);
	}
}

static DistilJob *
make_job(MemoryContext context, bool in_call)
{
	DistilJob  *job = palloc0(sizeof(DistilJob));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	job->context = context;
	job->batch = AllocSetContextCreate(context, "distilbert pipeline batch",
									   ALLOCSET_DEFAULT_SIZES);
	job->in_call = in_call;
	callback->func = free_plans;
	callback->arg = job;
	MemoryContextRegisterResetCallback(context, callback);
	return job;
}

static void
prepare_job(DistilJob *job)
{
	DistilOwnerState state;

	prepare_keys(job);
	for (int i = 0; i < job->pipeline->n_generations; i++)
		open_model(job, i);
	state = distil_become_owner(job->pipeline->owner, true);
	SPI_connect();
	prepare_source(job);
	for (int i = 0; i < job->pipeline->n_generations; i++)
		prepare_generation(job, i);
	SPI_finish();
	distil_resign_owner(state);
}

DistilJob *
distil_job_begin(const char *name, bool in_call)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "distilbert pipeline",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint64		changes = distil_watched_changes();
	DistilPipeline *p = distil_pipeline_find(name);
	DistilJob  *job = NULL;

	if (p != NULL && distil_pipeline_works(p))
	{
		job = make_job(context, in_call);
		job->pipeline = p;
		job->signature = signature_of(p);
		job->changes = changes;
		job->errors = distil_errors_exist(name);
		prepare_job(job);
	}
	MemoryContextSwitchTo(old);
	if (job == NULL)
		MemoryContextDelete(context);
	return job;
}

void
distil_job_end(DistilJob *job)
{
	MemoryContextDelete(job->context);
}

static void
lock_tables(const DistilPipeline *p)
{
	LockRelationOid(p->source, AccessShareLock);
	for (int i = 0; i < p->n_generations; i++)
	{
		if (OidIsValid(p->generations[i].target))
			LockRelationOid(p->generations[i].target, RowExclusiveLock);
	}
}

/* With the locks in hand, nothing changes but what is not to be locked. */
bool
distil_job_is_current(DistilJob *job)
{
	DistilPipeline *p;
	uint64		changes;

	lock_tables(job->pipeline);
	changes = distil_watched_changes();
	if (changes == job->changes)
		return !distil_pipeline_is_elsewhere(job->pipeline);
	p = distil_pipeline_find(job->pipeline->name);
	if (p == NULL || !distil_pipeline_works(p) || strcmp(signature_of(p), job->signature) != 0)
		return false;
	job->changes = changes;
	return true;
}
