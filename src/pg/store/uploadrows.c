/*
 * uploadrows.c -- see uploadrows.h.
 *
 * The table is unlogged: what is only on its way is neither written to the WAL
 * nor sent to standbys and subscribers, nor dumped.  After a crash it is empty,
 * and clients send again.  As all of the extension's tables, it is read and
 * written here, without rights of the user's.
 *
 * Parts are read in slices, so no more than a piece of one is ever in memory.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/growing.h"
#include "pg/store/catalog.h"
#include "pg/store/rowsource.h"
#include "pg/store/uploadrows.h"

#define TABLE "upload_part"

enum
{
	PART_UPLOADER = 1,
	PART_NAME,
	PART_FILE,
	PART_NUMBER,
	PART_DATA,
	PART_SENT_AT,
	PART_COLUMNS = PART_SENT_AT
};

/* A part without its data. */
typedef struct Part
{
	Oid			uploader;
	const char *name;
	const char *file;
	int32		number;
	int64		size;
	TimestampTz sent_at;
} Part;

bool
distil_uploads_lock(bool wait)
{
	Relation	rel = distil_open_table(TABLE, AccessShareLock);
	bool		locked = true;

	if (wait)
		LockRelationOid(RelationGetRelid(rel), ShareUpdateExclusiveLock);
	else
		locked = ConditionalLockRelationOid(RelationGetRelid(rel), ShareUpdateExclusiveLock);
	table_close(rel, AccessShareLock);
	return locked;
}

/* ---- reading rows ---- */

/* The data is not fetched: its size stands in the pointer to it. */
static Part
read_part(HeapTuple tuple, Relation rel)
{
	return (Part) {
		.uploader = DatumGetObjectId(distil_column(tuple, PART_UPLOADER, rel)),
		.name = TextDatumGetCString(distil_column(tuple, PART_NAME, rel)),
		.file = TextDatumGetCString(distil_column(tuple, PART_FILE, rel)),
		.number = DatumGetInt32(distil_column(tuple, PART_NUMBER, rel)),
		.size = toast_raw_datum_size(distil_column(tuple, PART_DATA, rel)) - VARHDRSZ,
		.sent_at = DatumGetTimestampTz(distil_column(tuple, PART_SENT_AT, rel))
	};
}

/* The first nkeys of: the current user, a name, a file, a part. */
static SysScanDesc
scan_parts(Relation rel, Snapshot snapshot, int nkeys, const char *name, const char *file,
		   int32 part)
{
	ScanKeyData keys[4];

	ScanKeyInit(&keys[0], PART_UPLOADER, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(GetUserId()));
	distil_key_text(&keys[1], PART_NAME, name);
	distil_key_text(&keys[2], PART_FILE, file);
	ScanKeyInit(&keys[3], PART_NUMBER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(part));
	return distil_begin_scan(rel, snapshot, nkeys, keys);
}

typedef void (*PartVisitor) (void *ctx, const Part *part, HeapTuple tuple);

/*
 * Call back for each part, in the order of the primary key; what the part
 * points to is valid during the call.
 */
static void
visit_parts(Relation rel, SysScanDesc scan, PartVisitor visit, void *ctx)
{
	MemoryContext row =
		AllocSetContextCreate(CurrentMemoryContext, "distilbert upload", ALLOCSET_SMALL_SIZES);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		MemoryContext old = MemoryContextSwitchTo(row);
		Part		part = read_part(tuple, rel);

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(old);
		visit(ctx, &part, tuple);
		MemoryContextReset(row);
	}
	systable_endscan(scan);
	MemoryContextDelete(row);
}

/* Parts sent before this time are those of abandoned uploads, if all are. */
static TimestampTz
abandoned_before(void)
{
	return GetCurrentTimestamp() - DISTIL_UPLOAD_SECONDS * USECS_PER_SEC;
}

typedef struct Sum
{
	const char *name;
	TimestampTz before;
	DistilUploadBytes bytes;
} Sum;

static void
sum_part(void *ctx, const Part *part, HeapTuple tuple)
{
	Sum		   *sum = ctx;

	sum->bytes.all += part->size;
	sum->bytes.old |= part->sent_at < sum->before;
	if (part->uploader == GetUserId() && strcmp(part->name, sum->name) == 0)
		sum->bytes.own += part->size;
}

DistilUploadBytes
distil_upload_bytes(const char *name)
{
	Relation	rel = distil_open_table(TABLE, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Sum			sum = {.name = name,.before = abandoned_before()};

	visit_parts(rel, distil_begin_scan(rel, snapshot, 0, NULL), sum_part, &sum);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return sum.bytes;
}

/* ---- adding and dropping ---- */

static bool
same_bytes(Datum stored, struct varlena *data)
{
	struct varlena *there = PG_DETOAST_DATUM_PACKED(stored);

	return VARSIZE_ANY_EXHDR(there) == VARSIZE_ANY_EXHDR(data) &&
		memcmp(VARDATA_ANY(there), VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data)) == 0;
}

/* Is the part there?  Raises where it is another. */
static bool
is_there(Relation rel, const char *name, const char *file, int32 part, struct varlena *data)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = scan_parts(rel, snapshot, 4, name, file, part);
	HeapTuple	tuple = systable_getnext(scan);
	bool		found = HeapTupleIsValid(tuple);

	if (found && !same_bytes(distil_column(tuple, PART_DATA, rel), data))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("part %d of file \"%s\" was uploaded before with other content", part,
						file),
				 errhint("To begin again, drop what was uploaded by distil_upload_cancel(%s).",
						 quote_literal_cstr(name))));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	return found;
}

bool
distil_upload_add(const char *name, const char *file, int32 part, struct varlena *data)
{
	Relation	rel = distil_open_table(TABLE, RowExclusiveLock);
	Datum		values[PART_COLUMNS];
	bool		nulls[PART_COLUMNS] = {false};
	bool		there = is_there(rel, name, file, part, data);

	values[PART_UPLOADER - 1] = ObjectIdGetDatum(GetUserId());
	values[PART_NAME - 1] = CStringGetTextDatum(name);
	values[PART_FILE - 1] = CStringGetTextDatum(file);
	values[PART_NUMBER - 1] = Int32GetDatum(part);
	values[PART_DATA - 1] = PointerGetDatum(data);
	values[PART_SENT_AT - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	if (!there)
		CatalogTupleInsert(rel, heap_form_tuple(RelationGetDescr(rel), values, nulls));
	table_close(rel, NoLock);
	CommandCounterIncrement();
	return !there;
}

typedef struct Drop
{
	Relation	rel;
	int64		dropped;
} Drop;

static void
drop_part(void *ctx, const Part *part, HeapTuple tuple)
{
	Drop	   *drop = ctx;

	CatalogTupleDelete(drop->rel, &tuple->t_self);
	drop->dropped++;
}

bool
distil_upload_drop(const char *name)
{
	Drop		drop = {.rel = distil_open_table(TABLE, RowExclusiveLock)};
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	visit_parts(drop.rel, scan_parts(drop.rel, snapshot, 2, name, "", 0), drop_part, &drop);
	UnregisterSnapshot(snapshot);
	table_close(drop.rel, NoLock);
	CommandCounterIncrement();
	return drop.dropped > 0;
}

/* Parts of one upload come one after another: those that are to go. */
typedef struct Abandoned
{
	TimestampTz before;
	Oid			uploader;		/* of the upload that is visited */
	NameData	name;
	bool		recent;			/* it has a recent part */
	ItemPointerData *parts;		/* [n]: those to drop, the last n - kept of them its own */
	int			n;
	int			kept;
	Size		capacity;
} Abandoned;

static void
end_upload(Abandoned *a)
{
	if (a->recent)
		a->n = a->kept;
	a->kept = a->n;
	a->recent = false;
}

static void
look_at_age(void *ctx, const Part *part, HeapTuple tuple)
{
	Abandoned  *a = ctx;

	if (part->uploader != a->uploader || strcmp(part->name, NameStr(a->name)) != 0)
		end_upload(a);
	a->uploader = part->uploader;
	namestrcpy(&a->name, part->name);
	a->recent |= part->sent_at >= a->before;
	a->parts = distil_grown(CurrentMemoryContext, a->parts, a->n, &a->capacity,
							sizeof(ItemPointerData));
	a->parts[a->n++] = tuple->t_self;
}

void
distil_uploads_drop_abandoned(void)
{
	Relation	rel = distil_open_table(TABLE, RowExclusiveLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Abandoned	a = {.before = abandoned_before()};

	visit_parts(rel, distil_begin_scan(rel, snapshot, 0, NULL), look_at_age, &a);
	end_upload(&a);
	for (int i = 0; i < a.n; i++)
		CatalogTupleDelete(rel, &a.parts[i]);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* ---- the files of an upload ---- */

typedef struct UploadSource
{
	const char *name;
	Snapshot	snapshot;
	Part	   *parts;			/* [n], by file and number; offsets in place of sizes */
	int			n;
	Size		capacity;
	int64		size;			/* of the file that is visited */
	DistilRowSource *rows;
} UploadSource;

static void
raise_missing(const char *file, int32 part, int32 next)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 next == part + 1
			 ? errmsg("part %d of file \"%s\" was not uploaded", part, file)
			 : errmsg("parts %d to %d of file \"%s\" were not uploaded", part, next - 1, file),
			 errhint("Send what is missing by distil_upload_part, then finish again.")));
}

static void
end_file(UploadSource *us)
{
	if (us->n > 0)
		distil_rowsource_add(us->rows, us->parts[us->n - 1].file, us->size);
}

static void
add_part(void *ctx, const Part *part, HeapTuple tuple)
{
	UploadSource *us = ctx;
	const Part *last = us->n > 0 ? &us->parts[us->n - 1] : NULL;
	bool		begins = last == NULL || strcmp(last->file, part->file) != 0;
	int32		expected = begins ? 1 : last->number + 1;

	if (part->number != expected)
		raise_missing(part->file, expected, part->number);
	if (begins)
		end_file(us);
	us->parts = distil_grown(CurrentMemoryContext, us->parts, us->n, &us->capacity, sizeof(Part));
	last = us->n > 0 ? &us->parts[us->n - 1] : NULL;
	if (begins)
		us->size = 0;
	us->parts[us->n] = (Part) {
		.file = begins ? pstrdup(part->file) : last->file,
		.number = part->number,
		.size = us->size
	};
	us->n++;
	us->size += part->size;
}

/* Copy what a part has of a range that begins in it; tells how much. */
static size_t
copy_slice(const UploadSource *us, Relation rel, const Part *part, int64 offset, void *buf,
		   size_t len)
{
	SysScanDesc scan = scan_parts(rel, us->snapshot, 4, us->name, part->file, part->number);
	HeapTuple	tuple = systable_getnext(scan);
	struct varlena *slice;
	size_t		n;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "part %d of file \"%s\" has disappeared", part->number, part->file);
	slice = (struct varlena *) PG_DETOAST_DATUM_SLICE(distil_column(tuple, PART_DATA, rel),
													  offset - part->size, len);
	n = VARSIZE_ANY_EXHDR(slice);
	memcpy(buf, VARDATA_ANY(slice), n);
	pfree(slice);
	systable_endscan(scan);
	return n;
}

/* The part in which an offset of a file lies: the last that begins there. */
static const Part *
find_part(const UploadSource *us, const char *file, int64 offset)
{
	const Part *found = NULL;

	for (int i = 0; i < us->n; i++)
	{
		if (strcmp(us->parts[i].file, file) == 0 && us->parts[i].size <= offset)
			found = &us->parts[i];
	}
	return found;
}

static void
fetch_parts(void *ctx, const char *file, int64 offset, void *buf, size_t len)
{
	UploadSource *us = ctx;
	Relation	rel = distil_open_table(TABLE, AccessShareLock);
	size_t		done = 0;

	while (done < len)
	{
		const Part *part = find_part(us, file, offset + done);
		size_t		n = copy_slice(us, rel, part, offset + done, (char *) buf + done, len - done);

		if (n == 0)
			elog(ERROR, "part %d of file \"%s\" is shorter than it was", part->number, file);
		done += n;
	}
	table_close(rel, AccessShareLock);
}

const DbertSource *
distil_upload_source(const char *name, Snapshot snapshot)
{
	Relation	rel = distil_open_table(TABLE, AccessShareLock);
	UploadSource *us = palloc0(sizeof(UploadSource));

	us->name = name;
	us->snapshot = snapshot;
	us->rows = distil_rowsource_create(fetch_parts, us);
	visit_parts(rel, scan_parts(rel, snapshot, 2, name, "", 0), add_part, us);
	if (us->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("nothing was uploaded for model \"%s\" by role \"%s\"", name,
						GetUserNameFromId(GetUserId(), false)),
				 errhint("Send its files by distil_upload_part. The view distil_uploads shows what "
						 "is there.")));
	end_file(us);
	table_close(rel, AccessShareLock);
	return distil_rowsource(us->rows);
}
