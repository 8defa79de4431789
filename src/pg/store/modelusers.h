/*
 * modelusers.h -- which objects of the database name a model.
 */
#ifndef DISTILBERT_PG_MODELUSERS_H
#define DISTILBERT_PG_MODELUSERS_H

#include "catalog/objectaddress.h"
#include "nodes/pg_list.h"

/*
 * The objects that name the model, the oldest first; tells how many.  A
 * generated column is a column of its table.
 */
extern int	distil_model_users(const char *model, ObjectAddress **objects);

/*
 * Raise, with a list, if objects name the model: action ("drop", "replace") is
 * what cannot be done, and hint how to do it all the same.
 */
extern void distil_prevent_use(const char *model, const char *action, const char *hint);

/* Pipelines that use it, described: a List of palloc'd strings. */
extern List *distil_pipelines_using(const char *model);

#endif
