/*
 * pipetarget.h -- where a pipeline's values go: a column of the source, or a
 * table.
 *
 * A target table has
 *		the key's columns, as the source has them
 *		the columns of an answer: the value; or seq, start_pos, end_pos, chunk,
 *		embedding; or seq, entity, label, score, start_pos, end_pos
 *		text_hash, of the text that it was computed from
 * in this order, with the key's columns and seq as primary key.  It belongs to
 * the source's owner and goes with the source.  Others see rows of it, if they
 * may read it at all, where they see the row of the source.
 */
#ifndef DISTILBERT_PG_PIPETARGET_H
#define DISTILBERT_PG_PIPETARGET_H

#include "pg/pipe/pipeline.h"

/*
 * The SQL type of a task's values; width is of its embeddings: vector(width)
 * where pgvector is installed.
 */
extern const char *distil_value_type(const DistilPipeTask *task, int width);

/*
 * These work as p's owner, on p's source (locked), columns and task, with no
 * relation of it open.  make_table raises where there is such a relation.
 */
extern AttrNumber distil_target_add_column(const DistilPipeline *p, const char *column, int width);
extern Oid	distil_target_make_table(const DistilPipeline *p, Oid schema, const char *name,
									 int width);

/* Raise unless an existing column can take a task's values. */
extern void distil_target_check_column(Relation source, const DistilPipeTask *task, int width,
									   AttrNumber column);

/* Drop a generation's column or table. */
extern void distil_target_drop(const DistilPipeline *p, const DistilGeneration *g);

/*
 * See to it that a target table, or all of a pipeline's, goes with the source:
 * dumps do not hold this.
 */
extern void distil_target_follow_source(Oid target, Oid source);
extern void distil_targets_follow_source(const DistilPipeline *p);

#endif
