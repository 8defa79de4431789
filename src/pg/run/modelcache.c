/*
 * modelcache.c -- the models this backend has open, and name resolution.
 *
 * Resolving is done with the active snapshot, a row before an installed model.
 * Only where that knows no such name, what this transaction loaded since is
 * looked at, too: constants are folded with the snapshot of the command around.
 * Resolving costs an index lookup, so no table of names is kept: a call site
 * (an FmgrInfo) remembers what its name resolved to, together with the value of
 * a counter that every relcache invalidation of the model table raises, and
 * every change of the kernels.
 *
 * Opening maps the pack, building it first where there is none.  Everything is
 * made in a context below the current one and moved to TopMemoryContext when
 * it is whole, so an error leaves nothing.
 *
 * A model stays open while it is pinned.  Pins belong to memory contexts:
 * resetting one releases its pins, be it at the end of a query or on an error.
 * Unpinned models are kept for the next query, up to a few, least recently
 * used first to go; after an invalidation all of them go, at the next use of
 * a model or the end of the transaction, as one of them may have been dropped.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/ilist.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/kernels.h"
#include "pg/bridge/memorylimit.h"
#include "pg/bridge/threads.h"
#include "pg/run/modelcache.h"
#include "pg/run/modelmemory.h"
#include "pg/store/builtin.h"
#include "pg/store/catalog.h"
#include "pg/store/describe.h"
#include "pg/store/dirsource.h"
#include "pg/store/identity.h"
#include "pg/store/names.h"
#include "pg/store/packfile.h"
#include "pg/store/tablesource.h"

#define MAX_IDLE_MODELS 4

/*
 * Packs may be removed at any time: how often we look for ours before we give
 * up.
 */
#define MAX_OPEN_ATTEMPTS 5

/* most recently opened or resolved first */
static dlist_head models = DLIST_STATIC_INIT(models);

static uint64 table_changes = 1;	/* of the model table, as far as we heard */
static uint64 evicted_generation = 1;	/* the generation of the last full eviction */
static Oid	model_table = InvalidOid;	/* when a name was last resolved */

/* What a name stands for. */
typedef struct Resolved
{
	const char *name;
	uint8		key[DISTIL_SHA256_BYTES];
	const char *builtin;		/* directory of an installed model; NULL: a row */
	const char *task;			/* of a row */
	const char *precision;
	Snapshot	snapshot;
} Resolved;

/* What a call site remembers. */
typedef struct CallSite
{
	DistilModel *model;			/* pinned, or NULL */
	char	   *name;
	uint64		generation;
	void	   *memory;			/* the caller's, or NULL */
	MemoryContextCallback callback;
} CallSite;

static uint64
generation(void)
{
	return table_changes + distil_kernels_changes();
}


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
resolve_row(Resolved *r)
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
resolve_builtin(Resolved *r)
{
	r->builtin = distil_builtin_path(r->name);
	if (r->builtin == NULL)
		return false;
	r->precision = DISTIL_DEFAULT_PRECISION;
	distil_builtin_key(r->builtin, r->key);
	return true;
}

static void
resolve(Resolved *r)
{
	model_table = distil_model_table();
	r->snapshot = statement_snapshot();
	if (resolve_row(r) || resolve_builtin(r))
		return;
	if (ActiveSnapshotSet() && !IsInParallelMode())
	{
		UnregisterSnapshot(r->snapshot);
		r->snapshot = own_snapshot();
		if (resolve_row(r))
			return;
	}
	distil_raise_unknown(r->name, r->snapshot);
}


/* ---- opening ---- */

/* The hash ties the rows to the pack's name: a pack holds what it is called. */
static void
check_rows(const Resolved *r, const DbertSource *source, const char *const *files)
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
build_pack(const Resolved *r, const char *path, const char *subject)
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

/* Open model's pack; damaged ones are built again once. */
static void
open_pack(DistilModel *model, const Resolved *r)
{
	const char *path = distil_pack_path(r->key, r->precision);
	const char *subject = psprintf("could not open model \"%s\"", r->name);
	bool		damaged = false;

	for (int attempt = 0; attempt < MAX_OPEN_ATTEMPTS; attempt++)
	{
		DistilMapping *mapping = distil_pack_map(path, model->context);
		DbertError	err = {0};

		if (mapping != NULL)
		{
			if (dbert_model_open(mapping->image, mapping->size, distil_kernels(),
								 &model->allocator, &model->core, &err) == DBERT_OK)
				return;
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

static DistilModel *
open_model(const Resolved *r)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "distilbert model",
												  ALLOCSET_DEFAULT_SIZES);
	DistilModel *model = MemoryContextAllocZero(context, sizeof(DistilModel));
	static uint64 number = 0;
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	model->context = context;
	model->allocator = distil_model_allocator(context);
	model->name = MemoryContextStrdup(context, r->name);
	model->number = ++number;
	memcpy(model->sha256, r->key, DISTIL_SHA256_BYTES);
	MemoryContextSetIdentifier(context, model->name);
	open_pack(model, r);
	model->usage = distil_usage_of(r->key, r->name);
	distil_usage_count(model->usage, &(DistilUsage) {.load_ms = distil_ms_since(start)});

	MemoryContextSetParent(context, TopMemoryContext);
	distil_model_memory_count(context);
	dlist_push_head(&models, &model->node);
	return model;
}

static void
free_batches(DistilModel *model)
{
	for (int i = 0; i < lengthof(model->batches); i++)
	{
		dbert_batch_free(model->batches[i]);
		dbert_batch_free(model->recalled[i]);
		model->batches[i] = model->recalled[i] = NULL;
	}
}

/* The context's callbacks unmap the pack. */
static void
close_model(DistilModel *model)
{
	dlist_delete(&model->node);
	free_batches(model);
	dbert_model_close(model->core);
	MemoryContextDelete(model->context);
}

/* Close all unpinned models but the keep most recently used. */
static void
evict(int keep)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &models)
	{
		DistilModel *model = dlist_container(DistilModel, node, iter.cur);

		if (model->pins == 0 && keep-- <= 0)
			close_model(model);
	}
}

/* After a change an unpinned model may be dropped, and its pack removed. */
static void
evict_stale(void)
{
	if (evicted_generation != generation())
		evict(0);
	evicted_generation = generation();
}

static DistilModel *
find_open(const uint8 *key)
{
	dlist_iter	iter;

	dlist_foreach(iter, &models)
	{
		DistilModel *model = dlist_container(DistilModel, node, iter.cur);

		if (memcmp(model->sha256, key, DISTIL_SHA256_BYTES) == 0)
		{
			dlist_move_head(&models, &model->node);
			return model;
		}
	}
	return NULL;
}

/*
 * The model of this name, not pinned yet.  An error deletes the scratch
 * context, and with it a half-opened model, at once: a caller that catches
 * errors may live long.
 */
static DistilModel *
lookup(const char *name)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "distilbert lookup",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Resolved	r = {.name = name};
	DistilModel *volatile model = NULL;

	PG_TRY();
	{
		resolve(&r);
		evict_stale();
		model = find_open(r.key);
		if (model == NULL)
			model = open_model(&r);
		UnregisterSnapshot(r.snapshot);
	}
	PG_FINALLY();
	{
		MemoryContextSwitchTo(old);
		MemoryContextDelete(scratch);
	}
	PG_END_TRY();
	return model;
}


/* ---- pins ---- */

static void
release_call_site(void *arg)
{
	CallSite   *site = arg;

	if (site->model != NULL)
		site->model->pins--;
}

static CallSite *
call_site(FmgrInfo *flinfo)
{
	CallSite   *site = flinfo->fn_extra;

	if (site == NULL)
	{
		site = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(CallSite));
		site->callback.func = release_call_site;
		site->callback.arg = site;
		MemoryContextRegisterResetCallback(flinfo->fn_mcxt, &site->callback);
		flinfo->fn_extra = site;
	}
	return site;
}

/* Keep the old model pinned until the new one is there. */
static void
resolve_call_site(CallSite *site, FmgrInfo *flinfo, const char *name)
{
	uint64		now = generation();
	char	   *copy = MemoryContextStrdup(flinfo->fn_mcxt, name);
	DistilModel *model = lookup(name);

	model->pins++;
	if (site->model != NULL)
		site->model->pins--;
	if (site->name != NULL)
		pfree(site->name);
	site->model = model;
	site->name = copy;
	site->generation = now;
	evict(MAX_IDLE_MODELS);
}

DistilModel *
distil_model_for_call(FmgrInfo *flinfo, const char *name)
{
	CallSite   *site = call_site(flinfo);

	if (site->model == NULL || site->generation != generation() ||
		strcmp(site->name, name) != 0)
		resolve_call_site(site, flinfo, name);
	return site->model;
}

void *
distil_call_memory(FmgrInfo *flinfo, Size size)
{
	CallSite   *site = flinfo->fn_extra;

	if (site->memory == NULL)
		site->memory = MemoryContextAllocZero(flinfo->fn_mcxt, size);
	return site->memory;
}

static DbertBatch *
ensure_batch(DistilModel *model, int want, DbertBatch **batch)
{
	DbertError	err = {0};

	if (*batch == NULL &&
		dbert_batch_create(model->core, want, &model->allocator, batch, &err) != DBERT_OK)
	{
		*batch = NULL;
		distil_raise(&err, psprintf("could not use model \"%s\"", model->name));
	}
	dbert_batch_set_owner(*batch, model);
	return *batch;
}

/* Whoever asks for a batch is done with all others. */
static void
make_room(void)
{
	dlist_iter	iter;

	if (distil_memory_limit() == 0 || distil_models_allocated() < distil_memory_limit() / 2)
		return;
	dlist_foreach(iter, &models)
		free_batches(dlist_container(DistilModel, node, iter.cur));
}

DbertBatch *
distil_model_batch(DistilModel *model, int want)
{
	DbertBatch *batch;

	Assert(want > 0 && want < lengthof(model->batches));
	make_room();
	batch = ensure_batch(model, want, &model->batches[want]);
	dbert_batch_reset(batch);
	dbert_batch_set_threads(batch, distil_threads());
	return batch;
}

DbertBatch *
distil_model_recalled(DistilModel *model, int want)
{
	Assert(want > 0 && want < lengthof(model->recalled));
	return ensure_batch(model, want, &model->recalled[want]);
}

DistilModel *
distil_batch_model(const DbertBatch *batch)
{
	return dbert_batch_owner(batch);
}

/* relid InvalidOid: everything may have changed. */
static void
model_table_changed(Datum arg, Oid relid)
{
	if (relid == model_table || !OidIsValid(relid) || !OidIsValid(model_table))
		table_changes++;
}

/*
 * A backend that asks for no model again must not keep a removed pack's disk
 * space.
 */
static void
at_xact_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		evict_stale();
}

void
distil_modelcache_init(void)
{
	RegisterXactCallback(at_xact_end, NULL);
	CacheRegisterRelcacheCallback(model_table_changed, (Datum) 0);
}
