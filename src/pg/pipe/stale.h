/*
 * stale.h -- what the old text gave goes in the transaction that changes it.
 *
 * With stale => 'remove', what a writer removes from a text does not live on in
 * chunks or a vector until the worker comes: rows of target tables are deleted
 * with the source row, or when its key or text changes.
 */
#ifndef DISTILBERT_PG_STALE_H
#define DISTILBERT_PG_STALE_H

#include "pg/pipe/watched.h"

/* Delete what the targets have of a row that was in rel. */
extern void distil_stale_remove(Relation rel, const DistilWatched *w, TupleTableSlot *row);

/* Delete what they have of keys that the source has no more. */
extern void distil_stale_remove_orphans(const DistilWatched *w);

#endif
