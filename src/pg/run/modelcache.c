/*
 * modelcache.c -- the models this backend has open, found by their names.
 *
 * Resolving a name (store/openpack.h) costs no more than an index lookup, so
 * there is no table of names.  Instead each call site (an FmgrInfo) remembers
 * the model of its name, and the generation: a counter that grows with every
 * relcache invalidation of the model table and every change of the kernels.  A
 * call site of an older generation resolves its name again.
 *
 * A model is opened in a context below the current one, which is moved to
 * TopMemoryContext when the model is whole: an error leaves nothing behind.
 *
 * A model stays open while it is pinned.  Pins belong to memory contexts:
 * resetting one releases its pins, at the end of a query as after an error.
 * A few unpinned models are kept for the next query; the least recently used
 * go first.  After an invalidation, when one of them may have been dropped, all
 * of them go: at the next use of a model or the end of the transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/ilist.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/bridge/errors.h"
#include "pg/bridge/kernels.h"
#include "pg/bridge/memorylimit.h"
#include "pg/bridge/threads.h"
#include "pg/run/modelcache.h"
#include "pg/run/modelmemory.h"
#include "pg/store/catalog.h"
#include "pg/store/openpack.h"

#define MAX_IDLE_MODELS 4

/* the one that was asked for last comes first */
static dlist_head models = DLIST_STATIC_INIT(models);

static uint64 table_changes = 1;	/* invalidations of the model table */
static uint64 evicted_generation = 1;	/* when all unpinned models were closed last */
static Oid	model_table = InvalidOid;	/* as of the last time a name was resolved */

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


/* ---- opening and closing ---- */

static DistilModel *
open_model(const DistilResolved *r)
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
	model->core = distil_open_pack(r, &model->allocator, context);
	model->usage = distil_usage_of(r->key, r->name);
	distil_usage_count(model->usage, &(DistilUsage) {.load_ms = distil_ms_since(start)});

	distil_model_memory_count(context);
	MemoryContextSetParent(context, TopMemoryContext);
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
 * The model of this name, not pinned yet.  After an error the scratch context,
 * and a half-opened model in it, is deleted at once, for the context around it
 * may live long if somebody catches the error.
 */
static DistilModel *
lookup(const char *name)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "distilbert lookup",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	DistilResolved r;
	DistilModel *volatile model = NULL;

	PG_TRY();
	{
		model_table = distil_model_table();
		r = distil_resolve(name);
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


/* ---- batches ---- */

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

/* No other batch is in use when one is asked for: their memory can go. */
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


/* ---- changes ---- */

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
