/*
 * sentiment.h -- one number from -1 to 1 of labels that have such a meaning.
 */
#ifndef DBERT_TASK_SENTIMENT_H
#define DBERT_TASK_SENTIMENT_H

#include "model/pack.h"

/*
 * Sentiment: the mean of the labels' values, -1 .. 1, weighted by their scores;
 * of negative and positive that is P(positive) - P(negative).  The labels may
 * be "1 star" .. "5 stars", or steps in words: negative and positive, with
 * neutral or without, and such poles with a word before them (very, extremely,
 * slightly, ...), each as often on either side.  Any case; a blank, '_', '-' or
 * nothing between the words; also neg, pos and neu.  Values go evenly from -1
 * to 1.  dbert_model_has_sentiment tells whether the model's labels are such.
 */
extern bool dbert_model_has_sentiment(const DbertModel *model);
extern float dbert_sentiment(const DbertModel *model, const float *logits);

/* The same question while a model is being loaded. */
extern bool dbert_labels_have_sentiment(const char *const *labels, int n_labels);

#endif
