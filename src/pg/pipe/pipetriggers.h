/*
 * pipetriggers.h -- the triggers of a pipeline.
 */
#ifndef DISTILBERT_PG_PIPETRIGGERS_H
#define DISTILBERT_PG_PIPETRIGGERS_H

#include "pg/pipe/pipeline.h"

/*
 * Make p's triggers on its source, or make them anew, as its owner: with p's
 * columns, a value for each generation whose target is a column among them.
 */
extern void distil_triggers_make(const DistilPipeline *p);

/* The trigger for TRUNCATE, which partitions do not get from their parent. */
extern void distil_triggers_make_truncate(const DistilPipeline *p, Oid relation);

/* Drop it from a table that is no partition any more, if it is there. */
extern void distil_triggers_drop_truncate(const DistilPipeline *p, Oid relation);

/* Drop all there are. */
extern void distil_triggers_drop(const DistilPipeline *p);

#endif
