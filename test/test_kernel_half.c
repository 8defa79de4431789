/*
 * test_kernel_half.c -- weights of 16 bits: every number against what IEEE 754
 * says it is, every table's products against its own products of the same
 * weights as floats, bit for bit, and against the definition.
 *
 * Outputs lie between guards, rows have gaps, sizes have every tail.  NaN is
 * compared as NaN: which one it is, IEEE 754 leaves open.
 */
#include "kernel/half.h"
#include "base/bytes.h"
#include "model/config.h"
#include "test/support/guarded.h"
#include "test/support/kerneltables.h"
#include "test/support/testhelp.h"

static const DbertWeightType types[] = {DBERT_WEIGHT_F16, DBERT_WEIGHT_BF16};

static const char *
type_name(DbertWeightType type)
{
	return type == DBERT_WEIGHT_F16 ? "F16" : "BF16";
}

static bool
same_float(float a, float b)
{
	return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

/* ---- one number ---- */

/* From the fields of the format, by arithmetic in double. */
static float
expected(uint16_t h, int exponent_bits)
{
	int			fraction_bits = 15 - exponent_bits,
				most = (1 << exponent_bits) - 1,
				exponent = h >> fraction_bits & most,
				fraction = h & ((1 << fraction_bits) - 1);
	double		sign = h & 0x8000 ? -1 : 1;

	if (exponent == most)
		return (float) (fraction != 0 ? NAN : sign * INFINITY);
	if (exponent == 0)
		return (float) (sign * ldexp(fraction, 1 - most / 2 - fraction_bits));
	return (float) (sign * ldexp((1 << fraction_bits) + fraction,
								 exponent - most / 2 - fraction_bits));
}

/* All there are; then any number of them, from any place. */
static void
test_widen(void)
{
	enum
	{
		ALL = 65536
	};
	uint16_t   *all = malloc(ALL * sizeof(*all));
	float	   *got = guarded(ALL);

	for (int i = 0; i < ALL; i++)
		all[i] = (uint16_t) i;
	for (int t = 0; t < 2; t++)
	{
		int			wrong = 0;

		table->half->widen(got, all, ALL, types[t]);
		for (int i = 0; i < ALL; i++)
			wrong += !same_float(got[i], expected(all[i], t == 0 ? 5 : 8));
		CHECK_MSG(wrong == 0, "%s: %d numbers of %s are others as floats", table->name, wrong,
				  type_name(types[t]));
	}
	guarded_free(got, ALL);
	for (int count = 0; count < 70; count++)
	{
		float	   *some = guarded(count);
		int			wrong = 0;

		table->half->widen(some, all + 900 * count + 1, count, DBERT_WEIGHT_F16);
		for (int i = 0; i < count; i++)
			wrong += !same_float(some[i], dbert_float_of_f16(all[900 * count + 1 + i]));
		CHECK_MSG(wrong == 0, "%s: %d of %d numbers", table->name, wrong, count);
		guarded_free(some, count);
	}
	free(all);
}

/* ---- products ---- */

typedef struct Product
{
	int			m;
	int			n;
	int			k;
	int			act;
	DbertWeightType type;
	size_t		ldx;
	size_t		ldy;
	float	   *x;
	float	   *b;
	uint16_t   *halves;			/* [N, K], to be changed before it is run */
} Product;

static Product
product_begin(int m, int n, int k, int act, DbertWeightType type)
{
	Product		p = {m, n, k, act, type, k + 3, n + 5, NULL, NULL, NULL};

	p.x = guarded(m * p.ldx);
	p.b = guarded(n);
	p.halves = malloc((size_t) n * k * sizeof(uint16_t));
	for (size_t i = 0; i < (size_t) n * k; i++)
	{
		float		w = random_float();
		uint32_t	bits;

		memcpy(&bits, &w, sizeof(bits));
		p.halves[i] = type == DBERT_WEIGHT_F16 ? dbert_f16_of_float(w) : (uint16_t) (bits >> 16);
	}
	return p;
}

static void
product_end(Product *p)
{
	guarded_free(p->x, p->m * p->ldx);
	guarded_free(p->b, p->n);
	free(p->halves);
}

static size_t
output_floats(const Product *p)
{
	return (p->m - 1) * p->ldy + p->n;
}

static float *
output(const Product *p)
{
	float	   *y = guarded(output_floats(p));

	fill(y, output_floats(p), GUARD);
	for (int i = 0; i < p->m; i++)
		fill(y + i * p->ldy, p->n, NAN);	/* y is only written */
	return y;
}

/* By the weights in 16 bits. */
static float *
run_halves(const Product *p, const DbertKernels *by, bool with_bias)
{
	float	   *y = output(p);
	size_t		floats = (by->packed_linear_size(p->n, p->k) + 1) / 2;
	float	   *pack = guarded(floats);

	by->half->pack((uint16_t *) pack, p->halves, p->n, p->k, p->type);
	by->half->linear(y, p->ldy, p->x, p->ldx, (const uint16_t *) pack, p->type,
					 with_bias ? p->b : NULL, p->m, p->n, p->k, p->act);
	guarded_free(pack, floats);
	return y;
}

/* By the same weights as floats. */
static float *
run_floats(const Product *p, const DbertKernels *by, bool with_bias)
{
	float	   *y = output(p),
			   *w = guarded((size_t) p->n * p->k),
			   *pack = guarded(by->packed_linear_size(p->n, p->k));

	dbert_half_scalar.widen(w, p->halves, (size_t) p->n * p->k, p->type);
	by->pack_linear(pack, w, p->n, p->k);
	by->linear(y, p->ldy, p->x, p->ldx, pack, with_bias ? p->b : NULL, p->m, p->n, p->k, p->act);
	guarded_free(w, (size_t) p->n * p->k);
	guarded_free(pack, by->packed_linear_size(p->n, p->k));
	return y;
}

/* tolerance 0: the same bits */
static void
compare(const Product *p, const float *got, const float *want, double tolerance, const char *what)
{
	for (size_t i = 0; i < output_floats(p); i++)
	{
		bool		close = tolerance > 0 && fabs((double) got[i] - want[i]) <= tolerance;

		if (same_float(got[i], want[i]) || close)
			continue;
		CHECK_MSG(0, "%s, %s [%d,%d,%d] %s: at %d,%d got %.9g, want %.9g", table->name, what, p->m,
				  p->n, p->k, type_name(p->type), (int) (i / p->ldy), (int) (i % p->ldy), got[i],
				  want[i]);
		return;
	}
}

/* A sum of k products below 1 carries k roundings; activations add a few. */
static double
tolerance_of(const Product *p)
{
	return 0x1p-23 * (p->k + 1) * (p->k + 1) + 1e-6;
}

static void
product_check(const Product *p)
{
	for (int bias = 0; bias < 2; bias++)
	{
		float	   *halves = run_halves(p, table, bias),
				   *floats = run_floats(p, table, bias),
				   *definition = run_halves(p, ref, bias);

		compare(p, halves, floats, 0, "against floats");
		compare(p, halves, definition, tolerance_of(p), "against the definition");
		guarded_free(halves, output_floats(p));
		guarded_free(floats, output_floats(p));
		guarded_free(definition, output_floats(p));
	}
}

static void
product_case(int m, int n, int k, int act)
{
	for (int t = 0; t < 2; t++)
	{
		Product		p = product_begin(m, n, k, act, types[t]);

		product_check(&p);
		product_end(&p);
	}
}

static void
test_products(void)
{
	static const int ns[] = {1, 2, 15, 16, 17, 31, 32, 33, 48, 65};
	static const int ks[] = {1, 2, 3, 7, 64, 129};

	for (int m = 1; m <= 40; m++)
		for (int i = 0; i < (int) (sizeof(ns) / sizeof(ns[0])); i++)
			product_case(m, ns[i], ks[(m + i) % 6], DBERT_ACT_NONE);
	for (int act = DBERT_ACT_NONE; act <= DBERT_ACT_SILU; act++)
		for (int m = 1; m <= 61; m += 30)
			product_case(m, 50, 19, act);
	product_case(131, 40, 768, DBERT_ACT_GELU);	/* more rows than a block */
	product_case(3, 97, 3072, DBERT_ACT_GELU);	/* deeper than a block */
	product_case(125, 33, 1537, DBERT_ACT_NONE);
}

/* Row i of m rows has the bits of the row alone. */
static void
test_row_alone(void)
{
	Product		p = product_begin(150, 45, 1601, DBERT_ACT_GELU, DBERT_WEIGHT_F16);
	float	   *all = run_halves(&p, table, true);

	for (int i = 0; i < 150; i += i < 40 ? 1 : 11)
	{
		Product		one = p;
		float	   *alone;

		one.m = 1;
		one.x += i * p.ldx;
		alone = run_halves(&one, table, true);
		CHECK_MSG(memcmp(alone, all + i * p.ldy, p.n * sizeof(float)) == 0,
				  "%s: row %d differs alone", table->name, i);
		guarded_free(alone, output_floats(&one));
	}
	guarded_free(all, output_floats(&p));
	product_end(&p);
}

/*
 * NaN and infinity where they belong and nowhere else; subnormal weights and
 * sums are what they are.
 */
static void
test_special(void)
{
	for (int t = 0; t < 2; t++)
		for (int m = 1; m <= 61; m += 15)
		{
			uint16_t	infinite = types[t] == DBERT_WEIGHT_F16 ? 0x7c00 : 0x7f80;
			Product		p = product_begin(m, 35, 20, DBERT_ACT_NONE, types[t]);
			float	   *y;

			p.halves[34 * 20 + 2] = infinite + 1;	/* NaN */
			p.halves[33 * 20 + 3] = infinite;
			p.halves[32 * 20 + 4] = 0x8000 | infinite;
			for (int i = 0; i < 20; i++)
				p.halves[31 * 20 + i] = i < 10 ? 0 : (uint16_t) (i - 9);	/* subnormal */
			p.x[(m - 1) * p.ldx + 5] = 0x1p-140f;
			product_check(&p);
			y = run_halves(&p, table, false);
			for (int i = 0; i < m; i++)
				CHECK(isnan(y[i * p.ldy + 34]) && isinf(y[i * p.ldy + 33]) &&
					  isinf(y[i * p.ldy + 32]) && isfinite(y[i * p.ldy + 31]) &&
					  (types[t] == DBERT_WEIGHT_BF16 || y[i * p.ldy + 31] != 0));
			guarded_free(y, output_floats(&p));
			product_end(&p);
		}
}

int
main(void)
{
	unsigned	control = control_bits();

	for (int at = 0; (table = kernels_next(&at, KERNELS_FP32)) != NULL;)
	{
		printf("# %s%s\n", table->name, table->half == NULL ? ": weights are floats" : "");
		if (table->half == NULL)
			continue;
		RUN(test_widen);
		RUN(test_products);
		RUN(test_row_alone);
		RUN(test_special);
		CHECK(control_bits() == control);
	}
	return tests_end();
}
