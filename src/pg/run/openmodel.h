/*
 * openmodel.h -- a model that this backend has open.
 *
 * modelcache.c alone opens and closes models.  Whoever has one from there may
 * use it as long as it is pinned.
 */
#ifndef DISTILBERT_PG_OPENMODEL_H
#define DISTILBERT_PG_OPENMODEL_H

#include "lib/ilist.h"

#include "dbert.h"
#include "pg/bridge/sha256.h"
#include "pg/stats/usage.h"

typedef struct DistilModel
{
	/*
	 * Names the pack: the hash of the content, or distil_builtin_key of an
	 * installed model.
	 */
	uint8		sha256[DISTIL_SHA256_BYTES];
	char	   *name;			/* by which it was opened, for messages */
	uint64		number;			/* of this opening: no other in this process has it */
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

#endif
