/*
 * pipeline.c -- the catalogue of pipelines: see pipeline.h.
 *
 * The tables are read and written as those of models are (store/catalog.h):
 * by C code, with fresh snapshots, without privileges.  A change of a row sends
 * a relcache invalidation of the source, by which sessions forget what their
 * triggers know of it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipeline.h"
#include "pg/pipe/pipereplica.h"
#include "pg/store/catalog.h"
#include "pg/store/names.h"

enum
{
	PIPELINE_NAME = 1,
	PIPELINE_SOURCE,
	PIPELINE_TASK,
	PIPELINE_MODE,
	PIPELINE_STALE,
	PIPELINE_PAUSED,
	PIPELINE_CREATED_AT,
	PIPELINE_PARTS,
	PIPELINE_COLUMNS = PIPELINE_PARTS
};

enum
{
	GENERATION_PIPELINE = 1,
	GENERATION_NUMBER,
	GENERATION_MODEL,
	GENERATION_SHA256,
	GENERATION_OPTIONS,
	GENERATION_TARGET,
	GENERATION_POSITION,
	GENERATION_DONE_AT,
	GENERATION_ROWS_DONE,
	GENERATION_SECONDS,
	GENERATION_COLUMNS = GENERATION_SECONDS
};

/* ---- reading ---- */

static Datum
nullable(HeapTuple tuple, AttrNumber attnum, Relation rel, bool *isnull)
{
	return heap_getattr(tuple, attnum, RelationGetDescr(rel), isnull);
}

static void
read_generation(HeapTuple tuple, Relation rel, const DistilPipeTask *task, DistilGeneration *g)
{
	bytea	   *sha256 = DatumGetByteaPP(distil_column(tuple, GENERATION_SHA256, rel));
	bool		isnull;
	Datum		value;

	if (VARSIZE_ANY_EXHDR(sha256) != DISTIL_SHA256_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("table \"distilbert.%s\" holds a hash of wrong length",
						RelationGetRelationName(rel))));
	memcpy(g->sha256, VARDATA_ANY(sha256), DISTIL_SHA256_BYTES);
	g->number = DatumGetInt32(distil_column(tuple, GENERATION_NUMBER, rel));
	g->model = TextDatumGetCString(distil_column(tuple, GENERATION_MODEL, rel));
	g->options =
		distil_pipe_options(task, DatumGetJsonbP(distil_column(tuple, GENERATION_OPTIONS, rel)));
	value = nullable(tuple, GENERATION_TARGET, rel, &isnull);
	g->target = isnull ? InvalidOid : DatumGetObjectId(value);
	value = nullable(tuple, GENERATION_POSITION, rel, &isnull);
	g->position = isnull ? NULL : DatumGetArrayTypePCopy(value);
	value = nullable(tuple, GENERATION_DONE_AT, rel, &isnull);
	g->done_at = isnull ? 0 : DatumGetTimestampTz(value);
	g->rows_done = DatumGetInt64(distil_column(tuple, GENERATION_ROWS_DONE, rel));
	g->seconds = DatumGetFloat8(distil_column(tuple, GENERATION_SECONDS, rel));
}

static void
read_generations(DistilPipeline *p)
{
	Relation	rel = distil_open_table("pipeline_generation", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	distil_key_text(&key, GENERATION_PIPELINE, p->name);
	scan = distil_begin_scan(rel, NULL, 1, &key);
	while (p->n_generations < DISTIL_MAX_GENERATIONS &&
		   HeapTupleIsValid(tuple = systable_getnext(scan)))
		read_generation(tuple, rel, p->task, &p->generations[p->n_generations++]);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static List *
oids_of(ArrayType *array)
{
	List	   *oids = NIL;
	Datum	   *elements;
	int			n;

	deconstruct_array(array, REGCLASSOID, sizeof(Oid), true, TYPALIGN_INT, &elements, NULL, &n);
	for (int i = 0; i < n; i++)
		oids = lappend_oid(oids, DatumGetObjectId(elements[i]));
	return oids;
}

static ArrayType *
array_of(const List *oids)
{
	Datum	   *elements = palloc_array(Datum, list_length(oids) + 1);
	ListCell   *lc;

	foreach(lc, oids)
		elements[foreach_current_index(lc)] = ObjectIdGetDatum(lfirst_oid(lc));
	return construct_array(elements, list_length(oids), REGCLASSOID, sizeof(Oid), true,
						   TYPALIGN_INT);
}

static void
read_pipeline(HeapTuple tuple, Relation rel, DistilPipeline *p)
{
	p->name = TextDatumGetCString(distil_column(tuple, PIPELINE_NAME, rel));
	p->source = DatumGetObjectId(distil_column(tuple, PIPELINE_SOURCE, rel));
	p->task = distil_pipe_task(TextDatumGetCString(distil_column(tuple, PIPELINE_TASK, rel)));
	p->sync = strcmp(TextDatumGetCString(distil_column(tuple, PIPELINE_MODE, rel)), "sync") == 0;
	p->remove_stale =
		strcmp(TextDatumGetCString(distil_column(tuple, PIPELINE_STALE, rel)), "remove") == 0;
	p->paused = DatumGetBool(distil_column(tuple, PIPELINE_PAUSED, rel));
	p->created_at = DatumGetTimestampTz(distil_column(tuple, PIPELINE_CREATED_AT, rel));
	p->parts = oids_of(DatumGetArrayTypeP(distil_column(tuple, PIPELINE_PARTS, rel)));
}

static bool
read_row(const char *name, DistilPipeline *p)
{
	Relation	rel = distil_try_open_table("pipeline", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	if (rel == NULL)
		return false;
	distil_key_text(&key, PIPELINE_NAME, name);
	scan = distil_begin_scan(rel, NULL, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		read_pipeline(tuple, rel, p);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* What is wrong with the target of generation i; NULL: nothing is. */
static const char *
target_fault(DistilPipeline *p, int i)
{
	DistilGeneration *g = &p->generations[i];
	Oid			owner;

	if (!OidIsValid(g->target))
	{
		if (i >= p->columns.n_values)
			return "the column for its values is gone";
		g->column = p->columns.values[i];
		return NULL;
	}
	owner = distil_relation_owner(g->target);
	if (!OidIsValid(owner))
		return "the table for its values is gone";
	return owner == p->owner ? NULL : "the table for its values has another owner than its source";
}

/* What keeps a pipeline from being whole; NULL: nothing does. */
static const char *
fault(DistilPipeline *p)
{
	Relation	source = try_relation_open(p->source, AccessShareLock);
	const char *fault = NULL;
	bool		found;

	if (source == NULL)
		return "its source is gone";
	p->owner = source->rd_rel->relowner;
	found = distil_pipeline_columns(source, p->name, &p->columns);
	relation_close(source, NoLock);
	if (!found)
		return "its source has no trigger for it";
	if (p->n_generations == 0)
		return "it has no model";
	for (int i = 0; i < p->n_generations && fault == NULL; i++)
		fault = target_fault(p, i);
	return fault;
}

/* Of a column: is it the table's, whose triggers do not see the changes? */
bool
distil_pipeline_is_elsewhere(const DistilPipeline *p)
{
	for (int i = 0; i < p->n_generations; i++)
	{
		Oid			target = p->generations[i].target;

		if (OidIsValid(target) ? distil_is_subscribed(target)
			: !p->columns.always && distil_is_subscribed(p->source))
			return true;
	}
	return false;
}

bool
distil_pipeline_is_filling(const DistilPipeline *p)
{
	for (int i = 0; i < p->n_generations; i++)
	{
		if (p->generations[i].done_at == 0)
			return true;
	}
	return false;
}

DistilPipeline *
distil_pipeline_read(const char *name)
{
	DistilPipeline *p = palloc0(sizeof(DistilPipeline));

	if (!read_row(name, p))
		return NULL;
	read_generations(p);
	return p;
}

DistilPipeline *
distil_pipeline_find(const char *name)
{
	DistilPipeline *p = distil_pipeline_read(name);

	if (p == NULL)
		return NULL;
	p->broken = fault(p);
	p->whole = p->broken == NULL;
	p->elsewhere = p->whole && distil_pipeline_is_elsewhere(p);
	return p;
}

DistilPipeline *
distil_pipeline_get(const char *name)
{
	DistilPipeline *p = distil_pipeline_find(name);

	if (p == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("pipeline \"%s\" does not exist", name),
				 errhint("The view distil_pipelines lists all pipelines.")));
	return p;
}

bool
distil_pipeline_is_dead(const char *name)
{
	DistilPipeline p = {0};

	return read_row(name, &p) && get_rel_relkind(p.source) == '\0';
}

void
distil_pipeline_check_owner(const DistilPipeline *p)
{
	if (!object_ownercheck(RelationRelationId, p->source, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(p->source));
}

/* The names of rows, of this source or, if it is InvalidOid, of any. */
static List *
names_of(Oid source)
{
	Relation	rel = distil_try_open_table("pipeline", AccessShareLock);
	List	   *names = NIL;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (rel == NULL)
		return NIL;
	scan = distil_begin_scan(rel, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (!OidIsValid(source) ||
			DatumGetObjectId(distil_column(tuple, PIPELINE_SOURCE, rel)) == source)
			names = lappend(names, TextDatumGetCString(distil_column(tuple, PIPELINE_NAME, rel)));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	distil_sort_strings(names);
	return names;
}

List *
distil_pipeline_names(void)
{
	return names_of(InvalidOid);
}

List *
distil_pipelines_of(Oid source)
{
	return names_of(source);
}

/* ---- writing ---- */

void
distil_pipeline_lock(void)
{
	table_close(distil_open_table("pipeline", ShareRowExclusiveLock), NoLock);
}

static HeapTuple
form_pipeline(Relation rel, const DistilPipeline *p)
{
	Datum		values[PIPELINE_COLUMNS];
	bool		nulls[PIPELINE_COLUMNS] = {false};

	values[PIPELINE_NAME - 1] = CStringGetTextDatum(p->name);
	values[PIPELINE_SOURCE - 1] = ObjectIdGetDatum(p->source);
	values[PIPELINE_TASK - 1] = CStringGetTextDatum(p->task->name);
	values[PIPELINE_MODE - 1] = CStringGetTextDatum(p->sync ? "sync" : "async");
	values[PIPELINE_STALE - 1] = CStringGetTextDatum(p->remove_stale ? "remove" : "keep");
	values[PIPELINE_PAUSED - 1] = BoolGetDatum(p->paused);
	values[PIPELINE_CREATED_AT - 1] = TimestampTzGetDatum(p->created_at);
	values[PIPELINE_PARTS - 1] = PointerGetDatum(array_of(p->parts));
	return heap_form_tuple(RelationGetDescr(rel), values, nulls);
}

static HeapTuple
form_generation(Relation rel, const DistilPipeline *p, const DistilGeneration *g)
{
	Datum		values[GENERATION_COLUMNS];
	bool		nulls[GENERATION_COLUMNS] = {false};
	bytea	   *sha256 = palloc(VARHDRSZ + DISTIL_SHA256_BYTES);

	SET_VARSIZE(sha256, VARHDRSZ + DISTIL_SHA256_BYTES);
	memcpy(VARDATA(sha256), g->sha256, DISTIL_SHA256_BYTES);
	values[GENERATION_PIPELINE - 1] = CStringGetTextDatum(p->name);
	values[GENERATION_NUMBER - 1] = Int32GetDatum(g->number);
	values[GENERATION_MODEL - 1] = CStringGetTextDatum(g->model);
	values[GENERATION_SHA256 - 1] = PointerGetDatum(sha256);
	values[GENERATION_OPTIONS - 1] = JsonbPGetDatum(distil_pipe_options_jsonb(p->task, g->options));
	nulls[GENERATION_TARGET - 1] = !OidIsValid(g->target);
	values[GENERATION_TARGET - 1] = ObjectIdGetDatum(g->target);
	nulls[GENERATION_POSITION - 1] = g->position == NULL;
	values[GENERATION_POSITION - 1] = PointerGetDatum(g->position);
	nulls[GENERATION_DONE_AT - 1] = g->done_at == 0;
	values[GENERATION_DONE_AT - 1] = TimestampTzGetDatum(g->done_at);
	values[GENERATION_ROWS_DONE - 1] = Int64GetDatum(g->rows_done);
	values[GENERATION_SECONDS - 1] = Float8GetDatum(g->seconds);
	return heap_form_tuple(RelationGetDescr(rel), values, nulls);
}

/* The row of a pipeline, or of one generation of it if number is not NULL. */
static SysScanDesc
scan_for(Relation rel, const char *name, const int32 *number)
{
	ScanKeyData keys[2];

	distil_key_text(&keys[0], 1, name);
	if (number != NULL)
		ScanKeyInit(&keys[1], GENERATION_NUMBER, BTEqualStrategyNumber, F_INT4EQ,
					Int32GetDatum(*number));
	return distil_begin_scan(rel, NULL, number != NULL ? 2 : 1, keys);
}

static void
write_row(Relation rel, const char *name, const int32 *number, HeapTuple row)
{
	SysScanDesc scan = scan_for(rel, name, number);
	HeapTuple	tuple = systable_getnext(scan);

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "pipeline \"%s\" has no row to be written", name);
	CatalogTupleUpdate(rel, &tuple->t_self, row);
	systable_endscan(scan);
}

static void
delete_rows(const char *relname, const char *name, const int32 *number)
{
	Relation	rel = distil_open_table(relname, RowExclusiveLock);
	SysScanDesc scan = scan_for(rel, name, number);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		CatalogTupleDelete(rel, &tuple->t_self);
	systable_endscan(scan);
	table_close(rel, NoLock);
}

/* What follows sees the change; other sessions hear of it at commit. */
static void
changed(Oid source)
{
	CommandCounterIncrement();
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(source)))
		CacheInvalidateRelcacheByRelid(source);
}

void
distil_pipeline_insert(const DistilPipeline *p)
{
	Relation	rel = distil_open_table("pipeline", RowExclusiveLock);

	CatalogTupleInsert(rel, form_pipeline(rel, p));
	table_close(rel, NoLock);
	changed(p->source);
}

void
distil_pipeline_update(const DistilPipeline *p)
{
	Relation	rel = distil_open_table("pipeline", RowExclusiveLock);

	write_row(rel, p->name, NULL, form_pipeline(rel, p));
	table_close(rel, NoLock);
	changed(p->source);
}

void
distil_pipeline_delete(const DistilPipeline *p)
{
	static const char *const tables[] = {"pipeline", "pipeline_generation", "pipeline_queue",
										 "pipeline_error"};

	for (int i = 0; i < lengthof(tables); i++)
		delete_rows(tables[i], p->name, NULL);
	changed(p->source);
}

void
distil_generation_insert(const DistilPipeline *p, const DistilGeneration *g)
{
	Relation	rel = distil_open_table("pipeline_generation", RowExclusiveLock);

	CatalogTupleInsert(rel, form_generation(rel, p, g));
	table_close(rel, NoLock);
	changed(p->source);
}

void
distil_generation_update(const DistilPipeline *p, const DistilGeneration *g)
{
	Relation	rel = distil_open_table("pipeline_generation", RowExclusiveLock);

	write_row(rel, p->name, &g->number, form_generation(rel, p, g));
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

void
distil_generation_delete(const DistilPipeline *p, int32 number)
{
	delete_rows("pipeline_generation", p->name, &number);
	changed(p->source);
}
