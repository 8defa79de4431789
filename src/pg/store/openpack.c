/*
 * openpack.c -- see openpack.h.
 *
 * A name is resolved with the active snapshot, a row before an installed model.
 * Only where that knows no such name, rows are looked at that this transaction
 * wrote since: constants are folded with the snapshot of the command around.
 *
 * A pack may be removed at any time, even between building and mapping it.  So
 * we look for it again after building it, a few times.  None is believed: it
 * must say that it is of this content, and its weights are verified unless this
 * server has done so since it started (packtrust.h).
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
#include "pg/store/models.h"
#include "pg/store/openpack.h"
#include "pg/store/packfile.h"
#include "pg/store/packtrust.h"
#include "pg/store/pinned.h"
#include "pg/store/restoring.h"
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

/*
 * Of a statement that restores rows, models may come while it runs.
 */
static Snapshot
statement_snapshot(void)
{
	if (distil_restoring())
		return RegisterSnapshot(GetLatestSnapshot());
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

static bool
resolve_any(DistilResolved *r)
{
	if (resolve_row(r) || resolve_builtin(r))
		return true;
	if (!ActiveSnapshotSet() || IsInParallelMode())
		return false;
	UnregisterSnapshot(r->snapshot);
	r->snapshot = own_snapshot();
	return resolve_row(r);
}

DistilResolved
distil_resolve(const char *name)
{
	const DistilPinned pinned = distil_unpin(name);
	DistilResolved r = {.name = pinned.name,.snapshot = statement_snapshot()};
	uint8		content[DISTIL_SHA256_BYTES];

	if (!resolve_any(&r))
		distil_raise_unknown(r.name, r.snapshot);
	if (pinned.digits != NULL && distil_find_content(r.name, r.snapshot, content))
		distil_check_pinned(&pinned, content);
	return r;
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

/* The files of an installed model, and the name that they gave it. */
typedef struct Installed
{
	const DistilResolved *resolved;
	const DbertSource *source;
} Installed;

/* A pack under the name of some files must not be made of others. */
static void
check_installed(void *arg)
{
	Installed  *i = arg;
	uint8		key[DISTIL_SHA256_BYTES];

	distil_dirsource_settle(i->source);
	distil_builtin_key(i->resolved->builtin, key);
	if (memcmp(key, i->resolved->key, DISTIL_SHA256_BYTES) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("files of the model \"%s\" changed while they were read",
						i->resolved->name),
				 errhint("Try again when its installation is finished.")));
}

/* Is there a pack, and another than the damaged one? */
static bool
somebody_built(const char *path, const DistilPackId *damaged)
{
	DistilPackFile file = distil_pack_open(path);
	bool		other = file.fd >= 0 && memcmp(&file.id, damaged, sizeof(file.id)) != 0;

	distil_pack_close(&file);
	return other;
}

static void
create_pack(const DistilResolved *r, const DbertSource *source, const char *path,
			const char *subject, MemoryContext context)
{
	DbertPack  *pack = distil_pack_begin(source, r->task, r->precision, subject, context);
	Installed	installed = {r, source};

	dbert_pack_set_content(pack, r->key);
	distil_pack_create(path, pack, subject, r->builtin != NULL ? check_installed : NULL,
					   &installed);
}

/*
 * Build the pack, unless somebody has in the meantime; damaged is none.  The
 * tables are locked (by opening the source) before the folder: nobody who holds
 * the folder's lock waits for a table.
 */
static void
build_pack(const DistilResolved *r, const char *path, const char *subject,
		   const DistilPackId *damaged)
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
	if (!somebody_built(path, damaged))
	{
		if (files != NULL)
			check_rows(r, source, files);
		ereport(DEBUG1, (errmsg_internal("packing model \"%s\"", r->name)));
		create_pack(r, source, path, subject, context);
	}
	distil_pack_unlock(lock);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Of an image that opened: is it this content's, as it was written? */
static bool
is_sound(const DistilResolved *r, const char *path, const DistilPackFile *file,
		 const DistilMapping *mapping, DbertError *err)
{
	DbertPackWeights w;

	dbert_pack_weights(mapping->image, &w);
	if (memcmp(w.content, r->key, DISTIL_SHA256_BYTES) != 0)
	{
		(void) dbert_fail(err, DBERT_E_CORRUPT, "model pack is of another model");
		return false;
	}
	if (distil_pack_trusted(&mapping->id))
		return true;
	if (!distil_pack_weights_are_whole(path, file, mapping))
	{
		(void) dbert_fail(err, DBERT_E_CORRUPT, "weights of the model pack have a wrong checksum");
		return false;
	}
	distil_pack_trust(&mapping->id);
	return true;
}

/* NULL and err: the pack is damaged, or something else is wrong. */
static DbertModel *
open_file(const DistilResolved *r, const char *path, const DistilPackFile *file,
		  const DbertAllocator *allocator, MemoryContext context, DbertError *err)
{
	DistilMapping *mapping = distil_pack_map(file, context);
	DbertModel *model = NULL;

	if (dbert_model_open(mapping->image, mapping->size, distil_kernels(), allocator, &model, err) ==
		DBERT_OK)
	{
		if (is_sound(r, path, file, mapping, err))
			return model;
		dbert_model_close(model);
	}
	distil_pack_unmap(mapping);
	return NULL;
}

/* Damaged packs are built again once. */
DbertModel *
distil_open_pack(const DistilResolved *r, const DbertAllocator *allocator, MemoryContext context)
{
	const char *path = distil_pack_path(r->key, r->precision);
	const char *subject = psprintf("could not open model \"%s\"", r->name);
	DistilPackId damaged = {0};

	for (int attempt = 0; attempt < MAX_OPEN_ATTEMPTS; attempt++)
	{
		DistilPackFile file = distil_pack_open(path);

		if (file.fd >= 0)
		{
			DbertError	err = {0};
			DbertModel *model = open_file(r, path, &file, allocator, context, &err);

			distil_pack_close(&file);
			if (model != NULL)
				return model;
			if (err.code != DBERT_E_CORRUPT || damaged.size != 0)
				distil_raise(&err, subject);
			ereport(LOG,
					(errmsg("model pack \"%s\" is damaged and will be built again: %s",
							path, err.msg)));
			damaged = file.id;
		}
		else if (distil_pack_exists(path))
			ereport(LOG, (errmsg("\"%s\" is no model pack and will be replaced by one", path)));
		build_pack(r, path, subject, &damaged);
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("%s", subject),
			 errdetail("Its pack \"%s\" was removed again and again.", path)));
}
