/*
 * load.h -- storing a model, for whoever makes one.
 */
#ifndef DISTILBERT_PG_LOAD_H
#define DISTILBERT_PG_LOAD_H

#include "fmgr.h"

#include "dbert.h"
#include "pg/store/catalog.h"

/*
 * Raise where nothing can be written: a read-only transaction, a standby, a
 * parallel worker.
 */
extern void distil_prevent_read_only(const char *function);

/* May a model take the place of another one that has its name? */
typedef enum DistilReplace
{
	DISTIL_REPLACE_NONE,
	DISTIL_REPLACE_UNUSED,		/* unless objects of the database name it */
	DISTIL_REPLACE_ANY
} DistilReplace;

extern DistilReplace distil_replace(bool replace, bool force);

/*
 * Raise if no model can have this name, or if a row or an installed model has
 * it and is not to be replaced.
 */
extern void distil_check_new_name(const char *name, DistilReplace replace);

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
							   const char *precision, DistilReplace replace,
							   const char *subject, DistilInfo *info);

/* Arguments that all functions have which load a model. */
typedef struct DistilLoadArgs
{
	FunctionCallInfo fcinfo;
	const char *name;
	const char *task;			/* or NULL */
	DistilReplace replace;
	const char *precision;
} DistilLoadArgs;

/*
 * The result of an SQL function whose first argument is a name, and whose
 * arguments from options on are task, replace, precision and force: load, which
 * runs in a context of its own, makes a row of distil_models.
 */
extern Datum distil_load(FunctionCallInfo fcinfo, int options,
						 void (*load) (const DistilLoadArgs *args, DistilInfo *info));

/* distil_store_model with these arguments */
extern void distil_load_source(const DistilLoadArgs *args, const DbertSource *source,
							   DistilInfo *info);

#endif
