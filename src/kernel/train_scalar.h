/*
 * train_scalar.h -- the entries of train_scalar.c that OpenBLAS's table shares.
 */
#ifndef DBERT_KERNEL_TRAIN_SCALAR_H
#define DBERT_KERNEL_TRAIN_SCALAR_H

#include "kernel/trainkernels.h"

extern void dbert_train_pack__rows(float *dst, const float *src, size_t ld, bool across, int lanes,
								   int k);
extern void dbert_train_sum__rows(float *sum, const float *left, int lanes, int k, bool add);
extern void dbert_train_activate__scalar(float *y, const float *x, size_t count, int act);
extern void dbert_train_activate_backward__scalar(float *dx, const float *x, const float *y,
												  const float *dy, size_t count, int act);
extern void dbert_train_dropout__scalar(float *y, const float *x, int n, const DbertDropRow *drop);
extern float dbert_train_norm__scalar(float *xhat, float *y, const float *x, const float *r,
									  const DbertDropRow *drop, const float *gamma,
									  const float *beta, int n, float eps);
extern void dbert_train_norm_backward__scalar(float *ds, float *dx, const float *xhat, float rstd,
											  const float *dy, const DbertDropRow *drop,
											  const float *gamma, int n);
extern void dbert_train_softmax__scalar(float *p, float *dropped, int n, float scale,
										const DbertDropRow *drop);
extern void dbert_train_softmax_backward__scalar(float *dp, const float *p, int n, float scale,
												 const DbertDropRow *drop);
extern void dbert_train_sum_columns__scalar(float *sum, float *dot, const float *x, const float *y,
											size_t ld, int m, int n);
extern double dbert_train_sum_squares__scalar(const float *x, size_t count);
extern void dbert_train_adamw__scalar(float *w, const float *g, float *mean, float *square,
									  size_t count, const DbertAdamW *step);

/* All of a table but multiply. */
#define DBERT_TRAIN_SCALAR \
	.left_lanes = 1, \
	.right_lanes = 1, \
	.pack_left = dbert_train_pack__rows, \
	.pack_right = dbert_train_pack__rows, \
	.sum_left = dbert_train_sum__rows, \
	.activate = dbert_train_activate__scalar, \
	.activate_backward = dbert_train_activate_backward__scalar, \
	.dropout = dbert_train_dropout__scalar, \
	.norm = dbert_train_norm__scalar, \
	.norm_backward = dbert_train_norm_backward__scalar, \
	.softmax = dbert_train_softmax__scalar, \
	.softmax_backward = dbert_train_softmax_backward__scalar, \
	.sum_columns = dbert_train_sum_columns__scalar, \
	.sum_squares = dbert_train_sum_squares__scalar, \
	.adamw = dbert_train_adamw__scalar

#endif
