/*
 * pair.h -- scores of pairs of texts: zero-shot classification, reranking.
 */
#ifndef DBERT_TASK_PAIR_H
#define DBERT_TASK_PAIR_H

#include "model/pack.h"

/*
 * The label that says that the first text entails the second; -1: the model has
 * none.
 */
extern int	dbert_entailment_label(const DbertModel *model);

/*
 * scores[n] of n hypotheses about one text, from the logits[n, n_labels] of the
 * pairs; the model has an entailment label.  They sum up to 1, unless
 * multi_label (or n = 1): then each is a probability by itself.
 */
extern void dbert_zero_shot_scores(const DbertModel *model, const float *logits, int n,
								   bool multi_label, float *scores);

/*
 * scores[n] of n labels, from the cosines of their vectors with a text's; they
 * sum up to 1.
 */
extern void dbert_zero_shot_by_cosines(const float *cosines, int n, float *scores);

/*
 * How well a document fits a query, by a model with one label; and 1 - score.
 */
extern float dbert_rerank_score(const DbertModel *model, const float *logits);
extern float dbert_rerank_distance(const DbertModel *model, const float *logits);

#endif
