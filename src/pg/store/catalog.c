/*
 * catalog.c -- reading and writing the extension's tables.
 *
 * They are ordinary tables but handled as catalogues are: scanned by their
 * primary keys, with tuples formed here.  This works in parallel workers and on
 * standbys, runs no user code, and sees what the given snapshot sees.  The
 * order of the columns is that of sql/distilbert.sql; an upgrade may only
 * append some.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/bridge/compat.h"
#include "pg/store/catalog.h"

enum
{
	MODEL_NAME = 1,
	MODEL_SHA256,
	MODEL_TASK,
	MODEL_ARCHITECTURE,
	MODEL_LABELS,
	MODEL_LAYERS,
	MODEL_HIDDEN_SIZE,
	MODEL_DIMENSIONS,
	MODEL_PARAMETERS,
	MODEL_MAX_TOKENS,
	MODEL_PRECISION,
	MODEL_BYTES,
	MODEL_LOADED_AT,
	MODEL_LOADED_BY,
	MODEL_COLUMNS = MODEL_LOADED_BY
};

enum
{
	CHUNK_NAME = 1,
	CHUNK_FILE,
	CHUNK_SEQ,
	CHUNK_DATA,
	CHUNK_COLUMNS = CHUNK_DATA
};

Oid
distil_find_table(const char *relname)
{
	Oid			schema = get_namespace_oid("distilbert", true);

	return OidIsValid(schema) ? get_relname_relid(relname, schema) : InvalidOid;
}

Oid
distil_model_table(void)
{
	return distil_find_table("model");
}

Relation
distil_try_open_table(const char *relname, LOCKMODE lockmode)
{
	Oid			relid = distil_find_table(relname);

	return OidIsValid(relid) ? try_relation_open(relid, lockmode) : NULL;
}

Relation
distil_open_table(const char *relname, LOCKMODE lockmode)
{
	Relation	rel = distil_try_open_table(relname, lockmode);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"distilbert.%s\" does not exist", relname),
				 errhint("Run CREATE EXTENSION distilbert in this database.")));
	return rel;
}

void
distil_catalog_lock(void)
{
	table_close(distil_open_table("model", ShareRowExclusiveLock), NoLock);
}

SysScanDesc
distil_begin_scan(Relation rel, Snapshot snapshot, int nkeys, ScanKey keys)
{
	char		index[NAMEDATALEN];

	snprintf(index, sizeof(index), "%s_pkey", RelationGetRelationName(rel));
	return systable_beginscan(rel, distil_find_table(index), true, snapshot, nkeys, keys);
}

void
distil_key_text(ScanKey key, AttrNumber column, const char *value)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(value));
}


/* ---- model ---- */

Datum
distil_column(HeapTuple tuple, AttrNumber attnum, Relation rel)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attnum, RelationGetDescr(rel), &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("table \"distilbert.%s\" has an unexpected null",
						RelationGetRelationName(rel))));
	return value;
}

static void
read_labels(HeapTuple tuple, Relation rel, DistilInfo *info)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, MODEL_LABELS, RelationGetDescr(rel), &isnull);
	const char **labels;
	Datum	   *elements;

	info->labels = NULL;
	info->n_labels = 0;
	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypePCopy(value), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &info->n_labels);
	labels = palloc(sizeof(char *) * Max(info->n_labels, 1));
	for (int i = 0; i < info->n_labels; i++)
		labels[i] = TextDatumGetCString(elements[i]);
	info->labels = labels;
}

static void
read_row(HeapTuple tuple, Relation rel, DistilInfo *info)
{
	bytea	   *sha256 = DatumGetByteaPP(distil_column(tuple, MODEL_SHA256, rel));

	if (VARSIZE_ANY_EXHDR(sha256) != DISTIL_SHA256_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("table \"distilbert.model\" holds a hash of wrong length")));
	memcpy(info->sha256, VARDATA_ANY(sha256), DISTIL_SHA256_BYTES);
	info->name = TextDatumGetCString(distil_column(tuple, MODEL_NAME, rel));
	info->task = TextDatumGetCString(distil_column(tuple, MODEL_TASK, rel));
	info->architecture = TextDatumGetCString(distil_column(tuple, MODEL_ARCHITECTURE, rel));
	read_labels(tuple, rel, info);
	info->layers = DatumGetInt32(distil_column(tuple, MODEL_LAYERS, rel));
	info->hidden_size = DatumGetInt32(distil_column(tuple, MODEL_HIDDEN_SIZE, rel));
	info->dimensions = DatumGetInt32(distil_column(tuple, MODEL_DIMENSIONS, rel));
	info->parameters = DatumGetInt64(distil_column(tuple, MODEL_PARAMETERS, rel));
	info->max_tokens = DatumGetInt32(distil_column(tuple, MODEL_MAX_TOKENS, rel));
	info->precision = TextDatumGetCString(distil_column(tuple, MODEL_PRECISION, rel));
	info->bytes = DatumGetInt64(distil_column(tuple, MODEL_BYTES, rel));
	info->builtin = false;
	info->loaded_at = DatumGetTimestampTz(distil_column(tuple, MODEL_LOADED_AT, rel));
}

bool
distil_catalog_find(const char *name, Snapshot snapshot, DistilInfo *info)
{
	Relation	rel = distil_try_open_table("model", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	if (rel == NULL)
		return false;
	distil_key_text(&key, MODEL_NAME, name);
	scan = distil_begin_scan(rel, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		read_row(tuple, rel, info);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* Call back for every row: its name and hash, valid during the call. */
static void
visit_rows(Snapshot snapshot, void (*visit) (void *ctx, const DistilInfo *info), void *ctx)
{
	Relation	rel = distil_try_open_table("model", AccessShareLock);
	SysScanDesc scan;
	HeapTuple	tuple;
	DistilInfo	info;

	if (rel == NULL)
		return;
	scan = distil_begin_scan(rel, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		read_row(tuple, rel, &info);
		visit(ctx, &info);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

typedef struct ShareSearch
{
	const DistilInfo *info;
	bool		shared;
} ShareSearch;

static void
visit_share(void *ctx, const DistilInfo *row)
{
	ShareSearch *search = ctx;

	if (strcmp(row->name, search->info->name) != 0 &&
		memcmp(row->sha256, search->info->sha256, DISTIL_SHA256_BYTES) == 0)
		search->shared = true;
}

bool
distil_catalog_shares(const DistilInfo *info, Snapshot snapshot)
{
	ShareSearch search = {info, false};

	visit_rows(snapshot, visit_share, &search);
	return search.shared;
}

static void
visit_name(void *ctx, const DistilInfo *row)
{
	List	  **names = ctx;

	*names = lappend(*names, pstrdup(row->name));
}

List *
distil_catalog_names(Snapshot snapshot)
{
	List	   *names = NIL;

	visit_rows(snapshot, visit_name, &names);
	return names;
}

Datum
distil_labels_datum(const DistilInfo *info)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(info->n_labels, 1));

	for (int i = 0; i < info->n_labels; i++)
		elements[i] = CStringGetTextDatum(info->labels[i]);
	return PointerGetDatum(construct_array(elements, info->n_labels,
										   TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
sha256_datum(const DistilInfo *info)
{
	bytea	   *value = palloc(VARHDRSZ + DISTIL_SHA256_BYTES);

	SET_VARSIZE(value, VARHDRSZ + DISTIL_SHA256_BYTES);
	memcpy(VARDATA(value), info->sha256, DISTIL_SHA256_BYTES);
	return PointerGetDatum(value);
}

void
distil_catalog_insert(DistilInfo *info)
{
	Relation	rel = distil_open_table("model", RowExclusiveLock);
	Datum	   *values = palloc0(sizeof(Datum) * RelationGetDescr(rel)->natts);
	bool	   *nulls = palloc(sizeof(bool) * RelationGetDescr(rel)->natts);
	NameData	user;

	memset(nulls, true, sizeof(bool) * RelationGetDescr(rel)->natts);
	memset(nulls, false, sizeof(bool) * MODEL_COLUMNS);
	info->loaded_at = GetCurrentTimestamp();
	namestrcpy(&user, GetUserNameFromId(GetUserId(), false));

	values[MODEL_NAME - 1] = CStringGetTextDatum(info->name);
	values[MODEL_SHA256 - 1] = sha256_datum(info);
	values[MODEL_TASK - 1] = CStringGetTextDatum(info->task);
	values[MODEL_ARCHITECTURE - 1] = CStringGetTextDatum(info->architecture);
	nulls[MODEL_LABELS - 1] = info->n_labels == 0;
	if (info->n_labels > 0)
		values[MODEL_LABELS - 1] = distil_labels_datum(info);
	values[MODEL_LAYERS - 1] = Int32GetDatum(info->layers);
	values[MODEL_HIDDEN_SIZE - 1] = Int32GetDatum(info->hidden_size);
	values[MODEL_DIMENSIONS - 1] = Int32GetDatum(info->dimensions);
	values[MODEL_PARAMETERS - 1] = Int64GetDatum(info->parameters);
	values[MODEL_MAX_TOKENS - 1] = Int32GetDatum(info->max_tokens);
	values[MODEL_PRECISION - 1] = CStringGetTextDatum(info->precision);
	values[MODEL_BYTES - 1] = Int64GetDatum(info->bytes);
	values[MODEL_LOADED_AT - 1] = TimestampTzGetDatum(info->loaded_at);
	values[MODEL_LOADED_BY - 1] = NameGetDatum(&user);

	CatalogTupleInsert(rel, heap_form_tuple(RelationGetDescr(rel), values, nulls));
	table_close(rel, NoLock);
}

static void
delete_by_name(const char *relname, const char *name, Snapshot snapshot)
{
	Relation	rel = distil_open_table(relname, RowExclusiveLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	distil_key_text(&key, 1, name);	/* both tables begin with the name */
	scan = distil_begin_scan(rel, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		CatalogTupleDelete(rel, &tuple->t_self);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
}

void
distil_catalog_delete(const char *name, Snapshot snapshot)
{
	delete_by_name("model", name, snapshot);
	delete_by_name("model_chunk", name, snapshot);
}

void
distil_catalog_changed(void)
{
	Oid			relid = distil_model_table();

	if (OidIsValid(relid))
		CacheInvalidateRelcacheByRelid(relid);
}

/*
 * The table's own trigger, for rows that do not come through this file.
 */
PG_FUNCTION_INFO_V1(distil_model_changed);
Datum
distil_model_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "model_changed")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	PG_RETURN_POINTER(NULL);
}


/* ---- model_chunk ---- */

struct DistilChunkWriter
{
	Relation	rel;
	CatalogIndexState indexes;
	const char *name;
	bytea	   *buffer;
	MemoryContext context;		/* of one tuple */
};

DistilChunkWriter *
distil_chunks_begin(const char *name)
{
	DistilChunkWriter *writer = palloc(sizeof(DistilChunkWriter));

	writer->rel = distil_open_table("model_chunk", RowExclusiveLock);
	writer->indexes = CatalogOpenIndexes(writer->rel);
	writer->name = name;
	writer->buffer = palloc(VARHDRSZ + DISTIL_CHUNK_BYTES);
	writer->context = AllocSetContextCreate(CurrentMemoryContext, "distilbert chunk",
											ALLOCSET_DEFAULT_SIZES);
	return writer;
}

void
distil_chunks_add(DistilChunkWriter *writer, const char *file, int32 seq,
				  const void *data, size_t len)
{
	TupleDesc	desc = RelationGetDescr(writer->rel);
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	Datum	   *values = palloc0(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);

	Assert(len <= DISTIL_CHUNK_BYTES);
	memset(nulls, true, sizeof(bool) * desc->natts);
	memset(nulls, false, sizeof(bool) * CHUNK_COLUMNS);
	SET_VARSIZE(writer->buffer, VARHDRSZ + len);
	memcpy(VARDATA(writer->buffer), data, len);

	values[CHUNK_NAME - 1] = CStringGetTextDatum(writer->name);
	values[CHUNK_FILE - 1] = CStringGetTextDatum(file);
	values[CHUNK_SEQ - 1] = Int32GetDatum(seq);
	values[CHUNK_DATA - 1] = PointerGetDatum(writer->buffer);
	CatalogTupleInsertWithInfo(writer->rel, heap_form_tuple(desc, values, nulls),
							   writer->indexes);

	MemoryContextSwitchTo(old);
	MemoryContextReset(writer->context);
}

void
distil_chunks_end(DistilChunkWriter *writer)
{
	CatalogCloseIndexes(writer->indexes);
	table_close(writer->rel, NoLock);
	MemoryContextDelete(writer->context);
	pfree(writer->buffer);
	pfree(writer);
}

/* Nothing is fetched: toast_raw_datum_size reads the toast pointer only. */
void
distil_chunks_visit(const char *name, Snapshot snapshot,
					DistilChunkVisitor visitor, void *ctx)
{
	Relation	rel = distil_open_table("model_chunk", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	distil_key_text(&key, CHUNK_NAME, name);
	scan = distil_begin_scan(rel, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		char	   *file = TextDatumGetCString(distil_column(tuple, CHUNK_FILE, rel));

		CHECK_FOR_INTERRUPTS();
		visitor(ctx, file, DatumGetInt32(distil_column(tuple, CHUNK_SEQ, rel)),
				toast_raw_datum_size(distil_column(tuple, CHUNK_DATA, rel)) - VARHDRSZ);
		pfree(file);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
}

static bool
copy_chunk(Datum data, void *buf, size_t len)
{
	bytea	   *chunk;
	bool		fits = toast_raw_datum_size(data) - VARHDRSZ == len;

	if (!fits)
		return false;
	chunk = DatumGetByteaPP(data);
	memcpy(buf, VARDATA_ANY(chunk), len);
	if (chunk != (bytea *) DatumGetPointer(data))
		pfree(chunk);
	return true;
}

bool
distil_chunks_get(const char *name, const char *file, int32 seq,
				  Snapshot snapshot, void *buf, size_t len)
{
	Relation	rel = distil_open_table("model_chunk", AccessShareLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	distil_key_text(&keys[0], CHUNK_NAME, name);
	distil_key_text(&keys[1], CHUNK_FILE, file);
	ScanKeyInit(&keys[2], CHUNK_SEQ, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(seq));
	scan = distil_begin_scan(rel, snapshot, 3, keys);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple) &&
		copy_chunk(distil_column(tuple, CHUNK_DATA, rel), buf, len);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}
