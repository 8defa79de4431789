/*
 * prenorm.h -- layers whose norms come first: x + f(norm(x)), with rotary
 * positions, local attention and a gate.
 */
#ifndef DBERT_TRAIN_PRENORM_H
#define DBERT_TRAIN_PRENORM_H

#include "base/layout.h"
#include "train/plan.h"

/* The arrays that such models alone have, and what stands in them for good. */
extern void dbert_prenorm_place(const DbertTrainer *t, DbertLayout *l, DbertActs *a);
extern void dbert_prenorm_fill(DbertTrainer *t);

extern DbertStatus dbert_prenorm_layer_forward(const DbertPass *pass, int layer);

/* dx, the derivative by the layer's output, becomes that by its input. */
extern DbertStatus dbert_prenorm_layer_backward(const DbertPass *pass, int layer, float *dx);

/* The norm behind the last layer: acts.hidden, and back. */
extern DbertStatus dbert_prenorm_end_forward(const DbertPass *pass);
extern DbertStatus dbert_prenorm_end_backward(const DbertPass *pass, float *dx);

#endif
