/*
 * entitylist.h -- the entities of a text; labels of models.
 */
#ifndef DISTILBERT_PG_ENTITYLIST_H
#define DISTILBERT_PG_ENTITYLIST_H

#include "pg/run/runtext.h"

/* The entities of a batch's text i, palloc'd; their labels are the model's. */
extern DbertEntity *distil_find_entities(const DbertBatch *batch, int i,
										 DbertAggregation aggregation, float min_score, int *count);

/* The label of a tag's entities, "PER" of "B-PER"; NULL: of none. */
extern const char *distil_entity_label(const char *tag);

/*
 * labels [n_labels of the model]: its labels, each once; of a model of entities
 * their types.  Returns how many.
 */
extern int	distil_model_labels(const DistilModel *model, const char **labels);

/* Is the server's text s the label, which is the core's? */
extern bool distil_same_label(const char *label, const char *s, size_t len);

/*
 * Does a model with tags have entities of this label, which is the server's
 * text?
 */
extern bool distil_has_entity_label(const DistilModel *model, const char *label, size_t len);

/* Raise: the model has no such label; tells which ones it has. */
pg_noreturn extern void distil_raise_no_label(const DistilModel *model, const char *label,
											  size_t len);

/*
 * The number of a sequence model's label, which is the server's text; raises if
 * there is none.
 */
extern int	distil_label_number(const DistilModel *model, const char *label, size_t len);

/* Its score for a batch's text i, as distil_scores tells it. */
extern float distil_label_score(const DistilModel *model, const DbertBatch *batch, int i,
								int label);

#endif
