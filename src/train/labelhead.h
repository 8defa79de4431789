/*
 * labelhead.h -- heads that give a row of logits, one for each label, for each
 * row that they read.
 */
#ifndef DBERT_TRAIN_LABELHEAD_H
#define DBERT_TRAIN_LABELHEAD_H

#include "base/layout.h"
#include "train/plan.h"

extern void dbert_labelhead_place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows);

/*
 * acts.logits[rows, n_labels] from input[rows, C], the rows that the head reads
 * (pass->head).
 */
extern DbertStatus dbert_labelhead_forward(const DbertPass *pass, const float *input);

/*
 * Gradients, and dx[rows, C] from the derivative in acts.logits unless the
 * layers do not learn; dx may lie in input's memory, not in acts.t.
 */
extern DbertStatus dbert_labelhead_backward(const DbertPass *pass, const float *input, float *dx);

#endif
