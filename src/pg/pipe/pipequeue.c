/*
 * pipequeue.c -- see pipequeue.h.
 *
 * Rows are numbered by a sequence, which is not in the order of commits.  There
 * is no unique index on keys: a writer would wait there for the worker that is
 * about to delete an equal one.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/rel.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/pipequeue.h"
#include "pg/pipe/watched.h"
#include "pg/store/catalog.h"

enum
{
	QUEUE_PIPELINE = 1,
	QUEUE_SEQ,
	QUEUE_KEYS,
	QUEUE_QUEUED_AT,
	QUEUE_COLUMNS = QUEUE_QUEUED_AT
};

static HeapTuple
form_row(Relation rel, const char *pipeline, int64 seq, ArrayType *keys, TimestampTz queued_at)
{
	Datum		values[QUEUE_COLUMNS];
	bool		nulls[QUEUE_COLUMNS] = {false};

	values[QUEUE_PIPELINE - 1] = CStringGetTextDatum(pipeline);
	values[QUEUE_SEQ - 1] = Int64GetDatum(seq);
	values[QUEUE_KEYS - 1] = PointerGetDatum(keys);
	values[QUEUE_QUEUED_AT - 1] = TimestampTzGetDatum(queued_at);
	return heap_form_tuple(RelationGetDescr(rel), values, nulls);
}

typedef struct QueueTables
{
	uint64		changes;		/* distil_watched_changes() when they were found */
	Oid			queue;
	Oid			sequence;
} QueueTables;

/* Each transaction of a writer asks: looked up when names may differ. */
static QueueTables
find_tables(void)
{
	static QueueTables known;
	uint64		changes = distil_watched_changes();

	if (known.changes == changes && OidIsValid(known.queue))
		return known;
	known.queue = distil_find_table("pipeline_queue");
	known.sequence = distil_find_table("pipeline_queue_seq");
	known.changes = changes;
	return known;
}

Oid
distil_queue_table(void)
{
	return find_tables().queue;
}

void
distil_queue_add(const char *pipeline, ArrayType *keys)
{
	QueueTables tables = find_tables();
	Relation	rel = OidIsValid(tables.queue) ? table_open(tables.queue, RowExclusiveLock)
											   : distil_open_table("pipeline_queue",
																   RowExclusiveLock);
	HeapTuple	tuple = form_row(rel, pipeline, nextval_internal(tables.sequence, false), keys,
								 GetCurrentTransactionStartTimestamp());

	CatalogTupleInsert(rel, tuple);
	heap_freetuple(tuple);
	table_close(rel, NoLock);
}

void
distil_queue_add_key(const char *pipeline, ArrayType *key)
{
	Datum	   *texts;
	int			dims[2] = {1, 0};
	int			lbounds[2] = {1, 1};

	deconstruct_array(key, TEXTOID, -1, false, TYPALIGN_INT, &texts, NULL, &dims[1]);
	distil_queue_add(pipeline, construct_md_array(texts, NULL, 2, dims, lbounds, TEXTOID, -1,
												  false, TYPALIGN_INT));
}

static DistilQueued *
read_row(HeapTuple tuple, Relation rel)
{
	DistilQueued *row = palloc(sizeof(DistilQueued));

	row->seq = DatumGetInt64(distil_column(tuple, QUEUE_SEQ, rel));
	row->keys = DatumGetArrayTypePCopy(distil_column(tuple, QUEUE_KEYS, rel));
	row->n = ARR_NDIM(row->keys) == 2 ? ARR_DIMS(row->keys)[0] : 0;
	row->queued_at = DatumGetTimestampTz(distil_column(tuple, QUEUE_QUEUED_AT, rel));
	return row;
}

List *
distil_queue_read(const char *pipeline, int64 seq, int most)
{
	Relation	rel = distil_open_table("pipeline_queue", AccessShareLock);
	List	   *rows = NIL;
	int			n = 0;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	distil_key_text(&keys[0], QUEUE_PIPELINE, pipeline);
	ScanKeyInit(&keys[1], QUEUE_SEQ, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(seq));
	scan = distil_begin_scan(rel, NULL, 2, keys);
	while (n < most && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		rows = lappend(rows, read_row(tuple, rel));
		n += ((DistilQueued *) llast(rows))->n;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return rows;
}

int64
distil_queue_last(const char *pipeline)
{
	Relation	rel = distil_open_table("pipeline_queue", AccessShareLock);
	Relation	index = index_open(distil_find_table("pipeline_queue_pkey"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int64		last = PG_INT64_MIN;

	distil_key_text(&key, QUEUE_PIPELINE, pipeline);
	scan = systable_beginscan_ordered(rel, index, NULL, 1, &key);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	if (HeapTupleIsValid(tuple))
		last = DatumGetInt64(distil_column(tuple, QUEUE_SEQ, rel));
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return last;
}

/* One row, or all of them if seq is NULL. */
static SysScanDesc
scan_rows(Relation rel, const char *pipeline, const int64 *seq)
{
	ScanKeyData keys[2];

	distil_key_text(&keys[0], QUEUE_PIPELINE, pipeline);
	if (seq != NULL)
		ScanKeyInit(&keys[1], QUEUE_SEQ, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(*seq));
	return distil_begin_scan(rel, NULL, seq != NULL ? 2 : 1, keys);
}

static void
delete_rows(const char *pipeline, const int64 *seq)
{
	Relation	rel = distil_open_table("pipeline_queue", RowExclusiveLock);
	SysScanDesc scan = scan_rows(rel, pipeline, seq);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		CatalogTupleDelete(rel, &tuple->t_self);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
}

void
distil_queue_delete(const char *pipeline, List *rows)
{
	ListCell   *lc;

	foreach(lc, rows)
		delete_rows(pipeline, &((DistilQueued *) lfirst(lc))->seq);
	CommandCounterIncrement();
}

void
distil_queue_keep(const char *pipeline, const DistilQueued *row, ArrayType *keys)
{
	Relation	rel = distil_open_table("pipeline_queue", RowExclusiveLock);
	SysScanDesc scan = scan_rows(rel, pipeline, &row->seq);
	HeapTuple	old = systable_getnext(scan);

	if (HeapTupleIsValid(old))
	{
		HeapTuple	tuple = form_row(rel, pipeline, row->seq, keys, row->queued_at);

		CatalogTupleUpdate(rel, &old->t_self, tuple);
		heap_freetuple(tuple);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

void
distil_queue_clear(const char *pipeline)
{
	delete_rows(pipeline, NULL);
	CommandCounterIncrement();
}

int64
distil_queue_length(const char *pipeline, int64 most, TimestampTz *oldest)
{
	Relation	rel = distil_open_table("pipeline_queue", AccessShareLock);
	int64		n = 0;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	*oldest = 0;
	distil_key_text(&key, QUEUE_PIPELINE, pipeline);
	scan = distil_begin_scan(rel, NULL, 1, &key);
	while (n < most && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		DistilQueued *row = read_row(tuple, rel);

		CHECK_FOR_INTERRUPTS();
		n += row->n;
		if (*oldest == 0 || row->queued_at < *oldest)
			*oldest = row->queued_at;
		pfree(row->keys);
		pfree(row);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return n;
}

/* ---- text forms ---- */

int
distil_key_text_begin(void)
{
	static const char *const settings[][2] = {
		{"DateStyle", "ISO, YMD"}, {"IntervalStyle", "postgres"}, {"TimeZone", "UTC"},
		{"extra_float_digits", "3"}, {"bytea_output", "hex"}
	};
	int			nestlevel = NewGUCNestLevel();

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return nestlevel;
}

void
distil_key_text_end(int nestlevel)
{
	AtEOXact_GUC(true, nestlevel);
}
