/*
 * test_kernel_isa.c -- checkasm in miniature: every table that this machine
 * can run against the definition.
 *
 * Outputs lie between guards, rows have gaps, sizes have every tail.
 * Tolerances are formulas: a sum of k products of magnitude p carries at most
 * p (k + 1) roundings of half an ulp of the sum of magnitudes, whatever its
 * order.  That a row has the same bits in any company is checked apart, and
 * with memcmp.
 */
#include "kernel/decoding.h"
#include "kernel/kernel.h"
#include "model/config.h"
#include "test/support/guarded.h"
#include "test/support/kerneltables.h"
#include "test/support/seen.h"
#include "test/support/testhelp.h"

#define EPS 0x1p-24				/* half an ulp of 1 */

/* ---- comparing ---- */

/* the same, or both NaN, or within tol */
static int
agrees(float got, float want, double tol)
{
	if (isnan(want) || isnan(got))
		return isnan(want) && isnan(got);
	return got == want || fabs((double) got - want) <= tol;
}

/* [m,n], rows ld apart, the gaps between them still as in want */
static void
compare(const char *what, const float *got, const float *want, int m, int n, size_t ld, double tol)
{
	for (int i = 0; i < m; i++)
		for (size_t j = 0; j < ld && i * ld + j < (m - 1) * ld + n; j++)
			if (!agrees(got[i * ld + j], want[i * ld + j], j < (size_t) n ? tol : 0))
			{
				CHECK_MSG(0, "%s %s [%d,%d] at %d,%d: got %.9g, want %.9g, tolerance %.3g",
						  table->name, what, m, n, i, (int) j, got[i * ld + j], want[i * ld + j],
						  tol);
				return;
			}
}

/* ---- products ---- */

static void
linear_case(int m, int n, int k, int act)
{
	size_t		ldx = k + 3,
				ldy = n + 5,
				ny = (m - 1) * ldy + n;
	float	   *x = guarded(m * ldx),
			   *w = guarded((size_t) n * k),
			   *b = guarded(n),
			   *got = guarded(ny),
			   *want = guarded(ny),
			   *ref_pack = guarded(ref->packed_linear_size(n, k)),
			   *pack = guarded(table->packed_linear_size(n, k));
	double		tol = 2 * EPS * (k + 1) * (k + 1);	/* |sum| <= k + 1, k + 1 roundings */

	ref->pack_linear(ref_pack, w, n, k);
	table->pack_linear(pack, w, n, k);
	for (int with_bias = 0; with_bias < 2; with_bias++)
	{
		fill(got, ny, NAN);			/* y is only written */
		for (int i = 0; i + 1 < m; i++)
			fill(got + i * ldy + n, ldy - n, GUARD);
		memcpy(want, got, ny * sizeof(float));
		ref->linear(want, ldy, x, ldx, ref_pack, with_bias ? b : NULL, m, n, k, act);
		table->linear(got, ldy, x, ldx, pack, with_bias ? b : NULL, m, n, k, act);
		compare("linear", got, want, m, n, ldy, tol);
	}
	guarded_free(x, m * ldx);
	guarded_free(w, (size_t) n * k);
	guarded_free(b, n);
	guarded_free(got, ny);
	guarded_free(want, ny);
	guarded_free(ref_pack, ref->packed_linear_size(n, k));
	guarded_free(pack, table->packed_linear_size(n, k));
}

static void
test_linear(void)
{
	static const int ns[] = {1, 2, 15, 16, 17, 31, 32, 33, 48, 65};
	static const int ks[] = {1, 2, 3, 7, 64, 129};

	for (int m = 1; m <= 26; m++)
		for (int i = 0; i < (int) (sizeof(ns) / sizeof(ns[0])); i++)
			linear_case(m, ns[i], ks[(m + i) % 6], DBERT_ACT_NONE);
	for (int act = DBERT_ACT_NONE; act <= DBERT_ACT_SILU; act++)
		linear_case(13, 50, 19, act);
	linear_case(5, 768, 768, DBERT_ACT_NONE);
	linear_case(131, 40, 768, DBERT_ACT_GELU);	/* more rows than a block */
	linear_case(3, 97, 3072, DBERT_ACT_GELU);	/* deeper than a block */
	linear_case(125, 33, 1537, DBERT_ACT_NONE);
}

/* Row i of m rows has the bits of the row alone. */
static void
test_row_alone(void)
{
	enum
	{
		N = 45, K = 1601, MAX = 150
	};
	float	   *x = guarded(MAX * K),
			   *w = guarded(N * K),
			   *b = guarded(N),
			   *alone = guarded(MAX * N),
			   *y = guarded(MAX * N),
			   *pack = guarded(table->packed_linear_size(N, K));

	table->pack_linear(pack, w, N, K);
	for (int i = 0; i < MAX; i++)
		table->linear(alone + i * N, N, x + i * K, K, pack, b, 1, N, K, DBERT_ACT_GELU);
	for (int m = 1; m <= MAX; m += m < 40 ? 1 : 11)
	{
		table->linear(y, N, x, K, pack, b, m, N, K, DBERT_ACT_GELU);
		CHECK_MSG(memcmp(y, alone, m * N * sizeof(float)) == 0, "%s: %d rows differ from one",
				  table->name, m);
	}
	guarded_free(x, MAX * K);
	guarded_free(w, N * K);
	guarded_free(b, N);
	guarded_free(alone, MAX * N);
	guarded_free(y, MAX * N);
	guarded_free(pack, table->packed_linear_size(N, K));
}

/* NaN, infinities and subnormals arrive where they belong and nowhere else. */
static void
test_linear_special(void)
{
	enum
	{
		M = 14, N = 35, K = 20
	};
	float	   *x = guarded(M * K),
			   *w = guarded(N * K),
			   *got = guarded(M * N),
			   *want = guarded(M * N),
			   *ref_pack = guarded(ref->packed_linear_size(N, K)),
			   *pack = guarded(table->packed_linear_size(N, K));

	x[3 * K + 5] = NAN;
	x[4 * K] = INFINITY;
	x[7 * K + 19] = -INFINITY;
	fill(x + 9 * K, K, 0);
	x[9 * K + 1] = 0x1p-140f;	/* times w: subnormal */
	w[34 * K + 2] = NAN;
	w[33 * K + 3] = INFINITY;
	ref->pack_linear(ref_pack, w, N, K);
	table->pack_linear(pack, w, N, K);
	ref->linear(want, N, x, K, ref_pack, NULL, M, N, K, DBERT_ACT_NONE);
	table->linear(got, N, x, K, pack, NULL, M, N, K, DBERT_ACT_NONE);
	compare("linear", got, want, M, N, N, 2 * EPS * K * K);
	for (int j = 0; j < 33; j++)
		CHECK(fabsf(got[9 * N + j] - want[9 * N + j]) <= 0x1p-149f && want[9 * N + j] != 0);
	guarded_free(x, M * K);
	guarded_free(w, N * K);
	guarded_free(got, M * N);
	guarded_free(want, M * N);
	guarded_free(ref_pack, ref->packed_linear_size(N, K));
	guarded_free(pack, table->packed_linear_size(N, K));
}

static void
attention_case(int m, int t, int d)
{
	size_t		ld = 3 * d + 1,
				ldo = d + 3,
				count = t * ld,
				ny = (m - 1) * ldo + d;
	float	   *qkv = guarded(count),
			   *got = guarded(ny),
			   *want = guarded(ny),
			   *scratch = guarded(dbert_attention_scratch(t, d));
	float		scale = 1 / sqrtf((float) d);
	const DbertScoring scoring = {.scale = scale};

	for (size_t i = 0; i < count; i++)
		qkv[i] *= 2;				/* scores of a few units */
	memcpy(want, got, ny * sizeof(float));
	ref->attention(want, ldo, qkv, qkv + d, qkv + 2 * d, ld, m, t, d, &scoring, scratch);
	fill(scratch, dbert_attention_scratch(t, d), NAN);
	table->attention(got, ldo, qkv, qkv + d, qkv + 2 * d, ld, m, t, d, &scoring, scratch);

	/*
	 * scores up to 4 d scale with d roundings each, which exp makes relative,
	 * then t more
	 */
	compare("attention", got, want, m, d, ldo, 2 * EPS * (4 * d * scale * 2 * d + t + 8));
	guarded_free(qkv, count);
	guarded_free(got, ny);
	guarded_free(want, ny);
	guarded_free(scratch, dbert_attention_scratch(t, d));
}

static void
test_attention(void)
{
	static const int ts[] = {1, 2, 5, 6, 7, 11, 12, 13, 15, 16, 17, 31, 32, 33, 100, 513};
	static const int ds[] = {1, 8, 26, 32, 33, 64, 80, 128};

	for (int i = 0; i < (int) (sizeof(ts) / sizeof(ts[0])); i++)
		for (int j = 0; j < (int) (sizeof(ds) / sizeof(ds[0])); j++)
		{
			attention_case(ts[i], ts[i], ds[j]);
			attention_case((ts[i] + 2) / 3, ts[i], ds[j]);
		}
}

/* ---- rows ---- */

static void
softmax_case(int n)
{
	float	   *got = guarded(n),
			   *want = guarded(n);

	for (int j = 0; j < n; j++)
		got[j] = want[j] = 20 * got[j];
	seen_softmax(ref, want, n);
	seen_softmax(table, got, n);
	compare("softmax", got, want, 1, n, n, EPS * (n + 8));
	guarded_free(got, n);
	guarded_free(want, n);
}

static void
test_softmax(void)
{
	float		got[3][20];
	float		want[3][20];

	for (int n = 1; n <= 70; n++)
		softmax_case(n);
	softmax_case(512);

	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 20; j++)
			got[i][j] = random_float();
	got[0][18] = NAN;
	got[1][3] = INFINITY;
	fill(got[2], 20, -INFINITY);
	got[2][19] = -3e38f;
	memcpy(want, got, sizeof(got));
	for (int i = 0; i < 3; i++)
	{
		seen_softmax(ref, want[i], 20);
		seen_softmax(table, got[i], 20);
	}
	compare("softmax of NaN and infinity", got[0], want[0], 3, 20, 20, 2e-38);
}

static void
layer_norm_case(int m, int n, float offset, int with_residual, int with_beta, int in_place)
{
	size_t		count = (size_t) m * n;
	float	   *x = guarded(count),
			   *r = guarded(count),
			   *gamma = guarded(n),
			   *beta = guarded(n),
			   *y = guarded(count),
			   *want = guarded(count);
	float	   *got = in_place ? (with_residual ? r : x) : y;

	for (size_t i = 0; i < count; i++)
		x[i] += offset;
	ref->layer_norm_rows(want, x, with_residual ? r : NULL, gamma, with_beta ? beta : NULL, m, n,
						 1e-5f);
	table->layer_norm_rows(got, x, with_residual ? r : NULL, gamma, with_beta ? beta : NULL, m, n,
						   1e-5f);

	/*
	 * the mean's error, n roundings of the offset, over a deviation of about
	 * 1/2 or, alone, sqrt(eps)
	 */
	compare("layer_norm_rows", got, want, m, n, n,
			EPS * (n + 8) * (1 + fabs(offset)) * (n < 4 ? 320 : 4));
	guarded_free(x, count);
	guarded_free(r, count);
	guarded_free(gamma, n);
	guarded_free(beta, n);
	guarded_free(y, count);
	guarded_free(want, count);
}

static void
test_layer_norm(void)
{
	for (int n = 1; n <= 50; n++)
		layer_norm_case(1 + n % 3, n, 0, n % 2, n % 5 > 0, n / 2 % 2);
	layer_norm_case(3, 768, 0, 1, 1, 1);
	layer_norm_case(2, 771, 100, 1, 1, 0);
	layer_norm_case(2, 771, 100, 0, 0, 1);
}

static void
rms_norm_case(int m, int n, int in_place)
{
	size_t		count = (size_t) m * n;
	float	   *x = guarded(count),
			   *gamma = guarded(n),
			   *y = guarded(count),
			   *want = guarded(count),
			   *got = in_place ? x : y;

	ref->rms_norm_rows(want, x, gamma, m, n, 1e-5f);
	table->rms_norm_rows(got, x, gamma, m, n, 1e-5f);
	compare("rms_norm_rows", got, want, m, n, n, EPS * (n + 8) * 4);
	guarded_free(x, count);
	guarded_free(gamma, n);
	guarded_free(y, count);
	guarded_free(want, count);
}

static void
test_rms_norm(void)
{
	for (int n = 1; n <= 50; n++)
		rms_norm_case(1 + n % 3, n, n % 2);
	rms_norm_case(3, 771, 1);
}

/* ---- a decoder's ---- */

/* Keys and values of tokens that lie apart, in no order. */
static void
attend_case(int t, int heads, int d, float size)
{
	int			c = heads * d;
	size_t		row = 2 * (size_t) c + 3,
				count = t * row;
	float	   *q = guarded(c),
			   *memory = guarded(count),
			   *got = guarded(c),
			   *want = guarded(c),
			   *scratch = guarded((size_t) heads * t);
	const float **keys = malloc(t * sizeof(*keys));

	for (int j = 0; j < t; j++)
		keys[j] = memory + (j * 7 + 3) % t * row;
	ref->decoding->attend(want, q, keys, c + 2, t, heads, d, size, scratch);
	table->decoding->attend(got, q, keys, c + 2, t, heads, d, size, scratch);
	compare("attend", got, want, 1, c, c, EPS * (d * size + t + 16) * 8);
	free(keys);
	guarded_free(q, c);
	guarded_free(memory, count);
	guarded_free(got, c);
	guarded_free(want, c);
	guarded_free(scratch, (size_t) heads * t);
}

static void
test_attend(void)
{
	for (int t = 1; t < 40; t += 1 + t / 9)
		for (int d = 1; d < 150; d += 1 + d / 3)
			attend_case(t, 1 + t % 3, d, 1 / sqrtf((float) d));
	attend_case(133, 8, 64, 0.125f);
	attend_case(5, 4, 32, 3);
}

/* The greatest of each block, and whether a number is none. */
static void
maxima_case(int n)
{
	int			blocks = dbert_maxima(n);
	float	   *x = guarded(n),
			   *got = guarded(blocks),
			   *want = guarded(blocks);

	CHECK(ref->decoding->maxima(want, x, n) && table->decoding->maxima(got, x, n));
	compare("maxima", got, want, 1, blocks, blocks, 0);
	x[n / 2] = NAN;
	CHECK(!ref->decoding->maxima(want, x, n) && !table->decoding->maxima(got, x, n));
	x[n / 2] = n % 2 ? INFINITY : -INFINITY;
	CHECK(!ref->decoding->maxima(want, x, n) && !table->decoding->maxima(got, x, n));
	guarded_free(x, n);
	guarded_free(got, blocks);
	guarded_free(want, blocks);
}

static void
exp_sum_case(int n, float max)
{
	float	   *x = guarded(n),
				got,
				want;

	x[n / 3] = -INFINITY;		/* as forbidden tokens have it */
	got = table->decoding->exp_sum(x, n, max);
	want = ref->decoding->exp_sum(x, n, max);
	CHECK_MSG(agrees(got, want, want * EPS * (n + 8) + 1e-30), "%s exp_sum of %d: got %.9g, want %.9g",
			  table->name, n, got, want);
	guarded_free(x, n);
}

static void
test_vocabulary(void)
{
	for (int n = 1; n < 300; n += 1 + n / 20)
	{
		maxima_case(n);
		exp_sum_case(n, 1);
		exp_sum_case(n, 30);
	}
	maxima_case(6001);
	exp_sum_case(1024, 1);
}

/* Rows of a gate beside those that it weighs, in one array. */
static void
test_gate(void)
{
	enum
	{
		M = 3, MOST = 70
	};

	for (int act = DBERT_ACT_GELU; act <= DBERT_ACT_SILU; act++)
		for (int n = 1; n <= MOST; n++)
		{
			size_t		ld = 2 * n + 3,
						count = (M - 1) * ld + 2 * n;
			float	   *got = guarded(count),
					   *want = guarded(count);

			for (size_t i = 0; i < count; i++)
				want[i] = got[i] = 5 * got[i];
			ref->gate_rows(want, want, want + n, ld, M, n, act);
			table->gate_rows(got, got, got + n, ld, M, n, act);
			compare("gate_rows", got, want, M, 2 * n, ld, 4e-6);
			guarded_free(got, count);
			guarded_free(want, count);
		}
}

/*
 * Accuracy against double over the interval, and tails, and what is not finite.
 */
static void
test_activations(void)
{
	enum
	{
		COUNT = 100003
	};
	float	   *x = guarded(COUNT);
	double		worst[8] = {0};

	for (int act = DBERT_ACT_GELU; act <= DBERT_ACT_SILU; act++)
	{
		for (int i = 0; i < COUNT; i++)
			x[i] = (float) (i - COUNT / 2) * 0x1.1p-12f;	/* -13 .. 13 */
		seen_activation(table, x, COUNT, act);
		for (int i = 0; i < COUNT; i++)
		{
			double		v = (float) (i - COUNT / 2) * 0x1.1p-12f,
						u = sqrt(2 / M_PI) * (v + 0.044715 * v * v * v),
						want = act == DBERT_ACT_GELU ? 0.5 * v * erfc(-v / sqrt(2)) :
				act == DBERT_ACT_GELU_TANH ? v / (1 + exp(-2 * u)) :
				act == DBERT_ACT_RELU ? (v > 0 ? v : 0) :
				act == DBERT_ACT_SILU ? v / (1 + exp(-v)) : tanh(v),
						error = fabs(x[i] - want) - EPS * fabs(want);

			if (!(error <= worst[act]))
				worst[act] = error;
		}
	}
	CHECK_MSG(worst[DBERT_ACT_GELU] <= 2e-7, "%s: gelu off by %.3g", table->name,
			  worst[DBERT_ACT_GELU]);
	CHECK_MSG(worst[DBERT_ACT_GELU_TANH] <= 4e-7, "%s: gelu_tanh off by %.3g", table->name,
			  worst[DBERT_ACT_GELU_TANH]);
	CHECK(worst[DBERT_ACT_RELU] == 0);
	CHECK_MSG(worst[DBERT_ACT_TANH] <= 2e-7, "%s: tanh off by %.3g", table->name,
			  worst[DBERT_ACT_TANH]);
	CHECK_MSG(worst[DBERT_ACT_SILU] <= 8e-7, "%s: silu off by %.3g", table->name,
			  worst[DBERT_ACT_SILU]);
	guarded_free(x, COUNT);

	for (int act = DBERT_ACT_NONE; act <= DBERT_ACT_SILU; act++)
		for (int n = 1; n <= 20; n++)
		{
			float	   *got = guarded(n),
					   *want = guarded(n);

			got[0] = n % 2 ? NAN : INFINITY;
			got[n - 1] = n % 3 ? got[n - 1] : 1e30f;
			memcpy(want, got, n * sizeof(float));
			seen_activation(ref, want, n, act);
			seen_activation(table, got, n, act);
			compare("activation", got, want, 1, n, n, 4e-7);
			guarded_free(got, n);
			guarded_free(want, n);
		}
}

/*
 * Seen through softmax: exp from 1 down to the last normal, in ulps of the
 * result, and next to 0 for what is below.
 */
static void
test_exponential(void)
{
	float		row[2];
	double		worst = 0;

	for (double v = 0; v > -86; v -= 0.00097)
	{
		double		e = exp((double) (float) v),
					want = e / (1 + e);

		row[0] = 0;
		row[1] = (float) v;
		seen_softmax(table, row, 2);
		worst = fmax(worst, fabs(row[1] - want) / want / (2 * EPS));
	}
	CHECK_MSG(worst <= 3, "%s: softmax off by %.3g ulp", table->name, worst);
	row[0] = 0;
	row[1] = -1e30f;
	seen_softmax(table, row, 2);
	CHECK(row[0] == 1 && row[1] <= 2e-38f);
}

int
main(void)
{
	unsigned	control = control_bits();

	for (int at = 0; (table = kernels_next(&at, KERNELS_FP32)) != NULL;)
	{
		if (table == ref)
			continue;
		printf("# %s\n", table->name);
		RUN(test_linear);
		RUN(test_linear_special);
		RUN(test_attention);
		RUN(test_softmax);
		RUN(test_layer_norm);
		RUN(test_rms_norm);
		RUN(test_gate);
		RUN(test_attend);
		RUN(test_vocabulary);
		RUN(test_activations);
		RUN(test_exponential);
		if (!table->rows_matter)
			RUN(test_row_alone);
		CHECK(control_bits() == control);
	}
	return tests_end();
}
