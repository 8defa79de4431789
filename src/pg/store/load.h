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
 * Raise if the name is no name, or is taken (by a row, or by an installed
 * model) and not to be replaced.
 */
extern void distil_check_new_name(const char *name, bool replace);

/*
 * Raise as distil_store_model would, be it that the files make no model: what
 * costs hours is worth a look before it begins.  Weights are not read.
 */
extern void distil_check_model(const char *name, const DbertSource *source, const char *task,
							   const char *precision, const char *subject);

/*
 * Check the source's files and store them as a model, in this transaction:
 * after the next CommandCounterIncrement it is one like any other.  task and
 * precision as for distil_load_model (task NULL: what the files say).  info is
 * what is then stored; it stays as it was when the same content was there
 * already (a NOTICE tells).  All memory is of the current context.
 */
extern void distil_store_model(const char *name, const DbertSource *source, const char *task,
							   const char *precision, bool replace, const char *subject,
							   DistilInfo *info);

#endif
