/*
 * sgemm.h -- general products of fp32 matrices, for training: both factors
 * change from step to step, so nothing is packed beforehand.
 */
#ifndef DBERT_KERNEL_SGEMM_H
#define DBERT_KERNEL_SGEMM_H

#include "base/status.h"

#include <stdbool.h>

/*
 * c[M,N] = alpha op(a) op(b) + beta c, row-major, rows lda, ldb, ldc floats
 * apart; op transposes where ta or tb says so: a is [M,K] or [K,M], b is [K,N]
 * or [N,K].  c aliases nothing, and is not read when beta is 0.
 */
typedef void (*DbertSgemm) (bool ta, bool tb, int m, int n, int k,
							float alpha, const float *a, size_t lda,
							const float *b, size_t ldb,
							float beta, float *c, size_t ldc);

/* The definition, and what runs where OpenBLAS is not installed. */
extern void dbert_f32_sgemm__scalar(bool ta, bool tb, int m, int n, int k,
									float alpha, const float *a, size_t lda,
									const float *b, size_t ldb,
									float beta, float *c, size_t ldc);

/* Only after dbert_openblas_load has succeeded; leading dimensions below INT_MAX. */
extern void dbert_f32_sgemm__openblas(bool ta, bool tb, int m, int n, int k,
									  float alpha, const float *a, size_t lda,
									  const float *b, size_t ldb,
									  float beta, float *c, size_t ldc);

/* OpenBLAS, loaded now if need be (with one thread), or the portable one. */
extern DbertSgemm dbert_sgemm_choose(void);

#endif
