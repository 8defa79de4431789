/*
 * pipedead.h -- pipelines whose source was dropped.
 */
#ifndef DISTILBERT_PG_PIPEDEAD_H
#define DISTILBERT_PG_PIPEDEAD_H

#include "nodes/pg_list.h"

/*
 * Remove the rows of pipelines whose source is gone, and return the names of
 * the others.  Where somebody else is changing the catalogue, the dead ones are
 * left to the next who comes.
 */
extern List *distil_living_pipelines(void);

#endif
