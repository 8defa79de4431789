/*
 * tablesource.h -- a DbertSource over the stored chunks of a loaded model.
 */
#ifndef DISTILBERT_PG_TABLESOURCE_H
#define DISTILBERT_PG_TABLESOURCE_H

#include "utils/snapshot.h"

#include "dbert.h"

/*
 * A source over the files that the model of this name has by the snapshot,
 * which must stay registered while the source is read.  *files
 * (NULL-terminated, sorted) are their names.  All memory is of the current
 * context.  Raises if chunks are missing.
 */
extern const DbertSource *distil_tablesource_open(const char *name, Snapshot snapshot,
												  const char *const **files);

#endif
