/*
 * load.h -- storing a model, for whoever makes one.
 */
#ifndef DISTILBERT_PG_LOAD_H
#define DISTILBERT_PG_LOAD_H

#include "dbert.h"
#include "pg/store/catalog.h"

/*
 * Raise where nothing can be written: a read-only transaction, a standby, a
 * parallel worker.
 */
extern void distil_prevent_read_only(const char *function);

/*
 * Raise if no model can have this name, or if a row or an installed model has
 * it and is not to be replaced.
 */
extern void distil_check_new_name(const char *name, bool replace);

/*
 * Raise as distil_store_model would if the files do not make a model.  For a
 * look at name and files before hours of training, not after.  Weights are not
 * read.
 */
extern void distil_check_model(const char *name, const DbertSource *source, const char *task,
							   const char *precision, const char *subject);

/*
 * Check the source's files and store them as a model, in this transaction: it
 * can be used after the next CommandCounterIncrement.  task and precision are
 * as for distil_load_model (task NULL: what the files say).  info becomes what
 * is then stored; where the same content was there already, a NOTICE says so
 * and info is the row that was there.  All memory is of the current context.
 */
extern void distil_store_model(const char *name, const DbertSource *source, const char *task,
							   const char *precision, bool replace, const char *subject,
							   DistilInfo *info);

#endif
