/*
 * watched.h -- what a session knows of a trigger of a pipeline.
 *
 * Triggers are called for each row, so this is remembered over queries, by the
 * trigger's OID, until the source, the partition or the pipeline changes.
 */
#ifndef DISTILBERT_PG_WATCHED_H
#define DISTILBERT_PG_WATCHED_H

#include "commands/trigger.h"

#include "pg/pipe/capture.h"

typedef struct DistilWatched
{
	Oid			trigger;		/* the key */
	Oid			relation;
	Oid			source;
	bool		acts;			/* false: the trigger has nothing to do here */
	bool		remove_stale;
	bool		sync;
	bool		each;			/* sync: each row at once, not at the statement's end */
	char		pipeline[DISTIL_MAX_PIPELINE + 1];
	DistilPipelineColumns columns;	/* of relation */
	DistilKeyType types[INDEX_MAX_KEYS];
	int			n_targets;		/* tables, of all generations */
	Oid			targets[DISTIL_MAX_GENERATIONS];
} DistilWatched;

/*
 * What a trigger that is being called has to know.  It stays as it is until
 * something may make caches invalid.
 */
extern const DistilWatched *distil_watched(const TriggerData *trigger);

/*
 * A number that grows when something may have changed on which an answer from
 * the catalogue stands: whoever remembers one looks again then.  At least 1.
 */
extern uint64 distil_watched_changes(void);

/* Do two rows have the same value there, to the byte, wherever it is stored? */
extern bool distil_same_value(Relation rel, AttrNumber column, TupleTableSlot *a,
							  TupleTableSlot *b);

/* Called once by _PG_init. */
extern void distil_watched_init(void);

#endif
