/*
 * openpack.h -- from a model's name to its content, and to the core's model.
 */
#ifndef DISTILBERT_PG_OPENPACK_H
#define DISTILBERT_PG_OPENPACK_H

#include "utils/snapshot.h"

#include "dbert.h"
#include "pg/bridge/sha256.h"

/* What a name stands for, in this statement. */
typedef struct DistilResolved
{
	const char *name;
	uint8		key[DISTIL_SHA256_BYTES];	/* names the pack */
	const char *builtin;		/* directory of an installed model; NULL: a row */
	const char *task;			/* of a row */
	const char *precision;
	Snapshot	snapshot;		/* registered; whoever resolves unregisters it */
} DistilResolved;

/*
 * The name may say its content (pinned.h).  Raises when there is no such model
 * (hint: near names).  Strings are palloc'd, but for name, which must stay.
 */
extern DistilResolved distil_resolve(const char *name);

/*
 * Map the pack, building it first where there is none, and open it.  The
 * mapping ends with context, after the model is closed; allocator, which must
 * stay as long, has what the model itself needs.
 */
extern DbertModel *distil_open_pack(const DistilResolved *r, const DbertAllocator *allocator,
									MemoryContext context);

#endif
