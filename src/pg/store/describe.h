/*
 * describe.h -- what a directory or a set of rows says about its model.
 */
#ifndef DISTILBERT_PG_DESCRIBE_H
#define DISTILBERT_PG_DESCRIBE_H

#include "dbert.h"
#include "pg/store/catalog.h"

/*
 * dbert_pack_begin with the server's allocator and poll.  Raises, with subject
 * as in errors.h.  task is one of modeltask.h, or NULL.  The pack ends when
 * context is reset; source must live as long.
 */
extern DbertPack *distil_pack_begin(const DbertSource *source, const char *task,
									const char *precision, const char *subject,
									MemoryContext context);

/*
 * What the core calls the head of a task of modeltask.h; NULL, for NULL or a
 * task that no model is loaded for: the model's files say it.
 */
extern const char *distil_core_task(const char *task);

/*
 * The precision of this name; raises, listing those there are, when there is
 * none.
 */
extern DbertPrecision distil_precision(const char *name);

/*
 * Fill info, all but hash, size and times, from a pack that was begun with this
 * task and precision.  task NULL becomes the one that head and labels suggest;
 * "sentiment" raises unless the labels are of that kind.
 */
extern void distil_describe(DbertPack *pack, const char *name, const char *task,
							const char *precision, DistilInfo *info);

/*
 * The files of the model: NULL-terminated, sorted; valid as long as the pack.
 */
extern const char *const *distil_pack_files(DbertPack *pack);

#endif
