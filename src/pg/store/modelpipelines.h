/*
 * modelpipelines.h -- which pipelines compute with a model.
 */
#ifndef DISTILBERT_PG_MODELPIPELINES_H
#define DISTILBERT_PG_MODELPIPELINES_H

#include "nodes/pg_list.h"

/*
 * The names of those that name it in any generation: palloc'd strings, sorted.
 */
extern List *distil_pipelines_with_model(const char *model);

#endif
