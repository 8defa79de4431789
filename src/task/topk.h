/*
 * topk.h -- the k largest of many numbers.
 */
#ifndef DBERT_TASK_TOPK_H
#define DBERT_TASK_TOPK_H

#include <stdbool.h>

/*
 * top = the indices of the min(k, n) largest of scores[n], best first, of equal
 * ones the lower index first; returns how many.  scores has no NaN.
 */
extern int	dbert_top_k(const float *scores, int n, int k, int *top);

#endif
