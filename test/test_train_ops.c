/*
 * test_train_ops.c -- training's kernels: every table that this machine can run
 * against the definition, products of all shapes against sums in double.
 *
 * Outputs lie between guards.  A row has the same bits in any company and an
 * element of a product in any block, which is checked with memcmp.
 */
#include "model/config.h"
#include "test/support/guarded.h"
#include "test/support/kerneltables.h"
#include "test/support/testhelp.h"
#include "train/ops.h"

/* ---- products ---- */

/*
 * c = op(a) op(b), plus bias, plus c; what lies between c's rows stays as it is
 */
static void
product_case(const DbertTrainRun *run, int m, int n, int k, int kind)
{
	bool		ta = kind & 1,
				tb = kind & 2,
				add = kind & 4;
	size_t		lda = (ta ? m : k) + 3,
				ldb = (tb ? k : n) + 1,
				ldc = n + 2,
				na = ((ta ? k : m) - 1) * lda + (ta ? m : k),
				nb = ((tb ? n : k) - 1) * ldb + (tb ? k : n),
				nc = (m - 1) * ldc + n;
	float	   *a = guarded(na),
			   *b = guarded(nb),
			   *bias = guarded(n),
			   *c = guarded(nc),
			   *before = guarded(nc),
			   *sums = guarded(m);
	DbertProduct p = {
		.ta = ta,.tb = tb,.m = m,.n = n,.k = k,.a = a,.b = b,.lda = lda,.ldb = ldb,
		.bias = kind & 8 ? bias : NULL,.beta = add,.c = c,.ldc = ldc,.sums = kind & 8 ? NULL : sums
	};
	double		worst = 0;

	memcpy(before, c, nc * sizeof(float));
	CHECK(dbert_product(run, &p) == DBERT_OK);
	for (size_t at = 0; at < nc; at++)
	{
		size_t		i = at / ldc,
					j = at % ldc;
		double		sum = add || j >= (size_t) n ? before[at] : 0;

		if (j < (size_t) n && p.bias != NULL)
			sum += bias[j];
		for (int l = 0; j < (size_t) n && l < k; l++)
			sum += (double) a[ta ? l * lda + i : i * lda + l] * b[tb ? j * ldb + l : l * ldb + j];
		worst = fabs(c[at] - sum) > worst ? fabs(c[at] - sum) : worst;
	}
	for (int i = 0; p.sums != NULL && i < m; i++)
	{
		double		sum = 0;

		for (int l = 0; l < k; l++)
			sum += a[ta ? l * lda + i : i * lda + l];
		worst = fabs(sums[i] - sum) > worst ? fabs(sums[i] - sum) : worst;
	}
	CHECK_MSG(worst <= 2e-6 * sqrt(k), "%s: product %d x %d x %d, kind %d, off by %.3g",
			  table->name, m, n, k, kind, worst);
	guarded_free(a, na);
	guarded_free(b, nb);
	guarded_free(bias, n);
	guarded_free(c, nc);
	guarded_free(before, nc);
	guarded_free(sums, m);
}

/* Sizes around those of tiles, of parts and beyond a block's. */
static void
test_products(void)
{
	static const int sizes[][3] = { { 1, 1, 1 },
									{ 2, 2, 3 },
									{ 5, 4, 7 },
									{ 6, 16, 4 },
									{ 12, 32, 8 },
									{ 13, 33, 18 },
									{ 23, 64, 23 },
									{ 97, 20, 3 },
									{ 200, 390, 21 },
									{ 12, 32, DBERT_PRODUCT_DEPTH + 5 },
									{ DBERT_PRODUCT_LANES + 7, 3, 5 },
									{ 3, DBERT_PRODUCT_LANES + 50, 6 } };
	float	   *packed = guarded(DBERT_PRODUCT_SCRATCH);
	DbertTrainRun run = {.kernels = table,.packed = packed};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int kind = 0; kind < 16; kind++)
			product_case(&run, sizes[i][0], sizes[i][1], sizes[i][2], kind);
	guarded_free(packed, DBERT_PRODUCT_SCRATCH);
}

/* An element has the same bits whatever the rows and columns beside it. */
static void
test_product_alone(void)
{
	enum {M = 29, N = 45, K = 70};
	float	   *a = guarded(M * K),
			   *b = guarded(N * K),
			   *all = guarded(M * N),
			   *packed = guarded(DBERT_PRODUCT_SCRATCH);
	DbertTrainRun run = {.kernels = table,.packed = packed};
	DbertProduct p = {
		.tb = true, .m = M, .n = N, .k = K, .a = a, .b = b, .lda = K, .ldb = K, .c = all, .ldc = N
	};

	CHECK(dbert_product(&run, &p) == DBERT_OK);
	for (int i = 0; i < M; i++)
		for (int j = 0; j < N; j++)
		{
			float		one;

			p.m = p.n = 1;
			p.a = a + i * K;
			p.b = b + j * K;
			p.c = &one;
			CHECK(dbert_product(&run, &p) == DBERT_OK);
			CHECK(memcmp(&one, &all[i * N + j], sizeof(float)) == 0);
		}
	guarded_free(a, M * K);
	guarded_free(b, N * K);
	guarded_free(all, M * N);
	guarded_free(packed, DBERT_PRODUCT_SCRATCH);
}

/* ---- rows ---- */

/* Buffers of one row: the table's outputs and the definition's. */
typedef struct Outputs
{
	float	   *got,
			   *want;
} Outputs;

static Outputs
outputs(int n)
{
	Outputs		o = {guarded(n), guarded(n)};

	memcpy(o.want, o.got, n * sizeof(float));
	return o;
}

static void
check_outputs(const char *what, Outputs o, int n, double tolerance)
{
	for (int j = 0; j < n; j++)
		if (!(fabs((double) o.got[j] - o.want[j]) <= tolerance))
		{
			CHECK_MSG(0, "%s: %s [%d] at %d: got %.9g, want %.9g", table->name, what, n, j,
					  o.got[j], o.want[j]);
			break;
		}
	guarded_free(o.got, n);
	guarded_free(o.want, n);
}

static const DbertDropRow drop_row = {0xfffffff0u, 12345, 0x7fffffff / 10 * 3, 1 / 0.7f};

static void
norm_case(int n, const DbertDropRow *drop, bool residual)
{
	const DbertTrainKernels *k = table->train,
			   *r = ref->train;
	float	   *x = guarded(n),
			   *res = guarded(n),
			   *gamma = guarded(n),
			   *dy = guarded(n),
				rstd;
	Outputs		xhat = outputs(n),
				y = outputs(n),
				ds = outputs(n),
				dx = outputs(n);

	rstd = r->norm(xhat.want, y.want, x, residual ? res : NULL, drop, gamma, dy, n, 0.1f);
	CHECK_NEAR(k->norm(xhat.got, y.got, x, residual ? res : NULL, drop, gamma, dy, n, 0.1f), rstd,
			   2e-6 * rstd);
	r->norm_backward(ds.want, residual ? dx.want : NULL, xhat.want, rstd, dy, drop, gamma, n);
	k->norm_backward(ds.got, residual ? dx.got : NULL, xhat.want, rstd, dy, drop, gamma, n);
	check_outputs("xhat", xhat, n, 5e-6);
	check_outputs("y", y, n, 5e-6);
	check_outputs("ds", ds, n, 1e-5);
	check_outputs("dx", dx, n, 1e-5);
	guarded_free(x, n);
	guarded_free(res, n);
	guarded_free(gamma, n);
	guarded_free(dy, n);
}

static void
softmax_case(int n, const DbertDropRow *drop)
{
	Outputs		p = outputs(n),
				dropped = outputs(n),
				dp = outputs(n);

	ref->train->softmax(p.want, dropped.want, n, 3, drop);
	table->train->softmax(p.got, dropped.got, n, 3, drop);
	ref->train->softmax_backward(dp.want, p.want, n, 3, drop);
	table->train->softmax_backward(dp.got, p.want, n, 3, drop);
	check_outputs("softmax", p, n, 1e-6);
	check_outputs("softmax dropped out", dropped, n, 1e-6);
	check_outputs("softmax backward", dp, n, 5e-6);
}

static void
dropout_case(int n)
{
	float	   *x = guarded(n);
	Outputs		y = outputs(n);

	table->train->dropout(y.got, x, n, &drop_row);
	for (int j = 0; j < n; j++)
		y.want[j] = x[j] * dbert_drop_factor(&drop_row, j);
	check_outputs("dropout", y, n, 0);
	guarded_free(x, n);
}

static void
test_rows(void)
{
	for (int n = 1; n < 70; n++)
	{
		for (int kind = 0; kind < 4; kind++)
			norm_case(n, kind & 1 ? &drop_row : NULL, kind & 2);
		softmax_case(n, NULL);
		softmax_case(n, &drop_row);
		dropout_case(n);
	}
	norm_case(768, &drop_row, true);
	softmax_case(512, &drop_row);
}

static void
test_activations(void)
{
	for (int act = DBERT_ACT_GELU; act <= DBERT_ACT_SILU; act++)
		for (int n = 1; n < 40; n += 3)
		{
			float	   *x = guarded(n),
					   *dy = guarded(n);
			Outputs		y = outputs(n),
						dx = outputs(n);

			for (int j = 0; j < n; j++)
				x[j] *= 20;
			ref->train->activate(y.want, x, n, act);
			table->train->activate(y.got, x, n, act);
			ref->train->activate_backward(dx.want, x, y.want, dy, n, act);
			table->train->activate_backward(dx.got, x, y.want, dy, n, act);
			check_outputs("activation", y, n, 4e-6);
			check_outputs("activation backward", dx, n, 2e-6);
			guarded_free(x, n);
			guarded_free(dy, n);
		}
}

/* ---- sums, the optimizer ---- */

static void
sums_case(int m, int n, bool with_dot)
{
	size_t		ld = n + 3,
				count = (m - 1) * ld + n;
	float	   *x = guarded(count),
			   *y = guarded(count);
	Outputs		sum = outputs(n),
				dot = outputs(n);

	ref->train->sum_columns(sum.want, with_dot ? dot.want : NULL, x, with_dot ? y : NULL, ld, m, n);
	table->train->sum_columns(sum.got, with_dot ? dot.got : NULL, x, with_dot ? y : NULL, ld, m, n);
	check_outputs("sums", sum, n, 1e-5);
	check_outputs("sums of products", dot, n, 1e-5);
	CHECK_NEAR(table->train->sum_squares(x, count), ref->train->sum_squares(x, count),
			   1e-5 * count);
	guarded_free(x, count);
	guarded_free(y, count);
}

static void
adamw_case(int n)
{
	DbertAdamW	step = {0.5f, 0.9f, 0.999f, 0.999f, 0.01f, 20, 1e-8f};
	float	   *g = guarded(n);
	Outputs		w = outputs(n),
				mean = outputs(n),
				square = outputs(n);

	for (int j = 0; j < n; j++)
		square.got[j] = square.want[j] = fabsf(square.got[j]);
	ref->train->adamw(w.want, g, mean.want, square.want, n, &step);
	table->train->adamw(w.got, g, mean.got, square.got, n, &step);
	check_outputs("weights", w, n, 1e-6);
	check_outputs("first moment", mean, n, 1e-6);
	check_outputs("second moment", square, n, 1e-6);
	guarded_free(g, n);
}

static void
test_sums(void)
{
	for (int n = 1; n <= DBERT_SUM_COLUMNS; n += n < 40 ? 1 : 11)
	{
		sums_case(1 + n % 70, n, n & 1);
		adamw_case(n);
	}
	sums_case(100, DBERT_SUM_COLUMNS, true);
}

/* ---- the mask ---- */

/*
 * Neighbours in a row, in the next row and in another mask are dropped
 * independently of each other.
 */
static void
test_mask(void)
{
	enum {N = 200000, C = 256};
	DbertDropout d = dbert_dropout(dbert_random_key(1, 2, 3), 0.3f),
				other = dbert_dropout(dbert_random_key(1, 2, 4), 0.3f);
	int			dropped = 0,
				both[4] = {0};
	const uint64_t far = (uint64_t) 1 << 32;

	for (uint64_t i = 0; i < N; i++)
	{
		if (dbert_dropout_factor(&d, i) != 0)
			continue;
		dropped++;
		both[0] += dbert_dropout_factor(&d, i + 1) == 0;
		both[1] += dbert_dropout_factor(&d, i + C) == 0;
		both[2] += dbert_dropout_factor(&d, i + far) == 0;
		both[3] += dbert_dropout_factor(&other, i) == 0;
	}
	CHECK_NEAR(dropped / (double) N, 0.3, 0.005);
	for (int i = 0; i < 4; i++)
		CHECK_NEAR(both[i] / (double) N, 0.09, 0.004);
}

int
main(void)
{
	for (int at = 0; (table = kernels_next(&at, KERNELS_FP32)) != NULL;)
	{
		printf("# %s\n", table->name);
		RUN(test_products);
		if (!table->rows_matter)
			RUN(test_product_alone);
		RUN(test_rows);
		RUN(test_activations);
		RUN(test_sums);
	}
	RUN(test_mask);
	return tests_end();
}
