/*
 * builtin.h -- the models that are installed with the server.
 *
 * $sharedir/distilbert/models/<name>/ is a model of that name, without a row.
 */
#ifndef DISTILBERT_PG_BUILTIN_H
#define DISTILBERT_PG_BUILTIN_H

#include "nodes/pg_list.h"

/* The directory of the installed model of this name, palloc'd; NULL: none. */
extern char *distil_builtin_path(const char *name);

/* The names of all installed models, sorted: a List of palloc'd strings. */
extern List *distil_builtin_names(void);

/*
 * A key for the directory's content, [DISTIL_SHA256_BYTES], that costs a few
 * stat calls: a hash of its files' names, sizes and times, not of their bytes.
 */
extern void distil_builtin_key(const char *path, uint8 *key);

#endif
