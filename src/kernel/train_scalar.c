/*
 * train_scalar.c -- the definition of what training needs beside the kernels of
 * answers, in loops that compilers make vectors of.
 *
 * Source: the derivatives of softmax, GELU and its tanh form, written out at
 * each function.
 */
#include "kernel/kernel_scalar.h"

#include "model/config.h"

#include <math.h>

static void
softmax_rows(float *x, int m, int n)
{
	for (int i = 0; i < m; i++, x += n)
	{
		float		max = x[0];
		double		sum = 0;
		float		share;

		for (int j = 1; j < n; j++)
			max = x[j] > max ? x[j] : max;
		for (int j = 0; j < n; j++)
			x[j] = dbert_exp_negative(x[j] - max);
		for (int j = 0; j < n; j++)
			sum += x[j];
		share = (float) (1 / sum);
		for (int j = 0; j < n; j++)
			x[j] *= share;
	}
}

static void
softmax_backward_rows(float *d, const float *p, int m, int n)
{
	for (int i = 0; i < m; i++, d += n, p += n)
	{
		double		dot = 0;

		for (int j = 0; j < n; j++)
			dot += (double) d[j] * p[j];
		for (int j = 0; j < n; j++)
			d[j] = (float) (p[j] * (d[j] - dot));
	}
}

/* y = x Phi(x): Phi(x) + x phi(x), where Phi(x) is y / x but around 0 */
static void
gelu_backward(float *dx, const float *x, const float *y, const float *dy, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		bool		small = x[i] < 1e-3f && x[i] > -1e-3f;
		float		phi = 0.39894228f * dbert_exp_negative(-0.5f * x[i] * x[i]),
					near = 0.5f + 0.39894228f * x[i],
					far = y[i] / (small ? 1 : x[i]);

		dx[i] = dy[i] * ((small ? near : far) + x[i] * phi);
	}
}

/* x (1 + tanh(u)) / 2, u = c (x + 0.044715 x^3): (1 + tanh u) / 2 + x (1 - tanh^2 u) u' / 2 */
static void
gelu_tanh_backward(float *dx, const float *x, const float *dy, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		float		square = x[i] * x[i],
					t = tanhf(0.79788456f * x[i] * (1 + 0.044715f * square));

		dx[i] = dy[i] * (0.5f * (1 + t) + 0.5f * x[i] * (1 - t * t) * 0.79788456f * (1 + 3 * 0.044715f * square));
	}
}

static void
activate_backward(float *dx, const float *x, const float *y, const float *dy, size_t count, int act)
{
	switch (act)
	{
		case DBERT_ACT_GELU:
			gelu_backward(dx, x, y, dy, count);
			break;
		case DBERT_ACT_GELU_TANH:
			gelu_tanh_backward(dx, x, dy, count);
			break;
		case DBERT_ACT_RELU:
			for (size_t i = 0; i < count; i++)
				dx[i] = x[i] > 0 ? dy[i] : 0;
			break;
		case DBERT_ACT_TANH:
			for (size_t i = 0; i < count; i++)
				dx[i] = dy[i] * (1 - y[i] * y[i]);
			break;
	}
}

const DbertTrainKernels dbert_train_scalar = {softmax_rows, softmax_backward_rows, activate_backward};
