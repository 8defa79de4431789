/*
 * distancebias.h -- biases of scores by the distance of tokens, spread from the
 * model's table once for a run: a row for each head.
 */
#ifndef DBERT_NN_DISTANCEBIAS_H
#define DBERT_NN_DISTANCEBIAS_H

#include "nn/run.h"

/* Floats for texts of up to max_len tokens; 0: the model has no biases. */
extern size_t dbert_bias_floats(const DbertConfig *config, size_t max_len);

/* Fills scratch.bias, if the model has biases. */
extern DbertStatus dbert_bias_fill(const DbertRun *run);

/* For DbertScoring.bias of a head; NULL: none. */
extern const float *dbert_bias_of_head(const DbertRun *run, int head);

#endif
