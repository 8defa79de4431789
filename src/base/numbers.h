/*
 * numbers.h -- a few functions of many numbers.
 *
 * Sums are kept in double, in the order of the numbers: a result's bits depend
 * on nothing else.
 */
#ifndef DBERT_BASE_NUMBERS_H
#define DBERT_BASE_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>

/* out[n] = softmax(x[n]); out may be x. */
extern void dbert_softmax(const float *x, int n, float *out);

/* log of the sum of exp(x[n]) */
extern double dbert_log_sum_exp(const float *x, int n);

/* 1 / (1 + exp(-x)) */
extern double dbert_logistic(double x);

/*
 * i of the largest of x[i step], i from 0 to n - 1; of equals the first.
 */
extern int	dbert_best_of(const float *x, int n, size_t step);

/*
 * Scale x[n] to length 1; zeros stay zeros, as in
 * torch.nn.functional.normalize.
 */
extern void dbert_normalize(float *x, int n);

/* Is none of x[n] NaN or infinity? */
extern bool dbert_all_finite(const float *x, size_t n);

#endif
