/*
 * softloss.h -- the divergence of answers from a teacher's, computed in double.
 *
 * x are the student's logits, y the teacher's, T the temperature.  The loss is
 * T^2 sum q (log q - log p) (Kullback and Leibler's divergence); x becomes
 * share times its derivative, T (p - q), when differentiate is set.
 *
 * Source: Hinton, Vinyals and Dean 2015 (arXiv:1503.02531).
 */
#ifndef DBERT_TRAIN_SOFTLOSS_H
#define DBERT_TRAIN_SOFTLOSS_H

#include <stdbool.h>

/* One of n classes: p = softmax(x / T), q = softmax(y / T). */
extern double dbert_soft_classes(float *x, const float *y, int n, double temperature, double share,
								 bool differentiate);

/* n labels, each there or not: p = sigmoid(x / T) and its opposite. */
extern double dbert_soft_labels(float *x, const float *y, int n, double temperature, double share,
								bool differentiate);

#endif
