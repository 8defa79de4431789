/*
 * test_kernel.c -- the scalar table against formulas in double, every other
 * table against the scalar one, and what loading OpenBLAS must not touch.
 */
#include "kernel/kernel_scalar.h"
#include "model/config.h"
#include "test/support/kerneltables.h"
#include "test/support/testhelp.h"

#include <dirent.h>
#define EPS 0x1p-24				/* half an ulp of 1 */
#define MAX_FLOATS 200000
#define GUARD 123456.5f			/* what padding holds */

static float a_buf[MAX_FLOATS],
			b_buf[MAX_FLOATS],
			c_buf[MAX_FLOATS],
			want_buf[MAX_FLOATS],
			bias_buf[1000];

static unsigned seed = 1;

/* uniform in -1 .. 1 */
static float
random_float(void)
{
	seed = seed * 1664525u + 1013904223u;
	return (float) (seed >> 8) / 8388608.0f - 1;
}

static void
fill_random(float *x, size_t count)
{
	for (size_t i = 0; i < count; i++)
		x[i] = random_float();
}

static void
fill_guard(float *x, size_t count)
{
	for (size_t i = 0; i < count; i++)
		x[i] = GUARD;
}

/* ---- what loading must leave alone ---- */

static int
thread_count(void)
{
	DIR		   *dir = opendir("/proc/self/task");
	int			count = 0;

	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
		count += e->d_name[0] != '.';
	if (dir != NULL)
		closedir(dir);
	return count;
}

/* The first test: nothing has loaded OpenBLAS before. */
static void
test_loading_leaves_no_trace(void)
{
	int			threads = thread_count();
	unsigned	control = control_bits();
	volatile double tiny = 1e-310;
	const DbertKernels *kernels;
	DbertError	err = {0};

	setenv("OPENBLAS_NUM_THREADS", "7", 1);
	setenv("OMP_NUM_THREADS", "", 1);
	unsetenv("GOTO_NUM_THREADS");
	if (dbert_kernels_choose("openblas", &kernels, &err) != DBERT_OK)
		SKIP("%s", err.msg);
	CHECK_STR(getenv("OPENBLAS_NUM_THREADS"), "7");
	CHECK_STR(getenv("OMP_NUM_THREADS"), "");
	CHECK(getenv("GOTO_NUM_THREADS") == NULL);

	/* big enough for several threads to pay */
	fill_random(a_buf, 64 * 512);
	fill_random(b_buf, 128 * 512);
	kernels->linear(c_buf, 128, a_buf, 512, b_buf, NULL, 64, 128, 512, DBERT_ACT_NONE);
	CHECK_MSG(thread_count() == threads, "%d threads, %d before", thread_count(), threads);
	CHECK(control_bits() == control);
	CHECK(tiny * 0.5 != 0);		/* neither flush-to-zero nor denormals-are-zero */
}

static void
test_choose(void)
{
	const DbertKernels *kernels = NULL;
	DbertError	err;

	CHECK(dbert_kernels_choose("scalar", &kernels, &err) == DBERT_OK &&
		  kernels == &dbert_kernels_scalar);
	CHECK(dbert_kernels_choose("no such", &kernels, &err) == DBERT_E_UNSUPPORTED);
	CHECK(strstr(err.msg, "no such") != NULL);
	CHECK(dbert_kernels_choose(NULL, &kernels, &err) == DBERT_OK && kernels != NULL);
}

/* ---- the definition against formulas ---- */

static void
test_scalar_products(void)
{
	const DbertKernels *s = &dbert_kernels_scalar;
	const float x[] = {1, 2, 3, 99, 4, 5, 6, 99};	/* [2,3], ldx 4 */
	const float w[] = {1, 0, -1, 2, 1, 0};	/* [2,3] */
	const float b[] = {10, 20};
	float		wp[6];
	float		y[6] = {GUARD, GUARD, GUARD, GUARD, GUARD, GUARD};	/* [2,2], ldy 3 */

	CHECK(s->packed_linear_size(2, 3) == 6);
	s->pack_linear(wp, w, 2, 3);
	s->linear(y, 3, x, 4, wp, b, 2, 2, 3, DBERT_ACT_NONE);
	CHECK(y[0] == 8 && y[1] == 24 && y[3] == 8 && y[4] == 33);
	CHECK(y[2] == GUARD && y[5] == GUARD);
	s->linear(y, 3, x, 4, wp, NULL, 2, 2, 3, DBERT_ACT_NONE);
	CHECK(y[0] == -2 && y[4] == 13);
	s->linear(y, 3, x, 4, wp, NULL, 2, 2, 3, DBERT_ACT_RELU);
	CHECK(y[0] == 0 && y[1] == 4 && y[3] == 0 && y[4] == 13);
}

static void
test_scalar_attention(void)
{
	const float q[] = {2, 0, 99, 0, 0, 99};	/* [2,2], ld 3 */
	const float k[] = {1, 0, 99, 0, 5, 99};
	const float v[] = {8, 16, 99, 4, 32, 99};
	double		p = 1 / (1 + exp(-1));	/* row 0: scores 1 and 0; row 1: both 0 */
	float		out[8] = {GUARD, GUARD, GUARD, GUARD, GUARD, GUARD, GUARD, GUARD};	/* ldo 4 */

	dbert_kernels_scalar.attention(out, 4, q, k, v, 3, 2, 2, 2, &(DbertScoring) {.scale = 0.5f},
								   a_buf);
	CHECK_NEAR(out[0], 8 * p + 4 * (1 - p), 16 * EPS);
	CHECK_NEAR(out[1], 16 * p + 32 * (1 - p), 64 * EPS);
	CHECK(out[4] == 6 && out[5] == 24);
	CHECK(out[2] == GUARD && out[3] == GUARD && out[6] == GUARD && out[7] == GUARD);
}

static void
test_scalar_softmax(void)
{
	float		x[3][5] = {
		{0, 1, 2, GUARD, GUARD},
		{1000, 1000, -1000, GUARD, GUARD},
		{-3e38f, 3e38f, 0, GUARD, GUARD}
	};
	double		sum = 1 + exp(1) + exp(2);

	dbert_f32_softmax_rows__scalar(x[0], 5, 3, 3);
	CHECK_NEAR(x[0][0], 1 / sum, 2 * EPS);
	CHECK_NEAR(x[0][2], exp(2) / sum, 4 * EPS);
	CHECK(x[1][0] == 0.5f && x[1][1] == 0.5f && x[1][2] == 0);
	CHECK(x[2][0] == 0 && x[2][1] == 1 && x[2][2] == 0);
	CHECK(x[0][3] == GUARD && x[2][4] == GUARD);
}

static void
test_scalar_layer_norm(void)
{
	enum
	{
		N = 37
	};
	float		x[N],
				r[N],
				gamma[N],
				beta[N],
				y[N];
	double		mean = 0,
				var = 0;

	/* far from zero: a variance by E[x^2] - E[x]^2 would be lost in float */
	for (int i = 0; i < N; i++)
	{
		x[i] = 1000 + random_float();
		r[i] = random_float();
		gamma[i] = random_float();
		beta[i] = random_float();
		mean += (double) (x[i] + r[i]) / N;
	}
	for (int i = 0; i < N; i++)
		var += (x[i] + r[i] - mean) * (x[i] + r[i] - mean) / N;
	dbert_kernels_scalar.layer_norm_rows(y, x, r, gamma, beta, 1, N, 1e-5f);
	for (int i = 0; i < N; i++)
		CHECK_NEAR(y[i], (x[i] + r[i] - mean) / sqrt(var + 1e-5) * gamma[i] + beta[i], 2e-4);

	/* in place, without residual, a row without variance: beta alone */
	for (int i = 0; i < N; i++)
		x[i] = 7;
	dbert_kernels_scalar.layer_norm_rows(x, x, NULL, gamma, beta, 1, N, 1e-12f);
	CHECK(memcmp(x, beta, sizeof(beta)) == 0);

	/* without a shift */
	dbert_kernels_scalar.layer_norm_rows(y, r, NULL, gamma, NULL, 1, N, 1e-5f);
	dbert_kernels_scalar.layer_norm_rows(x, r, NULL, gamma, beta, 1, N, 1e-5f);
	for (int i = 0; i < N; i++)
		CHECK(x[i] == y[i] + beta[i]);
}

static void
test_scalar_rms_norm(void)
{
	enum
	{
		N = 37
	};
	float		x[N],
				y[N],
				gamma[N];
	double		square = 0;

	for (int i = 0; i < N; i++)
	{
		x[i] = random_float() + 1;
		gamma[i] = random_float();
		square += (double) x[i] * x[i] / N;
	}
	dbert_kernels_scalar.rms_norm_rows(y, x, gamma, 1, N, 0.5f);
	for (int i = 0; i < N; i++)
		CHECK_NEAR(y[i], x[i] / sqrt(square + 0.5) * gamma[i], 1e-6);
}

static void
test_scalar_activations(void)
{
	for (double v = -12; v <= 12; v += 0.0625)
	{
		float		x[] = {(float) v, (float) v, (float) v, (float) v, (float) v, (float) v},
					gated;
		double		inner = sqrt(2 / M_PI) * (v + 0.044715 * v * v * v);
		double		tol = 4 * EPS * fabs(v) + 1e-30;

		dbert_f32_activate__scalar(x + 0, 1, DBERT_ACT_GELU);
		dbert_f32_activate__scalar(x + 1, 1, DBERT_ACT_GELU_TANH);
		dbert_f32_activate__scalar(x + 2, 1, DBERT_ACT_RELU);
		dbert_f32_activate__scalar(x + 3, 1, DBERT_ACT_TANH);
		dbert_f32_activate__scalar(x + 4, 1, DBERT_ACT_NONE);
		dbert_f32_activate__scalar(x + 5, 1, DBERT_ACT_SILU);
		dbert_f32_gate_rows__scalar(&gated, x + 4, x + 3, 1, 1, 1, DBERT_ACT_SILU);
		CHECK_NEAR(x[0], 0.5 * v * (1 + erf(v / sqrt(2))), tol);
		CHECK_NEAR(x[1], 0.5 * v * (1 + tanh(inner)), tol);
		CHECK(x[2] == (v > 0 ? (float) v : 0));
		CHECK_NEAR(x[3], tanh(v), 4 * EPS);
		CHECK(x[4] == (float) v);
		CHECK_NEAR(x[5], v / (1 + exp(-v)), tol);
		CHECK(gated == x[5] * x[3]);
	}
}

/* ---- other tables against the definition ---- */

/* [m,n] with distance ld: within tol of the scalar result, padding untouched */
static void
check_against_scalar(const char *what, int m, int n, size_t ld, double tol)
{
	for (int i = 0; i < m; i++)
		for (size_t j = 0; j < ld; j++)
		{
			float		got = c_buf[i * ld + j],
						want = j < (size_t) n ? want_buf[i * ld + j] : GUARD;

			CHECK_MSG(fabs((double) got - want) <= (j < (size_t) n ? tol : 0),
					  "%s [%d,%d] at %d,%d: got %.9g, want %.9g", what, m, n, i, (int) j, got,
					  want);
		}
}

/* Operands are within -1 .. 1: each of k sums adds at most k * EPS rounding. */
static void
compare_products(const DbertKernels *t, int m, int n, int k)
{
	const DbertKernels *s = &dbert_kernels_scalar;
	size_t		ldc = n + 3,
				lda = k + 5;
	double		tol = 2 * EPS * (k + 2) * (k + 2);

	fill_random(a_buf, m * lda);
	fill_random(b_buf, (size_t) n * k);
	fill_random(bias_buf, n);

	fill_guard(c_buf, m * ldc);
	fill_guard(want_buf, m * ldc);
	for (int with_bias = 0; with_bias < 2; with_bias++)
	{
		const float *bias = with_bias ? bias_buf : NULL;
		float	   *scalar_pack = malloc(s->packed_linear_size(n, k) * sizeof(float));
		float	   *pack = malloc(t->packed_linear_size(n, k) * sizeof(float));

		s->pack_linear(scalar_pack, b_buf, n, k);
		t->pack_linear(pack, b_buf, n, k);
		s->linear(want_buf, ldc, a_buf, lda, scalar_pack, bias, m, n, k, DBERT_ACT_NONE);
		t->linear(c_buf, ldc, a_buf, lda, pack, bias, m, n, k, DBERT_ACT_NONE);
		check_against_scalar("linear", m, n, ldc, tol);
		free(scalar_pack);
		free(pack);
	}
}

static void
compare_layer_norms(const DbertKernels *t, int m, int n)
{
	const DbertKernels *s = &dbert_kernels_scalar;

	fill_random(a_buf, (size_t) m * n);
	fill_random(b_buf, (size_t) m * n);
	fill_random(bias_buf, n);
	fill_guard(c_buf, (size_t) m * n + 8);
	s->layer_norm_rows(want_buf, a_buf, b_buf, bias_buf, bias_buf, m, n, 1e-5f);
	t->layer_norm_rows(c_buf, a_buf, b_buf, bias_buf, bias_buf, m, n, 1e-5f);
	check_against_scalar("layer_norm_rows", m, n, n, 1e-4);
	CHECK(c_buf[(size_t) m * n] == GUARD);
}

static void
test_tables_against_scalar(void)
{
	static const char *const names[] = {"openblas"};
	static const int sizes[][3] = {
		{1, 1, 1}, {1, 2, 32}, {2, 3, 5}, {7, 5, 3}, {6, 16, 64}, {17, 31, 33},
		{64, 64, 64}, {64, 100, 48}, {65, 33, 96}, {3, 400, 200}
	};

	for (int t = 0; t < (int) (sizeof(names) / sizeof(names[0])); t++)
	{
		const DbertKernels *kernels;
		DbertError	err;

		if (dbert_kernels_choose(names[t], &kernels, &err) != DBERT_OK)
		{
			printf("# skipped: %s\n", err.msg);
			continue;
		}
		for (int i = 0; i < (int) (sizeof(sizes) / sizeof(sizes[0])); i++)
		{
			compare_products(kernels, sizes[i][0], sizes[i][1], sizes[i][2]);
			compare_layer_norms(kernels, sizes[i][0], sizes[i][1]);
		}
	}
}

int
main(void)
{
	RUN(test_loading_leaves_no_trace);
	RUN(test_choose);
	RUN(test_scalar_products);
	RUN(test_scalar_attention);
	RUN(test_scalar_softmax);
	RUN(test_scalar_layer_norm);
	RUN(test_scalar_rms_norm);
	RUN(test_scalar_activations);
	RUN(test_tables_against_scalar);
	return tests_end();
}
