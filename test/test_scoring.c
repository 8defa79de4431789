/*
 * test_scoring.c -- attention with a bias by distance, with a window, with
 * vectors for distances, every table against scoring.h's formula spelled out in
 * double: whole texts, slices of keys and queries, queries that do not follow
 * one another.
 */
#include "kernel/kernel.h"
#include "test/support/guarded.h"
#include "test/support/kerneltables.h"
#include "test/support/testhelp.h"

#define EPS 0x1p-24				/* half an ulp of 1 */

/* Half of a text's tokens, about, ask. */
#define MOST 600

/* What a case has beside a scale. */
enum
{
	BIAS = 1, QUERY_ROWS = 2, KEY_ROWS = 4
};

typedef struct Case
{
	int			t,
				d,
				window,
				has,			/* BIAS ... */
				zero,			/* the row of distance 0 */
				rows;			/* for distances */

	size_t		ld,
				count;			/* floats of qkv */
	float	   *qkv,			/* rows ld apart: queries, keys, values of each token */
			   *bias,			/* [2T - 1] */
			   *query_rows,		/* [rows, D] */
			   *key_rows,
			   *packed_query_rows,
			   *packed_key_rows,
			   *want;			/* [T, D] */
} Case;

static double
product(const float *a, const float *b, int d)
{
	double		sum = 0;

	for (int p = 0; p < d; p++)
		sum += (double) a[p] * b[p];
	return sum;
}

static double
score(const Case *c, int i, int j)
{
	const float *q = c->qkv + i * c->ld,
			   *k = c->qkv + j * c->ld + c->d;
	double		sum = product(q, k, c->d);

	if (c->has & QUERY_ROWS)
		sum += product(q, c->query_rows + (c->zero + j - i) * c->d, c->d);
	if (c->has & KEY_ROWS)
		sum += product(k, c->key_rows + (c->zero + i - j) * c->d, c->d);
	return sum / sqrtf((float) c->d) + (c->has & BIAS ? c->bias[j - i + c->t - 1] : 0);
}

/* What query i gets of its values. */
static void
formula(const Case *c, int i)
{
	double		weights[MOST],
				sum = 0;
	float	   *out = c->want + (size_t) i * c->d;

	for (int j = 0; j < c->t; j++)
	{
		bool		seen = c->window == 0 || abs(i - j) <= c->window;

		weights[j] = seen ? exp(score(c, i, j)) : 0;
		sum += weights[j];
	}
	for (int p = 0; p < c->d; p++)
	{
		double		mixed = 0;

		for (int j = 0; j < c->t; j++)
			mixed += weights[j] * c->qkv[j * c->ld + 2 * c->d + p];
		out[p] = (float) (mixed / sum);
	}
}

static Case
case_begin(int t, int d, int window, int has)
{
	Case		c = {.t = t, .d = d, .window = window, .has = has, .ld = 3 * d + 1};

	c.count = t * c.ld;
	c.zero = t + 4;
	c.rows = c.zero + t;
	c.qkv = guarded(c.count);
	c.bias = guarded(2 * t - 1);
	c.query_rows = guarded(c.rows * d);
	c.key_rows = guarded(c.rows * d);
	c.packed_query_rows = guarded(table->packed_linear_size(c.rows, d));
	c.packed_key_rows = guarded(table->packed_linear_size(c.rows, d));
	c.want = guarded((size_t) t * d);
	for (size_t i = 0; i < c.count; i++)
		c.qkv[i] *= 2;
	for (int i = 0; i < 2 * t - 1; i++)
		c.bias[i] *= 3;
	table->pack_linear(c.packed_query_rows, c.query_rows, c.rows, d);
	table->pack_linear(c.packed_key_rows, c.key_rows, c.rows, d);
	for (int i = 0; i < t; i++)
		formula(&c, i);
	return c;
}

static void
case_end(Case *c)
{
	guarded_free(c->qkv, c->count);
	guarded_free(c->bias, 2 * c->t - 1);
	guarded_free(c->query_rows, c->rows * c->d);
	guarded_free(c->key_rows, c->rows * c->d);
	guarded_free(c->packed_query_rows, table->packed_linear_size(c->rows, c->d));
	guarded_free(c->packed_key_rows, table->packed_linear_size(c->rows, c->d));
	guarded_free(c->want, (size_t) c->t * c->d);
}

/*
 * m queries against keys first .. end-1: those from query on, or, if there is a
 * list, the tokens that it names.  got[m, D], rows d apart.
 */
static void
ask(const Case *c, float *got, int query, const int32_t *list, int m, int first, int end)
{
	DbertScoring scoring = {
		.scale = 1 / sqrtf((float) c->d),
		.bias = c->has & BIAS ? c->bias + c->t - 1 : NULL,
		.query_rows = c->has & QUERY_ROWS ? c->packed_query_rows : NULL,
		.key_rows = c->has & KEY_ROWS ? c->packed_key_rows : NULL,
		.zero = c->zero,
		.window = c->window,
		.key = first,
		.query = list != NULL ? 0 : query,
		.queries = list
	};
	const float *keys = c->qkv + first * c->ld + c->d;
	float	   *queries = guarded(m * c->ld);
	size_t		room = dbert_attention_scratch(end - first, c->d);
	float	   *scratch = guarded(room),
			   *again = guarded((size_t) m * c->d);

	for (int i = 0; i < m; i++)
		memcpy(queries + i * c->ld, c->qkv + (list != NULL ? list[i] : query + i) * c->ld,
			   c->d * sizeof(float));
	fill(scratch, room, NAN);
	table->attention(got, c->d, queries, keys, keys + c->d, c->ld, m, end - first, c->d, &scoring,
					 scratch);
	scoring.same_keys = true;
	table->attention(again, c->d, queries, keys, keys + c->d, c->ld, m, end - first, c->d,
					 &scoring, scratch);
	CHECK_MSG(memcmp(again, got, (size_t) m * c->d * sizeof(float)) == 0,
			  "%s: T %d, window %d, has %d: other bits with the same keys", table->name, c->t,
			  c->window, c->has);
	guarded_free(again, (size_t) m * c->d);
	guarded_free(queries, m * c->ld);
	guarded_free(scratch, room);
}

static void
check_row(const Case *c, const char *what, const float *got, int i)
{
	double		tolerance = 2 * EPS * (8 * sqrt(c->d) * c->d + c->t + 16);

	for (int p = 0; p < c->d; p++)
		if (!(fabs(got[p] - c->want[(size_t) i * c->d + p]) <= tolerance))
		{
			CHECK_MSG(0, "%s, %s: T %d, D %d, window %d, has %d, query %d: %.9g for %.9g",
					  table->name, what, c->t, c->d, c->window, c->has, i, got[p],
					  c->want[(size_t) i * c->d + p]);
			return;
		}
}

/* Some queries see no more than some keys; all have the bits of the whole text. */
static void
check_slices(const Case *c, const float *whole)
{
	const int	step = 1 + c->t / 3;
	float	   *got = guarded((size_t) step * c->d);

	for (int query = 0; query < c->t; query += step)
	{
		int			m = c->t - query < step ? c->t - query : step,
					first = query - c->window,
					end = query + m + c->window;
		bool		all = c->window == 0;

		ask(c, got, query, NULL, m, all || first < 0 ? 0 : first, all || end > c->t ? c->t : end);
		for (int i = 0; i < m; i++)
			check_row(c, "slice", got + (size_t) i * c->d, query + i);
		if (!table->rows_matter)
			CHECK_MSG(memcmp(got, whole + (size_t) query * c->d, m * c->d * sizeof(float)) == 0,
					  "%s: T %d, window %d: a slice has other bits", table->name, c->t, c->window);
	}
	guarded_free(got, (size_t) step * c->d);
}

static void
check_list(const Case *c, const float *whole)
{
	int32_t		list[MOST];
	int			m = 0;
	float	   *got;

	for (int i = 0; i < c->t; i++)
		if (i % 7 == 0 || i % 5 == 3)
			list[m++] = i;
	got = guarded((size_t) m * c->d);
	ask(c, got, 0, list, m, 0, c->t);
	for (int i = 0; i < m; i++)
	{
		check_row(c, "list", got + (size_t) i * c->d, list[i]);
		if (!table->rows_matter)
			CHECK_MSG(memcmp(got + (size_t) i * c->d, whole + (size_t) list[i] * c->d,
							 c->d * sizeof(float)) == 0,
					  "%s: T %d, window %d: a query in a list has other bits", table->name, c->t,
					  c->window);
	}
	guarded_free(got, (size_t) m * c->d);
}

static void
check_case(int t, int d, int window, int has)
{
	Case		c = case_begin(t, d, window, has);
	float	   *whole = guarded((size_t) t * d);

	ask(&c, whole, 0, NULL, t, 0, t);
	for (int i = 0; i < t; i++)
		check_row(&c, "text", whole + (size_t) i * d, i);
	check_slices(&c, whole);
	check_list(&c, whole);
	guarded_free(whole, (size_t) t * d);
	case_end(&c);
}

static void
test_bias_and_window(void)
{
	static const int ts[] = {1, 2, 7, 13, 16, 33, 100, 257};
	static const int ds[] = {8, 26, 64};
	static const int windows[] = {0, 1, 5, 16, 64};

	for (int i = 0; i < (int) (sizeof(ts) / sizeof(ts[0])); i++)
		for (int j = 0; j < (int) (sizeof(ds) / sizeof(ds[0])); j++)
			for (int w = 0; w < (int) (sizeof(windows) / sizeof(windows[0])); w++)
			{
				check_case(ts[i], ds[j], windows[w], 0);
				check_case(ts[i], ds[j], windows[w], BIAS);
			}
}

static void
test_distances(void)
{
	static const int ts[] = {1, 2, 3, 12, 31, 33, 65, 100, 257};
	static const int ds[] = {8, 26, 64};

	for (int i = 0; i < (int) (sizeof(ts) / sizeof(ts[0])); i++)
		for (int j = 0; j < (int) (sizeof(ds) / sizeof(ds[0])); j++)
		{
			check_case(ts[i], ds[j], 0, QUERY_ROWS);
			check_case(ts[i], ds[j], 0, KEY_ROWS);
			check_case(ts[i], ds[j], 0, QUERY_ROWS | KEY_ROWS | BIAS);
		}
}

int
main(void)
{
	for (int at = 0; (table = kernels_next(&at, KERNELS_FP32)) != NULL;)
	{
		printf("# %s\n", table->name);
		RUN(test_bias_and_window);
		RUN(test_distances);
	}
	return tests_end();
}
