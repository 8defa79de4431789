/*
 * topk.h -- the k largest of many numbers.
 */
#ifndef DBERT_BASE_TOPK_H
#define DBERT_BASE_TOPK_H

#include <stdbool.h>

/*
 * top = the indices of the min(k, n) largest of scores[n], best first, of equal
 * ones the lower index first; returns how many.  With a NaN among the scores
 * the order is not promised, but no index is there twice.
 */
extern int	dbert_top_k(const float *scores, int n, int k, int *top);

#endif
