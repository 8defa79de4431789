/*
 * pipeerror.c -- see pipeerror.h.
 *
 * Rows are found by a hash of the key, which may be longer than an index takes.
 * They are read and written as the tables of models are (store/catalog.h), so
 * no privilege is needed.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/sha256.h"
#include "pg/pipe/pipeerror.h"
#include "pg/store/catalog.h"

#define FIRST_WAIT 60			/* s, five times as long after each attempt */
#define PUT_OFF 5
#define FIRST_FAULT_WAIT 5
#define MOST_FAULT_WAIT 300

enum
{
	ERROR_PIPELINE = 1,
	ERROR_KEY_HASH,
	ERROR_KEY,
	ERROR_ATTEMPTS,
	ERROR_NEXT_TRY,
	ERROR_SQLSTATE,
	ERROR_MESSAGE,
	ERROR_FAILED_AT,
	ERROR_COLUMNS = ERROR_FAILED_AT
};

int
distil_fault_seconds(int faults)
{
	return faults > 6 ? MOST_FAULT_WAIT
					  : Min(FIRST_FAULT_WAIT << Max(faults - 1, 0), MOST_FAULT_WAIT);
}

/* Seconds until a key is tried again; -1: it is given up. */
static int
key_seconds(int attempts)
{
	int			seconds = FIRST_WAIT;

	for (int i = 1; i < attempts; i++)
		seconds *= 5;
	return attempts < DISTIL_MOST_ATTEMPTS ? seconds : -1;
}

/* ---- rows ---- */

/* Lengths and bytes of the columns. */
static Datum
hash_key(ArrayType *key)
{
	DistilSha256 *sha = distil_sha256_begin();
	bytea	   *hash = palloc(VARHDRSZ + DISTIL_SHA256_BYTES);
	Datum	   *columns;
	int			n;

	deconstruct_array(key, TEXTOID, -1, false, TYPALIGN_INT, &columns, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		text	   *t = DatumGetTextPP(columns[i]);
		uint32		len = VARSIZE_ANY_EXHDR(t);
		uint32		prefix = pg_hton32(len);

		distil_sha256_add(sha, &prefix, sizeof(prefix));
		distil_sha256_add(sha, VARDATA_ANY(t), len);
	}
	distil_sha256_end(sha, (uint8 *) VARDATA(hash));
	SET_VARSIZE(hash, VARHDRSZ + DISTIL_SHA256_BYTES);
	return PointerGetDatum(hash);
}

static SysScanDesc
scan_key(Relation rel, const char *pipeline, Datum hash)
{
	ScanKeyData keys[2];

	distil_key_text(&keys[0], ERROR_PIPELINE, pipeline);
	ScanKeyInit(&keys[1], ERROR_KEY_HASH, BTEqualStrategyNumber, F_BYTEAEQ, hash);
	return distil_begin_scan(rel, NULL, 2, keys);
}

static TimestampTz
in_seconds(int seconds)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), (int64) seconds * 1000);
}

static HeapTuple
form_row(Relation rel, const char *pipeline, ArrayType *key, Datum hash, int attempts, int seconds,
		 const ErrorData *error)
{
	Datum		values[ERROR_COLUMNS];
	bool		nulls[ERROR_COLUMNS] = {false};
	const char *message = error->message != NULL ? error->message : "";

	values[ERROR_PIPELINE - 1] = CStringGetTextDatum(pipeline);
	values[ERROR_KEY_HASH - 1] = hash;
	values[ERROR_KEY - 1] = PointerGetDatum(key);
	values[ERROR_ATTEMPTS - 1] = Int32GetDatum(attempts);
	nulls[ERROR_NEXT_TRY - 1] = seconds < 0;
	values[ERROR_NEXT_TRY - 1] = TimestampTzGetDatum(in_seconds(Max(seconds, 0)));
	values[ERROR_SQLSTATE - 1] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	values[ERROR_MESSAGE - 1] = CStringGetTextDatum(message);
	values[ERROR_FAILED_AT - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	return heap_form_tuple(RelationGetDescr(rel), values, nulls);
}

/*
 * Write a key's row; its attempts are those that there were and added, or,
 * where fixed is not negative, so many.
 */
static void
write_error(const char *pipeline, ArrayType *key, int added, int fixed, const ErrorData *error)
{
	Relation	rel = distil_open_table("pipeline_error", RowExclusiveLock);
	Datum		hash = hash_key(key);
	SysScanDesc scan = scan_key(rel, pipeline, hash);
	HeapTuple	old = systable_getnext(scan);
	int			attempts = added;
	int			seconds;
	HeapTuple	row;

	if (HeapTupleIsValid(old))
		attempts += DatumGetInt32(distil_column(old, ERROR_ATTEMPTS, rel));
	seconds = added > 0 ? key_seconds(attempts) : PUT_OFF;
	if (fixed >= 0)
	{
		attempts = fixed;
		seconds = distil_fault_seconds(fixed);
	}
	row = form_row(rel, pipeline, key, hash, attempts, seconds, error);
	if (HeapTupleIsValid(old))
		CatalogTupleUpdate(rel, &old->t_self, row);
	else
		CatalogTupleInsert(rel, row);
	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

void
distil_error_add(const char *pipeline, ArrayType *key, const ErrorData *error)
{
	write_error(pipeline, key, 1, -1, error);
}

void
distil_error_put_off(const char *pipeline, ArrayType *key, const ErrorData *error)
{
	write_error(pipeline, key, 0, -1, error);
}

void
distil_error_fault(const char *pipeline, int faults, const ErrorData *error)
{
	write_error(pipeline, construct_empty_array(TEXTOID), 0, faults, error);
}

void
distil_error_forget(const char *pipeline, ArrayType *key)
{
	Relation	rel = distil_open_table("pipeline_error", RowExclusiveLock);
	SysScanDesc scan = scan_key(rel, pipeline, hash_key(key));
	HeapTuple	row = systable_getnext(scan);

	if (HeapTupleIsValid(row))
		CatalogTupleDelete(rel, &row->t_self);
	systable_endscan(scan);
	table_close(rel, NoLock);
}

void
distil_error_forget_fault(const char *pipeline)
{
	distil_error_forget(pipeline, construct_empty_array(TEXTOID));
}

/* ---- what is there ---- */

bool
distil_errors_exist(const char *pipeline)
{
	Relation	rel = distil_open_table("pipeline_error", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	distil_key_text(&key, ERROR_PIPELINE, pipeline);
	scan = distil_begin_scan(rel, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

static bool
is_fault(ArrayType *key)
{
	return ARR_NDIM(key) == 0;
}

/* The row's part of the counts; *latest: the time of the last message. */
static void
count_row(HeapTuple row, Relation rel, DistilErrorCounts *counts, TimestampTz *latest)
{
	TimestampTz failed_at = DatumGetTimestampTz(distil_column(row, ERROR_FAILED_AT, rel));

	bool		failed = DatumGetInt32(distil_column(row, ERROR_ATTEMPTS, rel)) > 0;
	bool		fault = is_fault(DatumGetArrayTypeP(distil_column(row, ERROR_KEY, rel)));

	counts->fault |= fault;
	counts->keys += !fault && failed;
	counts->put_off += !fault && !failed;
	if (counts->last != NULL && failed_at < *latest)
		return;
	counts->last = TextDatumGetCString(distil_column(row, ERROR_MESSAGE, rel));
	*latest = failed_at;
}

DistilErrorCounts
distil_errors_count(const char *pipeline)
{
	Relation	rel = distil_open_table("pipeline_error", AccessShareLock);
	DistilErrorCounts counts = {0};
	TimestampTz latest = 0;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	distil_key_text(&key, ERROR_PIPELINE, pipeline);
	scan = distil_begin_scan(rel, NULL, 1, &key);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
		count_row(row, rel, &counts, &latest);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return counts;
}

List *
distil_errors_keys(const char *pipeline)
{
	Relation	rel = distil_open_table("pipeline_error", AccessShareLock);
	List	   *keys = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	distil_key_text(&key, ERROR_PIPELINE, pipeline);
	scan = distil_begin_scan(rel, NULL, 1, &key);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
	{
		ArrayType  *failed = DatumGetArrayTypePCopy(distil_column(row, ERROR_KEY, rel));

		if (!is_fault(failed))
			keys = lappend(keys, failed);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return keys;
}

/* Rows with a time, in the order of their times. */
static SysScanDesc
begin_by_time(Relation rel, Relation index, const char *pipeline)
{
	ScanKeyData keys[2];

	distil_key_text(&keys[0], ERROR_PIPELINE, pipeline);
	ScanKeyEntryInitialize(&keys[1], SK_ISNULL | SK_SEARCHNOTNULL, ERROR_NEXT_TRY, InvalidStrategy,
						   InvalidOid, InvalidOid, InvalidOid, (Datum) 0);
	return systable_beginscan_ordered(rel, index, NULL, 2, keys);
}

/* Keys whose times are before now, at most so many; *next: the time behind. */
static List *
read_due(const char *pipeline, TimestampTz now, int most, TimestampTz *next)
{
	Relation	rel = distil_open_table("pipeline_error", AccessShareLock);
	Relation	index = index_open(distil_find_table("pipeline_error_next_try"), AccessShareLock);
	SysScanDesc scan = begin_by_time(rel, index, pipeline);
	List	   *due = NIL;
	HeapTuple	row;

	*next = 0;
	while (list_length(due) < most && *next == 0 &&
		   HeapTupleIsValid(row = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		TimestampTz time = DatumGetTimestampTz(distil_column(row, ERROR_NEXT_TRY, rel));
		ArrayType  *key = DatumGetArrayTypePCopy(distil_column(row, ERROR_KEY, rel));

		if (is_fault(key))
			continue;
		if (time > now)
			*next = time;
		else
			due = lappend(due, key);
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return due;
}

List *
distil_errors_due(const char *pipeline, int most)
{
	TimestampTz next;

	return read_due(pipeline, GetCurrentTimestamp(), most, &next);
}

TimestampTz
distil_errors_next(const char *pipeline)
{
	TimestampTz next;

	(void) read_due(pipeline, PG_INT64_MIN, 1, &next);
	return next;
}
