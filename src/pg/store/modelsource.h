/*
 * modelsource.h -- a model's files by its name: stored rows, or installed
 * files.
 */
#ifndef DISTILBERT_PG_MODELSOURCE_H
#define DISTILBERT_PG_MODELSOURCE_H

#include "utils/snapshot.h"

#include "dbert.h"
#include "pg/bridge/sha256.h"

typedef struct DistilModelSource
{
	const DbertSource *source;
	const char *name;			/* alone, without its content */
	const char *const *files;	/* NULL-terminated, sorted */
	const char *task;			/* of the core, that it was loaded for; NULL: its files say it */
	const char *loaded_for;		/* the same as distil_load_model takes it */
	const char *precision;
	uint8		sha256[DISTIL_SHA256_BYTES];	/* of an installed model: builtin.h's key */
	Snapshot	snapshot;		/* registered, or NULL */
} DistilModelSource;

/*
 * The model as it is now, whatever snapshot the transaction has: for making and
 * copying models, not for queries.  Raises when there is no such model.  Memory
 * is of context, which must be the current one.
 */
extern DistilModelSource distil_model_source(const char *name, MemoryContext context);

/* Forget the snapshot; memory goes with the context. */
extern void distil_model_source_end(DistilModelSource *s);

#endif
