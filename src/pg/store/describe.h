/*
 * describe.h -- what a directory or a set of rows says about its model.
 */
#ifndef DISTILBERT_PG_DESCRIBE_H
#define DISTILBERT_PG_DESCRIBE_H

#include "dbert.h"
#include "pg/store/catalog.h"

/*
 * dbert_pack_begin with the server's allocator and poll; raises, with subject
 * as in errors.h.  task is one of modeltask.h, or NULL.  Ended when context is
 * reset, and source must live as long.
 */
extern DbertPack *distil_pack_begin(const DbertSource *source, const char *task,
									const char *precision, const char *subject,
									MemoryContext context);

/*
 * The core's name of a precision; raises, listing those there are, for any
 * other.
 */
extern DbertPrecision distil_precision(const char *name);

/*
 * Fill info from a pack that was begun with this task and precision, all but
 * hash, size and times.  A task of NULL becomes the one that the head and the
 * labels suggest; "sentiment" raises unless the labels are such.
 */
extern void distil_describe(DbertPack *pack, const char *name, const char *task,
							const char *precision, DistilInfo *info);

/*
 * The files of the model: NULL-terminated, sorted; valid as long as the pack.
 */
extern const char *const *distil_pack_files(DbertPack *pack);

#endif
