/*
 * train_template.h -- what training does row by row, and the optimizer, written
 * once over a vec_*.h and an ivec_*.h; train_scalar.c is the definition.
 */
#ifndef DBERT_KERNEL_TRAIN_TEMPLATE_H
#define DBERT_KERNEL_TRAIN_TEMPLATE_H

#include "kernel/product_template.h"

#include "kernel/trainkernels.h"

/* ---- activations ---- */

/* Phi(x) + x phi(x); Phi as 1/2 and the rest with the sign of x */
static inline Vec
v_gelu_slope(Vec x)
{
	Vec			bell,
				q = v_normal_tail(v_min(v_set(13), v_abs(x)), &bell);
	Vec			phi = v_add(v_set(0.5f), v_with_sign(v_max(v_zero(), v_sub(v_set(0.5f), q)), x));

	return v_fma(v_mul(x, v_set(0.39894228f)), bell, phi);
}

/* of x s, s = 1 / (1 + e), e = e^-2u: s + x s^2 e 2 u' */
static inline Vec
v_gelu_tanh_slope(Vec x)
{
	Vec			square = v_mul(x, x),
				u2 = v_mul(v_mul(x, v_set(1.5957691f)), v_fma(square, v_set(0.044715f), v_set(1))),
				e = v_exp(v_min(v_set(80), v_sub(v_zero(), u2))),
				s = v_div(v_set(1), v_add(v_set(1), e)),
				rise = v_mul(v_set(1.5957691f), v_fma(square, v_set(3 * 0.044715f), v_set(1)));

	return v_fma(v_mul(v_mul(x, rise), s), v_mul(s, e), s);
}

/* of y = x s, s = 1 / (1 + e^-x): s + y (1 - s) */
static inline Vec
v_silu_slope(Vec x, Vec y)
{
	Vec			s = v_div(v_set(1), v_add(v_set(1), v_exp(v_sub(v_zero(), x))));

	return v_fma(y, v_sub(v_set(1), s), s);
}

/* The slope at x, where y is the value. */
static inline __attribute__((always_inline)) Vec
v_slope(Vec x, Vec y, const int act)
{
	switch (act)
	{
		case DBERT_ACT_GELU:
			return v_gelu_slope(x);
		case DBERT_ACT_GELU_TANH:
			return v_gelu_tanh_slope(x);
		case DBERT_ACT_RELU:
			return v_keep(v_positive(x), v_set(1));
		case DBERT_ACT_SILU:
			return v_silu_slope(x, y);
		default:
			return v_fnma(y, y, v_set(1));
	}
}

static inline __attribute__((always_inline)) void
slopes(float *dx, const float *x, const float *y, const float *dy, size_t count, const int act)
{
	for (size_t i = 0; i < count; i += VL)
	{
		int			n = count - i < VL ? (int) (count - i) : VL;
		Vec slope = v_slope(load_filled(x + i, n, v_zero()), load_filled(y + i, n, v_zero()), act);

		store_first(dx + i, n, v_mul(load_filled(dy + i, n, v_zero()), slope));
	}
}

static void
activate_backward(float *dx, const float *x, const float *y, const float *dy, size_t count, int act)
{
	switch (act)
	{
		case DBERT_ACT_GELU:
			slopes(dx, x, y, dy, count, DBERT_ACT_GELU);
			break;
		case DBERT_ACT_GELU_TANH:
			slopes(dx, x, y, dy, count, DBERT_ACT_GELU_TANH);
			break;
		case DBERT_ACT_RELU:
			slopes(dx, x, y, dy, count, DBERT_ACT_RELU);
			break;
		case DBERT_ACT_TANH:
			slopes(dx, x, y, dy, count, DBERT_ACT_TANH);
			break;
		case DBERT_ACT_SILU:
			slopes(dx, x, y, dy, count, DBERT_ACT_SILU);
			break;
	}
}

/* ---- dropout, norms ---- */

/*
 * a dropped out, its lanes being the row's elements from j on; see
 * dbert_drop_factor
 */
static inline Vec
v_drop(Vec a, int j, const DbertDropRow *drop)
{
	IVec		x;

	if (drop == NULL)
		return a;
	x = i_count(drop->start + (uint32_t) j);
	x = i_xor(i_mul(i_xor(x, i_shift_right(x, 16)), i_set((int32_t) DBERT_DROP_MULTIPLIER1)),
			  i_set((int32_t) drop->mix));
	x = i_mul(i_xor(x, i_shift_right(x, 15)), i_set((int32_t) DBERT_DROP_MULTIPLIER2));
	a = v_mul(a, v_set(drop->scale));
	return v_select(i_less(i_shift_right(x, 1), i_set((int32_t) drop->threshold)), v_zero(), a);
}

static void
dropout_row(float *y, const float *x, int n, const DbertDropRow *drop)
{
	for (int j = 0; j < n; j += VL)
		store_first(y + j, n - j, v_drop(load_filled(x + j, n - j, v_zero()), j, drop));
}

static float
norm_row(float *xhat, float *y, const float *x, const float *r, const DbertDropRow *drop,
		 const float *gamma, const float *beta, int n, float eps)
{
	Vec			sum = v_zero(),
				square = v_zero(),
				mean;
	float		rstd;

	for (int j = 0; j < n; j += VL)
	{
		Vec			s = v_drop(load_filled(x + j, n - j, v_zero()), j, drop);

		if (r != NULL)
			s = v_add(s, load_filled(r + j, n - j, v_zero()));
		store_first(xhat + j, n - j, s);
		sum = v_add(sum, s);
	}
	mean = v_set(v_sum(sum) / (float) n);
	for (int j = 0; j < n; j += VL)
	{
		Vec			s = v_sub(load_filled(xhat + j, n - j, mean), mean);

		square = v_fma(s, s, square);
	}
	rstd = 1 / sqrtf(v_sum(square) / (float) n + eps);
	for (int j = 0; j < n; j += VL)
	{
		Vec			s = v_mul(v_sub(load_filled(xhat + j, n - j, mean), mean), v_set(rstd));

		store_first(xhat + j, n - j, s);
		scale_and_shift(y + j, s, gamma + j, beta != NULL ? beta + j : NULL, n - j);
	}
	return rstd;
}

static void
norm_backward_row(float *ds, float *dx, const float *xhat, float rstd, const float *dy,
				  const DbertDropRow *drop, const float *gamma, int n)
{
	Vec			sum = v_zero(),
				dot = v_zero();

	for (int j = 0; j < n; j += VL)
	{
		Vec h =
			v_mul(load_filled(dy + j, n - j, v_zero()), load_filled(gamma + j, n - j, v_zero()));

		sum = v_add(sum, h);
		dot = v_fma(h, load_filled(xhat + j, n - j, v_zero()), dot);
	}
	sum = v_set(v_sum(sum) / (float) n);
	dot = v_set(v_sum(dot) / (float) n);
	for (int j = 0; j < n; j += VL)
	{
		Vec h =
			v_mul(load_filled(dy + j, n - j, v_zero()), load_filled(gamma + j, n - j, v_zero()));
		Vec			s = v_fnma(load_filled(xhat + j, n - j, v_zero()), dot, v_sub(h, sum));

		s = v_mul(s, v_set(rstd));
		store_first(ds + j, n - j, s);
		if (dx != NULL)
			store_first(dx + j, n - j, v_drop(s, j, drop));
	}
}

/* ---- softmax ---- */

static void
softmax_row(float *p, float *dropped, int n, float scale, const DbertDropRow *drop)
{
	Vec			share = v_set(1 / exponentials(p, n, scale));

	for (int j = 0; j < n; j += VL)
	{
		Vec			a = v_mul(load_filled(p + j, n - j, v_zero()), share);

		store_first(p + j, n - j, a);
		if (drop != NULL)
			store_first(dropped + j, n - j, v_drop(a, j, drop));
	}
}

static void
softmax_backward_row(float *dp, const float *p, int n, float scale, const DbertDropRow *drop)
{
	Vec			dot = v_zero();

	for (int j = 0; j < n; j += VL)
	{
		Vec			a = v_drop(load_filled(dp + j, n - j, v_zero()), j, drop);

		store_first(dp + j, n - j, a);
		dot = v_fma(a, load_filled(p + j, n - j, v_zero()), dot);
	}
	dot = v_set(v_sum(dot));
	for (int j = 0; j < n; j += VL)
	{
		Vec			a = v_sub(load_filled(dp + j, n - j, v_zero()), dot);

		a = v_mul(v_mul(load_filled(p + j, n - j, v_zero()), v_set(scale)), a);
		store_first(dp + j, n - j, a);
	}
}

/* ---- sums ---- */

#define SUM_ROWS 32				/* that are summed before they are added to the whole */

/* sum += x and dot += x y, n of each */
static inline void
add_products(float *sum, float *dot, const float *x, const float *y, int n)
{
	for (int j = 0; j < n; j += VL)
	{
		Vec			a = load_filled(x + j, n - j, v_zero());

		v_store(sum + j, v_add(v_load(sum + j), a));
		if (dot != NULL)
			v_store(dot + j, v_fma(a, load_filled(y + j, n - j, v_zero()), v_load(dot + j)));
	}
}

static void
sum_columns(float *sum, float *dot, const float *x, const float *y, size_t ld, int m, int n)
{
	float		some[2][DBERT_SUM_COLUMNS];
	float		whole[2][DBERT_SUM_COLUMNS] = {{0}};

	for (int i0 = 0; i0 < m; i0 += SUM_ROWS)
	{
		memset(some, 0, sizeof(some));
		for (int i = i0; i < m && i < i0 + SUM_ROWS; i++)
			add_products(some[0], dot != NULL ? some[1] : NULL, x + i * ld,
						 dot != NULL ? y + i * ld : NULL, n);
		for (int j = 0; j < n; j++)
		{
			whole[0][j] += some[0][j];
			whole[1][j] += some[1][j];
		}
	}
	if (sum != NULL)
		memcpy(sum, whole[0], n * sizeof(float));
	if (dot != NULL)
		memcpy(dot, whole[1], n * sizeof(float));
}

static double
sum_squares(const float *x, size_t count)
{
	Vec			sums[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
	size_t		i = 0;

	for (; i + 4 * VL <= count; i += 4 * VL)
		UNROLL
		for (int s = 0; s < 4; s++)
		{
			Vec			a = v_load(x + i + s * VL);

			sums[s] = v_fma(a, a, sums[s]);
		}
	for (; i < count; i += VL)
	{
		Vec			a = load_filled(x + i, count - i < VL ? (int) (count - i) : VL, v_zero());

		sums[0] = v_fma(a, a, sums[0]);
	}
	return (double) v_sum(sums[0]) + v_sum(sums[1]) + v_sum(sums[2]) + v_sum(sums[3]);
}

/* ---- the optimizer ---- */

static void
adamw(float *w, const float *g, float *mean, float *square, size_t count, const DbertAdamW *step)
{
	for (size_t i = 0; i < count; i += VL)
	{
		int			n = count - i < VL ? (int) (count - i) : VL;
		Vec			gradient = v_mul(load_filled(g + i, n, v_zero()), v_set(step->clip)),
					m = v_mul(load_filled(mean + i, n, v_zero()), v_set(step->beta1)),
					v = v_mul(load_filled(square + i, n, v_zero()), v_set(step->beta2)),
					move;

		m = v_fma(gradient, v_set(1 - step->beta1), m);
		v = v_fma(v_mul(gradient, gradient), v_set(1 - step->beta2), v);
		move = v_div(v_mul(m, v_set(step->rate)),
					 v_fma(v_sqrt(v), v_set(step->root), v_set(step->eps)));
		store_first(mean + i, n, m);
		store_first(square + i, n, v);
		store_first(w + i, n,
					v_sub(v_mul(load_filled(w + i, n, v_zero()), v_set(step->shrink)), move));
	}
}

static void
activate(float *y, const float *x, size_t count, int act)
{
	activate_rows(y, x, count, 1, count, act);
}

static const DbertTrainKernels train_kernels = {
	.left_lanes = MR,
	.right_lanes = NR,
	.pack_left = pack_left,
	.pack_right = pack_right,
	.sum_left = sum_left,
	.multiply = multiply_packed,
	.activate = activate,
	.activate_backward = activate_backward,
	.dropout = dropout_row,
	.norm = norm_row,
	.norm_backward = norm_backward_row,
	.softmax = softmax_row,
	.softmax_backward = softmax_backward_row,
	.sum_columns = sum_columns,
	.sum_squares = sum_squares,
	.adamw = adamw,
};

#endif
