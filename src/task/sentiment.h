/*
 * sentiment.h -- one number from -1 to 1 of labels that have such a meaning.
 */
#ifndef DBERT_TASK_SENTIMENT_H
#define DBERT_TASK_SENTIMENT_H

#include "model/pack.h"

/*
 * Sentiment: P(positive) - P(negative), -1 .. 1.  The labels may be
 * negative/positive with or without neutral (any case, also NEG/POS/NEU), or
 * "1 star" .. "5 stars" (score: the expected star, mapped to -1 .. 1).
 * dbert_model_has_sentiment tells whether the model's labels are such.
 */
extern bool dbert_model_has_sentiment(const DbertModel *model);
extern float dbert_sentiment(const DbertModel *model, const float *logits);

/* The same question while a model is being loaded. */
extern bool dbert_labels_have_sentiment(const char *const *labels, int n_labels);

#endif
