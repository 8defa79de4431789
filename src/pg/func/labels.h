/*
 * labels.h -- the labels of a model, and what a text scores for them.
 *
 * The core's labels are UTF-8; those that users name are in the server's
 * encoding.
 */
#ifndef DISTILBERT_PG_LABELS_H
#define DISTILBERT_PG_LABELS_H

#include "pg/bridge/compat.h"
#include "pg/run/runtext.h"

/* ---- names ---- */

/* The core's label as a value of the server. */
extern text *distil_label_text(const char *label);

/*
 * labels [n_labels of the model]: its labels, each once; of a model of entities
 * their types.  Returns how many.
 */
extern int	distil_model_labels(const DistilModel *model, const char **labels);

/* Labels [n], or the first of many, for a message. */
extern const char *distil_label_list(const char *const *labels, int n);

/*
 * The number of a sequence model's label, which is the server's text; raises if
 * there is none.
 */
extern int	distil_label_number(const DistilModel *model, const char *label, size_t len);

/*
 * Does a model with tags have entities of this label, which is the server's
 * text?
 */
extern bool distil_has_entity_label(const DistilModel *model, const char *label, size_t len);

/* Raise: the model has no such label; tells which ones it has. */
pg_noreturn extern void distil_raise_no_label(const DistilModel *model, const char *label,
											  size_t len);

/* ---- answers: a sequence model's, to a batch's text i ---- */

/* The number of the best label. */
extern int	distil_top_label(const DistilModel *model, const DbertBatch *batch, int i);

/* The scores of all labels, as distil_scores tells them; palloc'd. */
extern float *distil_label_scores(const DistilModel *model, const DbertBatch *batch, int i);

/* The score of one of them. */
extern float distil_label_score(const DistilModel *model, const DbertBatch *batch, int i,
								int label);

#endif
