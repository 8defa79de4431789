/*
 * pipepartitions.h -- partitions that come and go.
 *
 * A partition that is attached brings rows that no trigger has seen, one that
 * is detached leaves what was made of its rows.  The server tells nobody, so
 * the worker compares, now and then.
 */
#ifndef DISTILBERT_PG_PIPEPARTITIONS_H
#define DISTILBERT_PG_PIPEPARTITIONS_H

#include "pg/pipe/pipeline.h"

/*
 * The partitions that hold a source's rows, sorted; NIL: it is a plain table.
 */
extern List *distil_partitions_of(Oid source);

/*
 * Queue the keys of partitions that are new since the last time, and remove
 * from target tables what those that are gone have left.  Needs a transaction
 * and a snapshot; false: there was nothing to do.
 */
extern bool distil_partitions_follow(DistilPipeline *pipeline);

#endif
