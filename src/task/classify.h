/*
 * classify.h -- scores of labels.
 */
#ifndef DBERT_TASK_CLASSIFY_H
#define DBERT_TASK_CLASSIFY_H

#include "model/pack.h"

/*
 * scores[n_labels] by the model's problem; the rule of transformers' pipeline.
 */
extern void dbert_classify_scores(const DbertModel *model, const float *logits, float *scores);

/* Index of the best label. */
extern int	dbert_classify_best(const DbertModel *model, const float *logits);

#endif
