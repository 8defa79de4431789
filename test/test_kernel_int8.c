/*
 * test_kernel_int8.c -- products of 8-bit integers, int8 and int7, and attention
 * by them: the definition against numbers worked out by hand, every table that
 * this machine can run against the definition, bit for bit (attention: within
 * what exponentials differ by).
 *
 * Outputs lie between guards, rows have gaps, sizes have every tail.  NaN is
 * compared as NaN: which one it is, IEEE 754 leaves open.
 */
#include "kernel/int8.h"
#include "kernel/kernel.h"
#include "model/config.h"
#include "test/support/guarded.h"
#include "test/support/kerneltables.h"
#include "test/support/seen.h"
#include "test/support/testhelp.h"

static bool seven;				/* is it int7 that is tested? */

static const DbertInt8Kernels *
products_of(const DbertKernels *by)
{
	return seven ? by->int7 : by->int8;
}

/* ---- one product, by the definition and by the table ---- */

typedef struct Product
{
	int			m;
	int			n;
	int			k;
	size_t		ldx;
	size_t		ldy;
	float	   *x;				/* -1 .. 1; to be changed before it is run */
	float	   *w;
	float	   *b;
	float	   *y;
} Product;

static size_t
output_floats(const Product *p)
{
	return (p->m - 1) * p->ldy + p->n;
}

static Product
product_begin(int m, int n, int k)
{
	Product		p = {m, n, k, k + 3, n + 5, NULL, NULL, NULL, NULL};

	p.x = guarded(m * p.ldx);
	p.w = guarded((size_t) n * k);
	p.b = guarded(n);
	p.y = guarded(output_floats(&p));
	return p;
}

static void
product_end(Product *p)
{
	guarded_free(p->x, p->m * p->ldx);
	guarded_free(p->w, (size_t) p->n * p->k);
	guarded_free(p->b, p->n);
	guarded_free(p->y, output_floats(p));
}

/* y by one table, the gaps between rows GUARD */
static void
product_run(const Product *p, const DbertKernels *by, float *y, bool with_bias, int act)
{
	size_t		pack_floats = (products_of(by)->packed_size(p->n, p->k) + 3) / 4,
				scratch_floats = dbert_int8_scratch(p->m, p->k);
	float	   *pack = guarded(pack_floats),
			   *scratch = guarded(scratch_floats);

	fill(scratch, scratch_floats, NAN);
	for (int i = 0; i < p->m; i++)
	{
		fill(y + i * p->ldy, p->n, NAN);	/* y is only written */
		if (i + 1 < p->m)
			fill(y + i * p->ldy + p->n, p->ldy - p->n, GUARD);
	}
	products_of(by)->pack(pack, p->w, p->n, p->k);
	products_of(by)->linear(y, p->ldy, p->x, p->ldx, pack, with_bias ? p->b : NULL, p->m, p->n,
							p->k, act, scratch);
	guarded_free(pack, pack_floats);
	guarded_free(scratch, scratch_floats);
}

static bool
same_float(float a, float b)
{
	return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

static void
check_same(const Product *p, const float *got, const float *want, const char *what)
{
	for (size_t i = 0; i < output_floats(p); i++)
		if (!same_float(got[i], want[i]))
		{
			CHECK_MSG(0, "%s, int%d, %s [%d,%d,%d]: at %d,%d got %.9g, want %.9g", table->name,
					  8 - seven, what, p->m, p->n, p->k, (int) (i / p->ldy), (int) (i % p->ldy), got[i], want[i]);
			return;
		}
}

/*
 * Against the definition; with an activation, against the table's own of that.
 */
static void
product_check(const Product *p, const char *what)
{
	float	   *want = guarded(output_floats(p));

	for (int bias = 0; bias < 2; bias++)
	{
		product_run(p, ref, want, bias, DBERT_ACT_NONE);
		product_run(p, table, p->y, bias, DBERT_ACT_NONE);
		check_same(p, p->y, want, what);
	}
	for (int i = 0; i < p->m; i++)
		seen_activation(table, want + i * p->ldy, p->n, DBERT_ACT_GELU);
	product_run(p, table, p->y, true, DBERT_ACT_GELU);
	check_same(p, p->y, want, what);
	guarded_free(want, output_floats(p));
}

static void
random_case(int m, int n, int k)
{
	Product		p = product_begin(m, n, k);

	product_check(&p, "random");
	product_end(&p);
}

/* ---- cases ---- */

static void
test_sizes(void)
{
	static const int ns[] = {1, 2, 15, 16, 17, 31, 32, 33, 48, 65};
	static const int ks[] = {1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 129};

	for (int m = 1; m <= 26; m++)
		for (int i = 0; i < (int) (sizeof(ns) / sizeof(ns[0])); i++)
			random_case(m, ns[i], ks[(m + i) % 11]);
	random_case(5, 768, 768);
	random_case(131, 40, 768);	/* more rows than are quantised at once */
	random_case(3, 97, 3072);
	random_case(125, 33, 1537);
}

/*
 * The largest sums there are, of either sign, x from 0 to 254 steps or both
 * ways: nothing may saturate or overflow.  In int7 four weights of 31.5 steps
 * round to 128 together, the most there is.
 */
static void
test_extremes(void)
{
	static const int ks[] = {1, 2, 3, 4, 31, 64, 3072, 65536};

	for (int i = 0; i < (int) (sizeof(ks) / sizeof(ks[0])); i++)
		for (int signs = 0; signs < 4; signs++)
		{
			Product		p = product_begin(7, 35, ks[i]);

			fill(p.x, p.m * p.ldx, signs & 1 ? -1.0f : 1.0f);
			fill(p.w, (size_t) p.n * p.k, signs & 2 ? -1.0f : 1.0f);
			product_check(&p, "extreme");
			product_run(&p, table, p.y, false, DBERT_ACT_NONE);
			CHECK_NEAR(p.y[0], (signs == 0 || signs == 3 ? 1.0 : -1.0) * ks[i],
					   (seven ? 0.017 : 1e-6) * ks[i]);
			for (size_t j = 0; j < p.m * p.ldx; j += 2)
				p.x[j] = -p.x[j];
			for (size_t j = 0; j < (size_t) p.n * p.k; j += 2)
				p.w[j] = -p.w[j];
			product_check(&p, "alternating extreme");
			product_end(&p);
		}
}

/*
 * NaN and infinity spoil their row, and no other; tiny rows are zeros; b
 * remains.
 */
static void
test_special_rows(void)
{
	Product		p = product_begin(14, 35, 20);

	p.x[2 * p.ldx + 5] = NAN;
	p.x[3 * p.ldx + 19] = -NAN;
	p.x[4 * p.ldx] = INFINITY;
	p.x[5 * p.ldx + 19] = -INFINITY;
	fill(p.x + 6 * p.ldx, p.k, 0);
	fill(p.x + 7 * p.ldx, p.k, -0.0f);
	fill(p.x + 8 * p.ldx, p.k, 0x1p-149f);
	fill(p.x + 9 * p.ldx, p.k, 0x1.fffffep-101f);
	fill(p.x + 10 * p.ldx, p.k, 0x1p-100f);
	for (int j = 0; j < p.k; j++)
		p.x[11 * p.ldx + j] *= 1.7e38f;
	p.x[13 * p.ldx + 4] = 3e38f;
	p.x[13 * p.ldx + 5] = -3e38f;	/* the span is infinite */
	p.x[12 * p.ldx + 3] = 1e30f;	/* all the others round to 0 */
	fill(p.w + 34 * p.k, p.k, 0);
	fill(p.w + 33 * p.k, p.k, 0x1p-120f);
	fill(p.w + 32 * p.k, p.k, 1e30f);
	product_check(&p, "special");

	product_run(&p, table, p.y, true, DBERT_ACT_NONE);
	for (int j = 0; j < p.n; j++)
	{
		for (int i = 0; i < p.m; i++)
			CHECK(!!isnan(p.y[i * p.ldy + j]) == ((i >= 2 && i <= 5) || i == 13));
		for (int i = 6; i <= 9; i++)
			CHECK(p.y[i * p.ldy + j] == p.b[j]);
	}
	CHECK(p.y[34] == p.b[34] && p.y[33] == p.b[33]);
	product_run(&p, table, p.y, false, DBERT_ACT_NONE);
	CHECK(p.y[10 * p.ldy] != 0);
	product_end(&p);
}

/* Row i of m rows has the bits of the row alone. */
static void
test_row_alone(void)
{
	Product		all = product_begin(150, 45, 161);
	float		alone[45];

	for (int m = 1; m <= 150; m += m < 40 ? 1 : 11)
	{
		Product		some = all,
					one = all;

		some.m = m;
		one.m = 1;
		one.x += (m - 1) * all.ldx;
		product_run(&some, table, all.y, true, DBERT_ACT_GELU);
		product_run(&one, table, alone, true, DBERT_ACT_GELU);
		CHECK_MSG(memcmp(all.y + (m - 1) * all.ldy, alone, sizeof(alone)) == 0,
				  "%s: row %d has other bits alone", table->name, m - 1);
	}
	product_end(&all);
}

/*
 * By hand: scales of 1, ties to even, times a diagonal of the largest weight.
 */
static void
test_rounding(void)
{
	static const float rows[][10] = {
		{127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 63.5f, 126.5f, 0.4999f, -127},
		{254, 253.5f, 252.5f, 0.5f, 1.5f, 3, 127, 128, 200, 1},
		{-254, -253.5f, -252.5f, -0.5f, -1.5f, -3, -127, -128, -200, -1},
		{126.5f, -127.5f, 0, 126, -127, 1, 2, 3, 4, 5}	/* 126 - -128: no room to spare */
	};
	static const float rounded[][10] = {
		{127, 0, 2, 2, 0, -2, 64, 126, 0, -127},
		{254, 254, 252, 0, 2, 3, 127, 128, 200, 1},
		{-254, -254, -252, 0, -2, -3, -127, -128, -200, -1},
		{126, -128, 0, 126, -127, 1, 2, 3, 4, 5}
	};
	Product		p = product_begin(4, 10, 10);
	float		most = seven ? 126 : 127;

	for (int i = 0; i < 10; i++)
		for (int j = 0; j < 10; j++)
			p.w[i * 10 + j] = i == j ? most : 0;
	for (int i = 0; i < 4; i++)
		memcpy(p.x + i * p.ldx, rows[i], sizeof(rows[i]));
	product_run(&p, table, p.y, false, DBERT_ACT_NONE);
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 10; j++)
			CHECK_MSG(p.y[i * p.ldy + j] == rounded[i][j] * most, "%s: %g became %g", table->name,
					  rows[i][j], p.y[i * p.ldy + j] / most);
	product_end(&p);
}

/*
 * Against the exact product: an element of x is off by half its row's scale,
 * here 2/254 at most, of W likewise 1/127, in int7 4/126, and each product of
 * two magnitudes below 1 by the sum of both.
 */
static void
test_error(void)
{
	Product		p = product_begin(9, 41, 333);
	double		off = seven ? 2.0 / 126 : 1.0 / 254;

	product_run(&p, table, p.y, true, DBERT_ACT_NONE);
	for (int i = 0; i < p.m; i++)
		for (int j = 0; j < p.n; j++)
		{
			double		sum = p.b[j];

			for (int q = 0; q < p.k; q++)
				sum += (double) p.x[i * p.ldx + q] * p.w[j * p.k + q];
			CHECK_NEAR(p.y[i * p.ldy + j], sum, p.k * (1.0 / 254 + off + off / 254));
		}
	product_end(&p);
}

/* ---- attention ---- */

#define LD 200					/* of queries, keys and values, side by side */

typedef struct Head
{
	int			m;
	int			t;
	int			d;
	float		scale;
	float	   *rows;			/* [T, LD]: q, k and v */
} Head;

/* out[m, d], rows d + 3 apart, by one table; a gap is GUARD */
static void
attend(const Head *h, const DbertKernels *by, int first, int m, float *out)
{
	size_t		room = dbert_attention_scratch(h->t, h->d),
				ldo = h->d + 3;
	float	   *scratch = guarded(room);

	fill(scratch, room, NAN);
	fill(out, (m - 1) * ldo + h->d, GUARD);
	products_of(by)->attention(out, ldo, h->rows + (size_t) first * LD, h->rows + h->d,
							   h->rows + 2 * h->d, LD, m, h->t, h->d, h->scale, scratch);
	for (int i = 0; i + 1 < m; i++)
		for (int j = h->d; j < (int) ldo; j++)
			CHECK(out[i * ldo + j] == GUARD);
	guarded_free(scratch, room);
}

static float *
outputs(const Head *h)
{
	return guarded((h->m - 1) * (size_t) (h->d + 3) + h->d);
}

static void
outputs_free(const Head *h, float *out)
{
	guarded_free(out, (h->m - 1) * (size_t) (h->d + 3) + h->d);
}

/*
 * Exponentials differ by some ulps, so that a weight may round to its neighbour.
 */
static void
attention_check(const Head *h)
{
	float	   *got = outputs(h),
			   *want = outputs(h),
				alone[LD];
	size_t		ldo = h->d + 3;

	attend(h, ref, 0, h->m, want);
	attend(h, table, 0, h->m, got);
	for (int i = 0; i < h->m; i++)
	{
		for (int j = 0; j < h->d; j++)
			CHECK_NEAR(got[i * ldo + j], want[i * ldo + j], 2e-4);
		attend(h, table, i, 1, alone);
		CHECK_MSG(memcmp(alone, got + i * ldo, h->d * sizeof(float)) == 0,
				  "%s, int%d: query %d of %d has other bits alone", table->name, 8 - seven, i,
				  h->m);
	}
	outputs_free(h, got);
	outputs_free(h, want);
}

static void
test_attention(void)
{
	static const int ts[] = {1, 2, 3, 15, 16, 17, 31, 33, 64, 77, 130};
	static const int ds[] = {1, 4, 8, 12, 20, 32, 33, 64, 65};

	for (int i = 0; i < 11; i++)
		for (int j = 0; j < 9; j += 1 + i / 6)
		{
			Head		h = {
				.m = ts[i] < 50 ? ts[i] : 50, .t = ts[i], .d = ds[j], .scale = 4 / sqrtf(ds[j])
			};

			h.rows = guarded((size_t) h.t * LD);
			attention_check(&h);
			guarded_free(h.rows, (size_t) h.t * LD);
		}
}

/*
 * One key that all look at gives its value, but for its rounding; equal keys
 * give the mean, however many there are.
 */
static void
test_attention_weights(void)
{
	Head		h = {.m = 3, .t = 700, .d = 16, .scale = 30};
	float	   *out = outputs(&h);

	h.rows = guarded((size_t) h.t * LD);
	for (int i = 0; i < h.t; i++)
		for (int j = 0; j < h.d; j++)
		{
			h.rows[i * LD + j] = 1;
			h.rows[i * LD + h.d + j] = i == 5 ? 1 : -1;
			h.rows[i * LD + 2 * h.d + j] = i == 5 ? 0.25f : j == 3 && i % 2 ? 1 : -1;
		}
	attend(&h, table, 0, h.m, out);
	CHECK_NEAR(out[2], 0.25, 1.0 / 16383);
	CHECK_NEAR(out[h.d + 3 + 3], 0.25, 1.0 / 16383);
	for (int j = 0; j < h.d; j++)
		h.rows[5 * LD + h.d + j] = -1;
	attend(&h, table, 0, h.m, out);
	CHECK_NEAR(out[2], (-699 + 0.25) / 700, 1e-4);
	CHECK_NEAR(out[3], (-350 + 0.25 + 349) / 700, 1e-4);
	outputs_free(&h, out);
	guarded_free(h.rows, (size_t) h.t * LD);
}

/* What is not finite spoils what it meets: a query, all of them, a column. */
static void
test_attention_special(void)
{
	Head		h = {.m = 40, .t = 40, .d = 24, .scale = 0.2f};
	float	   *out = outputs(&h);

	h.rows = guarded((size_t) h.t * LD);
	h.rows[7 * LD + 3] = NAN;
	h.rows[9 * LD + 2 * h.d + 5] = -INFINITY;
	attend(&h, table, 0, h.m, out);
	for (int i = 0; i < h.m; i++)
		for (int j = 0; j < h.d; j++)
			CHECK(!!isnan(out[i * (h.d + 3) + j]) == (i == 7 || j == 5));
	h.rows[39 * LD + h.d + 23] = INFINITY;
	attend(&h, table, 0, h.m, out);
	for (int i = 0; i < h.m; i++)
		CHECK(isnan(out[i * (h.d + 3)]));
	outputs_free(&h, out);
	guarded_free(h.rows, (size_t) h.t * LD);
}

/*
 * In int7 the numbers of one sign in a four sum to 128 at most, and no scale is
 * larger than that takes, but for the rounding.
 */
static void
test_fours(void)
{
	float	   *x = guarded(1003),
				w[1003];
	int8_t		q[1003];

	for (int k = 1; k <= 1003; k++)
	{
		int			most = 0;

		for (int p = 0; p < k; p++)
			w[p] = k % 3 == 0 ? x[p] : k % 3 == 1 ? x[p] * x[p] * x[p] : p % 7 ? 0.5f : -1;
		dbert_i8_round(q, w, k, dbert_i7_weight_scale(w, k));
		for (int four = 0; four < (k + 7) / 8 * 2; four++)
		{
			int			above = 0,
						below = 0;

			for (int i = 0; i < 4; i++)
			{
				int			p = four / 2 * 8 + four % 2 * 2 + i / 2 * 4 + i % 2;

				above += p < k && q[p] > 0 ? q[p] : 0;
				below -= p < k && q[p] < 0 ? q[p] : 0;
			}
			most = above > most ? above : most;
			most = below > most ? below : most;
		}
		CHECK_MSG(most >= 124 && most <= 128, "of %d weights four sum to %d", k, most);
	}
	guarded_free(x, 1003);
}

int
main(void)
{
	unsigned	control = control_bits();

	RUN(test_fours);
	for (int at = 0; (table = kernels_next(&at, KERNELS_INT8)) != NULL;)
		for (int i = 0; i < 2; i++)
		{
			seven = i;
			printf("# %s, int%d\n", table->name, 8 - seven);
			RUN(test_rounding);
			RUN(test_error);
			RUN(test_sizes);
			RUN(test_extremes);
			RUN(test_special_rows);
			RUN(test_row_alone);
			RUN(test_attention);
			RUN(test_attention_weights);
			RUN(test_attention_special);
			CHECK(control_bits() == control);
		}
	return tests_end();
}
