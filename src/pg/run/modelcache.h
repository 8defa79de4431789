/*
 * modelcache.h -- the models this backend has open, found by their names.
 *
 * The statement's own snapshot says which content a name stands for, so that a
 * statement and its parallel workers never see two contents of one name.  The
 * hash of the content finds the open model.  It stays open as long as the
 * memory context of whoever asked for it.  What a load, a drop, a rollback or
 * another session changes arrives as a relcache invalidation of the model
 * table; then each call site resolves its name again when it is used next.
 */
#ifndef DISTILBERT_PG_MODELCACHE_H
#define DISTILBERT_PG_MODELCACHE_H

#include "fmgr.h"

#include "pg/run/openmodel.h"

/*
 * The model of this name, for a call of a function.  It is pinned as long as
 * flinfo->fn_mcxt lives, and remembered in flinfo->fn_extra, which belongs to
 * this function; its name is resolved again only when the name or the table of
 * models has changed.  Raises when there is no such model (hint: near names).
 */
extern DistilModel *distil_model_for_call(FmgrInfo *flinfo, const char *name);

/*
 * Memory that the call site keeps for its caller, after distil_model_for_call:
 * zeros at first, of the same size each time.
 */
extern void *distil_call_memory(FmgrInfo *flinfo, Size size);

/*
 * An empty batch of this model that computes want.  The whole backend shares
 * it: use it at once, and keep it across nothing that may call a function.
 */
extern DbertBatch *distil_model_batch(DistilModel *model, int want);

/* Another such batch, for dbert_batch_recall only. */
extern DbertBatch *distil_model_recalled(DistilModel *model, int want);

/* The model of such a batch. */
extern DistilModel *distil_batch_model(const DbertBatch *batch);

/* Called once by _PG_init. */
extern void distil_modelcache_init(void);

#endif
