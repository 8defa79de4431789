/*
 * train_scalar.c -- the definition of training's kernels, in plain loops.
 *
 * Sums are kept in double and rounded once, as in kernel_scalar.c.  Packed
 * operands are rows of k numbers, which OpenBLAS takes, too.
 */
#include "kernel/train_scalar.h"

#include "kernel/kernel_scalar.h"
#include "kernel/act.h"

#include <math.h>
#include <string.h>

/* ---- products ---- */

void
dbert_train_pack__rows(float *dst, const float *src, size_t ld, bool across, int lanes, int k)
{
	const size_t lane = across ? 1 : ld,
				step = across ? ld : 1;

	for (int j = 0; j < lanes; j++)
		for (int p = 0; p < k; p++)
			*dst++ = src[j * lane + p * step];
}

void
dbert_train_sum__rows(float *sum, const float *left, int lanes, int k, bool add)
{
	for (int j = 0; j < lanes; j++)
	{
		double		s = add ? sum[j] : 0;

		for (int p = 0; p < k; p++)
			s += *left++;
		sum[j] = (float) s;
	}
}

static void
multiply(float *c, size_t ldc, const float *left, const float *right, const float *bias, bool add,
		 int m, int n, int k)
{
	for (int i = 0; i < m; i++)
		for (int j = 0; j < n; j++)
		{
			float	   *out = c + i * ldc + j;
			double		sum = (bias != NULL ? bias[j] : 0) + (double) (add ? *out : 0);

			for (int p = 0; p < k; p++)
				sum += (double) left[(size_t) i * k + p] * right[(size_t) j * k + p];
			*out = (float) sum;
		}
}

/* ---- activations ---- */

void
dbert_train_activate__scalar(float *y, const float *x, size_t count, int act)
{
	if (y != x)
		memcpy(y, x, count * sizeof(float));
	dbert_f32_activate__scalar(y, count, act);
}

/* y = x Phi(x): Phi(x) + x phi(x) */
static float
gelu_slope(float x)
{
	return 0.5f * erfcf(x * -0.70710678f) + x * 0.39894228f * expf(-0.5f * x * x);
}

/*
 * x (1 + tanh(u)) / 2, u = c (x + 0.044715 x^3): (1 + tanh u) / 2 + x (1 -
 * tanh^2 u) u' / 2
 */
static float
gelu_tanh_slope(float x)
{
	float		square = x * x,
				t = tanhf(0.79788456f * x * (1 + 0.044715f * square));

	return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * 0.79788456f * (1 + 3 * 0.044715f * square);
}

static float
silu_slope(float x, float y)
{
	float		s = 1 / (1 + expf(-x));

	return s + y * (1 - s);
}

void
dbert_train_activate_backward__scalar(float *dx, const float *x, const float *y, const float *dy,
									  size_t count, int act)
{
	for (size_t i = 0; i < count; i++)
		switch (act)
		{
			case DBERT_ACT_GELU:
				dx[i] = dy[i] * gelu_slope(x[i]);
				break;
			case DBERT_ACT_GELU_TANH:
				dx[i] = dy[i] * gelu_tanh_slope(x[i]);
				break;
			case DBERT_ACT_RELU:
				dx[i] = x[i] > 0 ? dy[i] : 0;
				break;
			case DBERT_ACT_TANH:
				dx[i] = dy[i] * (1 - y[i] * y[i]);
				break;
			case DBERT_ACT_SILU:
				dx[i] = dy[i] * silu_slope(x[i], y[i]);
				break;
		}
}

/* ---- dropout, norms ---- */

static float
factor(const DbertDropRow *drop, int j)
{
	return drop != NULL ? dbert_drop_factor(drop, (uint32_t) j) : 1;
}

void
dbert_train_dropout__scalar(float *y, const float *x, int n, const DbertDropRow *drop)
{
	for (int j = 0; j < n; j++)
		y[j] = x[j] * factor(drop, j);
}

float
dbert_train_norm__scalar(float *xhat, float *y, const float *x, const float *r,
						 const DbertDropRow *drop, const float *gamma, const float *beta, int n,
						 float eps)
{
	double		sum = 0,
				square = 0;
	float		mean,
				rstd;

	for (int j = 0; j < n; j++)
		sum += xhat[j] = x[j] * factor(drop, j) + (r != NULL ? r[j] : 0);
	mean = (float) (sum / n);
	for (int j = 0; j < n; j++)
		square += (double) (xhat[j] - mean) * (xhat[j] - mean);
	rstd = (float) (1 / sqrt(square / n + eps));
	for (int j = 0; j < n; j++)
	{
		xhat[j] = (xhat[j] - mean) * rstd;
		y[j] = xhat[j] * gamma[j] + (beta != NULL ? beta[j] : 0);
	}
	return rstd;
}

/*
 * of xhat = (s - mean(s)) rstd(s), y = xhat gamma + beta: with h = dy gamma,
 * ds = rstd (h - mean(h) - xhat mean(h xhat))
 */
void
dbert_train_norm_backward__scalar(float *ds, float *dx, const float *xhat, float rstd,
								  const float *dy, const DbertDropRow *drop, const float *gamma,
								  int n)
{
	double		sum = 0,
				dot = 0;

	for (int j = 0; j < n; j++)
	{
		sum += (double) dy[j] * gamma[j];
		dot += (double) dy[j] * gamma[j] * xhat[j];
	}
	sum /= n;
	dot /= n;
	for (int j = 0; j < n; j++)
	{
		ds[j] = (float) (rstd * ((double) dy[j] * gamma[j] - sum - xhat[j] * dot));
		if (dx != NULL)
			dx[j] = ds[j] * factor(drop, j);
	}
}

/* ---- softmax ---- */

void
dbert_train_softmax__scalar(float *p, float *dropped, int n, float scale, const DbertDropRow *drop)
{
	for (int j = 0; j < n; j++)
		p[j] *= scale;
	dbert_f32_softmax_rows__scalar(p, n, 1, n);
	for (int j = 0; drop != NULL && j < n; j++)
		dropped[j] = p[j] * factor(drop, j);
}

/*
 * of p = softmax(scale x), dropped = p mask: with dp = ddropped mask, dx =
 * scale p (dp - sum(dp p))
 */
void
dbert_train_softmax_backward__scalar(float *dp, const float *p, int n, float scale,
									 const DbertDropRow *drop)
{
	double		dot = 0;

	for (int j = 0; j < n; j++)
	{
		dp[j] *= factor(drop, j);
		dot += (double) dp[j] * p[j];
	}
	for (int j = 0; j < n; j++)
		dp[j] = (float) (scale * p[j] * (dp[j] - dot));
}

/* ---- sums, the optimizer ---- */

void
dbert_train_sum_columns__scalar(float *sum, float *dot, const float *x, const float *y, size_t ld,
								int m, int n)
{
	for (int j = 0; j < n; j++)
	{
		double		s = 0,
					d = 0;

		for (int i = 0; i < m; i++)
		{
			s += x[i * ld + j];
			d += dot != NULL ? (double) x[i * ld + j] * y[i * ld + j] : 0;
		}
		if (sum != NULL)
			sum[j] = (float) s;
		if (dot != NULL)
			dot[j] = (float) d;
	}
}

double
dbert_train_sum_squares__scalar(const float *x, size_t count)
{
	double		sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += (double) x[i] * x[i];
	return sum;
}

/*
 * m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= rate (m' / (sqrt(v') +
 * eps) + decay w)
 */
void
dbert_train_adamw__scalar(float *w, const float *g, float *mean, float *square, size_t count,
						  const DbertAdamW *step)
{
	for (size_t i = 0; i < count; i++)
	{
		float		gradient = g[i] * step->clip;

		mean[i] = step->beta1 * mean[i] + (1 - step->beta1) * gradient;
		square[i] = step->beta2 * square[i] + (1 - step->beta2) * gradient * gradient;
		w[i] = w[i] * step->shrink -
			   step->rate * mean[i] / (sqrtf(square[i]) * step->root + step->eps);
	}
}

const DbertTrainKernels dbert_train_scalar = {
	.multiply = multiply,
	DBERT_TRAIN_SCALAR
};
