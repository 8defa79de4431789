/*
 * pipeswitch.h -- the targets of two generations, compared: what the next one
 * lacks that the live one has.
 */
#ifndef DISTILBERT_PG_PIPESWITCH_H
#define DISTILBERT_PG_PIPESWITCH_H

#include "pg/pipe/pipeline.h"

/*
 * Statements that make the indexes which the next generation lacks: a List of
 * strings.  Runs as the owner.
 */
extern List *distil_missing_indexes(const DistilPipeline *pipeline);

/*
 * "ALTER INDEX next's RENAME TO live's" for those that are counterparts, to be
 * run when the live ones are gone.
 */
extern List *distil_index_renames(const DistilPipeline *pipeline);

/* GRANTs that give the next target the live one's privileges. */
extern List *distil_target_grants(const DistilPipeline *pipeline);

/* Descriptions of what stands on the live target and would stay with it. */
extern List *distil_target_dependents(const DistilPipeline *pipeline);

/*
 * Triggers, policies and publications of a live table that the next one lacks.
 */
extern List *distil_target_lacks(const DistilPipeline *pipeline);

#endif
