/*
 * pipesource.h -- what a pipeline asks of its source, before anything is made.
 */
#ifndef DISTILBERT_PG_PIPESOURCE_H
#define DISTILBERT_PG_PIPESOURCE_H

#include "pg/pipe/pipeline.h"

/*
 * Open a table as a pipeline's source, locked against writers until the
 * transaction ends (exclusive: against readers, too, for a column is to be
 * added).  Raises where no pipeline can be on it, or the current user does not
 * own it.
 */
extern Relation distil_open_source(Oid relation, bool exclusive);

/* The key and the text that a new pipeline has; raises where they do not do. */
extern void distil_source_columns(Relation source, const char *text_column,
								  DistilPipelineColumns *columns);

/*
 * Of a pipeline whose target is a column: raise where the text is a generated
 * column, and its mode or stale asks for a trigger that would have to see it
 * before it is stored.
 */
extern void distil_source_check_generated(Relation source, const DistilPipeline *p);

/* Raise where a subscription fills the source of a synchronous pipeline. */
extern void distil_source_check_sync(const DistilPipeline *p);

/* The column of this name; raises where there is none. */
extern Form_pg_attribute distil_source_column(Relation source, const char *name);

/*
 * Raise if the column is another pipeline's value, or, unless it is only to be
 * read, its text or key.
 */
extern void distil_check_column_free(Relation source, AttrNumber column, bool read_only);

#endif
