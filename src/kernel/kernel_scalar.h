/*
 * kernel_scalar.h -- entries of the scalar table that other tables share.
 *
 * The contracts are those of DbertKernels (kernel.h).
 */
#ifndef DBERT_KERNEL_SCALAR_H
#define DBERT_KERNEL_SCALAR_H

#include "kernel/kernel.h"

/* The layout "f32-rowmajor": a weight as PyTorch stores it. */
extern size_t dbert_f32_packed_size__rowmajor(int n, int k);
extern void dbert_f32_pack__rowmajor(float *dst, const float *w, int n, int k);

extern void dbert_f32_softmax_rows__scalar(float *x, size_t ldx, int m, int n);
extern void dbert_f32_layer_norm_rows__scalar(float *y, const float *x, const float *r,
											  const float *gamma, const float *beta,
											  int m, int n, float eps);
extern void dbert_f32_rms_norm_rows__scalar(float *y, const float *x, const float *gamma,
											int m, int n, float eps);
extern void dbert_f32_gate_rows__scalar(float *y, const float *a, const float *b, size_t ld,
										int m, int n, int act);
extern void dbert_f32_activate__scalar(float *x, size_t count, int act);

#endif
