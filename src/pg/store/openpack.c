/*
 * openpack.c -- see openpack.h.
 *
 * A name is resolved with the active snapshot, a row before an installed model.
 * Only where that knows no such name, rows are looked at that this transaction
 * wrote since: constants are folded with the snapshot of the command around.
 *
 * A pack may be removed at any time, even between building and mapping it.  So
 * we look for it again after building it, a few times.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/bridge/errors.h"
#include "pg/bridge/kernels.h"
#include "pg/store/builtin.h"
#include "pg/store/catalog.h"
#include "pg/store/describe.h"
#include "pg/store/dirsource.h"
#include "pg/store/identity.h"
#include "pg/store/openpack.h"
#include "pg/store/packfile.h"
#include "pg/store/tablesource.h"
#include "pg/store/unknown.h"

/* How often we look for a pack before we give up. */
#define MAX_OPEN_ATTEMPTS 5


/* ---- resolving ---- */

/* The active snapshot, but seeing what this transaction did so far. */
static Snapshot
own_snapshot(void)
{
	Snapshot	snapshot;

	PushCopiedSnapshot(GetActiveSnapshot());
	UpdateActiveSnapshotCommandId();
	snapshot = RegisterSnapshot(GetActiveSnapshot());
	PopActiveSnapshot();
	return snapshot;
}

static Snapshot
statement_snapshot(void)
{
	return RegisterSnapshot(ActiveSnapshotSet() ? GetActiveSnapshot() :
							GetTransactionSnapshot());
}

static bool
resolve_row(DistilResolved *r)
{
	DistilInfo	info;

	if (!distil_catalog_find(r->name, r->snapshot, &info))
		return false;
	memcpy(r->key, info.sha256, DISTIL_SHA256_BYTES);
	r->task = info.task;
	r->precision = info.precision;
	return true;
}

static bool
resolve_builtin(DistilResolved *r)
{
	r->builtin = distil_builtin_path(r->name);
	if (r->builtin == NULL)
		return false;
	r->precision = DISTIL_DEFAULT_PRECISION;
	distil_builtin_key(r->builtin, r->key);
	return true;
}

DistilResolved
distil_resolve(const char *name)
{
	DistilResolved r = {.name = name,.snapshot = statement_snapshot()};

	if (resolve_row(&r) || resolve_builtin(&r))
		return r;
	if (ActiveSnapshotSet() && !IsInParallelMode())
	{
		UnregisterSnapshot(r.snapshot);
		r.snapshot = own_snapshot();
		if (resolve_row(&r))
			return r;
	}
	distil_raise_unknown(name, r.snapshot);
}


/* ---- opening ---- */

/* The hash ties the rows to the pack's name: a pack holds what it is called. */
static void
check_rows(const DistilResolved *r, const DbertSource *source, const char *const *files)
{
	uint8		sha256[DISTIL_SHA256_BYTES];
	int64		bytes;

	distil_identity(source, files, r->task, r->precision, NULL, NULL, sha256, &bytes);
	if (memcmp(sha256, r->key, DISTIL_SHA256_BYTES) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored model \"%s\" is damaged", r->name),
				 errdetail("Its files do not have the hash that is stored with them."),
				 errhint("Drop it and load it again.")));
}

/*
 * Build the pack, unless somebody has in the meantime.  The tables are locked
 * (by opening the source) before the folder: nobody who holds the folder's
 * lock waits for a table.
 */
static void
build_pack(const DistilResolved *r, const char *path, const char *subject)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "distilbert pack",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	const DbertSource *source;
	const char *const *files = NULL;
	int			lock;

	if (r->builtin != NULL)
		source = distil_dirsource_installed(r->builtin, context);
	else
		source = distil_tablesource_open(r->name, r->snapshot, &files);

	lock = distil_pack_lock();
	if (!distil_pack_exists(path))
	{
		if (files != NULL)
			check_rows(r, source, files);
		ereport(DEBUG1, (errmsg_internal("packing model \"%s\"", r->name)));
		distil_pack_create(path, distil_pack_begin(source, r->task, r->precision, subject, context),
						   subject);
	}
	distil_pack_unlock(lock);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Damaged packs are built again once. */
DbertModel *
distil_open_pack(const DistilResolved *r, const DbertAllocator *allocator, MemoryContext context)
{
	const char *path = distil_pack_path(r->key, r->precision);
	const char *subject = psprintf("could not open model \"%s\"", r->name);
	bool		damaged = false;

	for (int attempt = 0; attempt < MAX_OPEN_ATTEMPTS; attempt++)
	{
		DistilMapping *mapping = distil_pack_map(path, context);
		DbertModel *model;
		DbertError	err = {0};

		if (mapping != NULL)
		{
			if (dbert_model_open(mapping->image, mapping->size, distil_kernels(),
								 allocator, &model, &err) == DBERT_OK)
				return model;
			distil_pack_unmap(mapping);
			if (err.code != DBERT_E_CORRUPT || damaged)
				distil_raise(&err, subject);
			ereport(LOG,
					(errmsg("model pack \"%s\" is damaged and will be built again: %s",
							path, err.msg)));
			damaged = true;
			distil_pack_remove(path);
		}
		build_pack(r, path, subject);
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("%s", subject),
			 errdetail("Its pack \"%s\" was removed again and again.", path)));
}
