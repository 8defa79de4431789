/*
 * modelcache.h -- the models this backend has open, and name resolution.
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
#include "lib/ilist.h"

#include "dbert.h"
#include "pg/bridge/sha256.h"
#include "pg/stats/usage.h"

typedef struct DistilModel
{
	uint8		sha256[DISTIL_SHA256_BYTES];	/* key: names the pack; of an installed
												 * model it is builtin.h's, not the content's */
	char	   *name;			/* under which it was opened, for messages */
	DbertModel *core;
	DistilUsage *usage;			/* what it was used for, in this process */
	/* private to modelcache.c from here */
	dlist_node	node;
	int			pins;
	MemoryContext context;
	DbertAllocator allocator;	/* fills context */
	DbertBatch *batches[DBERT_WANT_END];		/* by DBERT_WANT_ bits, made when first wanted */
	DbertBatch *recalled[DBERT_WANT_END];
} DistilModel;

/*
 * The model of this name, for a function call: remembered in flinfo->fn_extra,
 * pinned as long as flinfo->fn_mcxt lives, resolved again only when the name or
 * the model tables changed.  Raises when there is none (hint: near names).
 * fn_extra belongs to this function.
 */
extern DistilModel *distil_model_for_call(FmgrInfo *flinfo, const char *name);

/*
 * The last answer of a call site whose text is a constant or a parameter, so
 * that a statement computes it once.  Memory is fn_mcxt's.
 */
typedef struct DistilMemo
{
	text	   *text;			/* NULL: there is none */
	int			long_text;		/* the settings it was computed under */
	int			on_error;
	bool		there;			/* false: the answer is NULL */
	Datum		answer;
} DistilMemo;

/* The call site's memo, empty if the model is another one; after
 * distil_model_for_call. */
extern DistilMemo *distil_call_memo(FmgrInfo *flinfo);

/*
 * An empty batch of this model computing want, shared by the whole backend:
 * use it at once and do not keep it across anything that may call a function.
 */
extern DbertBatch *distil_model_batch(DistilModel *model, int want);

/* Bytes of this process that open models have, what is mapped excepted. */
extern Size distil_models_allocated(void);

/* A batch for dbert_batch_recall alone; to be used as quickly. */
extern DbertBatch *distil_model_recalled(DistilModel *model, int want);

/* The model that a batch of distil_model_batch is of. */
extern DistilModel *distil_batch_model(const DbertBatch *batch);

/*
 * Open the models anew when they are used next; those in use stay as they are.
 */
extern void distil_models_reopen(void);

/* Called once by _PG_init. */
extern void distil_modelcache_init(void);

#endif
