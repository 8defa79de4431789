/*
 * seen.h -- what kernels compute inside others, seen through these: an
 * activation through a product, softmax through attention.
 */
#ifndef DBERT_TEST_SEEN_H
#define DBERT_TEST_SEEN_H

#include "kernel/kernel.h"

#include <stddef.h>

/* 64-byte aligned zeros, to be freed */
extern float *zeros(size_t count);

/* x[n] = act(x): the product of 1 and the weight [n, 1] */
extern void seen_activation(const DbertKernels *kernels, float *x, int n, int act);

/*
 * x[n] = softmax(x): a query that reads the keys' first column, and values that
 * tell the keys apart
 */
extern void seen_softmax(const DbertKernels *kernels, float *x, int n);

#endif
