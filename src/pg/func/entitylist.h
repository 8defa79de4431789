/*
 * entitylist.h -- the entities of a text.
 */
#ifndef DISTILBERT_PG_ENTITYLIST_H
#define DISTILBERT_PG_ENTITYLIST_H

#include "pg/run/runtext.h"

/* The entities of a batch's text i, palloc'd; their labels are the model's. */
extern DbertEntity *distil_find_entities(const DbertBatch *batch, int i,
										 DbertAggregation aggregation, float min_score, int *count);

/* The label of a tag's entities, "PER" of "B-PER"; NULL: of none. */
extern const char *distil_entity_label(const char *tag);

/* The strategy that an argument names; raises where there is no such one. */
extern DbertAggregation distil_aggregation_of(const text *arg);

#endif
