/*
 * modelcache.h -- the models this backend has open, found by their names.
 *
 * A name resolves to a content hash with the statement's own snapshot (so a
 * statement and its parallel workers never mix two contents of one name), a
 * hash to an opened, mapped model in a table of this backend.  Opened models
 * are pinned by memory contexts: whoever resolves one says how long it is to
 * live.  What load, drop, rollback and other sessions change arrives as a
 * relcache invalidation of the model table and makes the next use of a call
 * site resolve its name again.
 */
#ifndef DISTILBERT_PG_MODELCACHE_H
#define DISTILBERT_PG_MODELCACHE_H

#include "fmgr.h"

#include "pg/run/openmodel.h"

/*
 * The model of this name, for a function call: remembered in flinfo->fn_extra,
 * pinned as long as flinfo->fn_mcxt lives, resolved again only when the name or
 * the model tables changed.  Raises when there is none (hint: near names).
 * fn_extra belongs to this function.
 */
extern DistilModel *distil_model_for_call(FmgrInfo *flinfo, const char *name);

/*
 * Memory that the call site keeps for its caller, after distil_model_for_call:
 * zeros at first, of the same size each time.
 */
extern void *distil_call_memory(FmgrInfo *flinfo, Size size);

/*
 * An empty batch of this model computing want, shared by the whole backend:
 * use it at once and do not keep it across anything that may call a function.
 */
extern DbertBatch *distil_model_batch(DistilModel *model, int want);

/* A batch for dbert_batch_recall alone; to be used as quickly. */
extern DbertBatch *distil_model_recalled(DistilModel *model, int want);

/* The model that such a batch is of. */
extern DistilModel *distil_batch_model(const DbertBatch *batch);

/* Called once by _PG_init. */
extern void distil_modelcache_init(void);

#endif
