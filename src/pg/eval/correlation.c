/*
 * correlation.c -- see correlation.h.
 *
 * Rows are sorted once; ranks of any resample then take one walk through the
 * sorted rows.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "port.h"
#include "utils/float.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/growing.h"
#include "pg/eval/correlation.h"

/* Loops of millions of rows ask for interrupts now and then. */
#define CHECK_ROW(i) do { if (((i) & 0xffff) == 0) CHECK_FOR_INTERRUPTS(); } while (0)

static inline double
weight_of(const int32 *weights, int32 i)
{
	return weights == NULL ? 1 : weights[i];
}

void
distil_numbers_add(DistilNumbers *numbers, double value)
{
	distil_check_rows(numbers->n);
	numbers->values = distil_grown(numbers->context, numbers->values, numbers->n,
								   &numbers->capacity, sizeof(double));
	numbers->values[numbers->n++] = value;
}

static int
compare_rows(const void *a, const void *b, void *values)
{
	return float8_cmp_internal(((const double *) values)[*(const int32 *) a],
							   ((const double *) values)[*(const int32 *) b]);
}

DistilRanking
distil_ranking(const DistilNumbers *numbers)
{
	Size		n = numbers->n;
	DistilRanking r = {.values = numbers->values,.n = numbers->n};

	r.order = MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(int32));
	r.ranks = MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(double));
	for (int32 i = 0; i < r.n; i++)
		r.order[i] = i;
	qsort_interruptible(r.order, n, sizeof(int32), compare_rows, numbers->values);
	return r;
}

/*
 * Deviations are taken from a row's value first, so that they are exactly 0
 * where all are the same, then from the mean.
 */
double
distil_pearson(const double *x, const double *y, const int32 *weights, int32 n)
{
	double		total = 0,
				mean_x = 0,
				mean_y = 0,
				xx = 0,
				yy = 0,
				xy = 0;
	int32		first = 0;

	while (first < n && weight_of(weights, first) == 0)
		first++;
	for (int32 i = first; i < n; i++)
	{
		double		w = weight_of(weights, i);

		CHECK_ROW(i);
		total += w;
		mean_x += w * (x[i] - x[first]);
		mean_y += w * (y[i] - y[first]);
	}
	for (int32 i = first; i < n; i++)
	{
		double		w = weight_of(weights, i),
					dx = x[i] - x[first] - mean_x / total,
					dy = y[i] - y[first] - mean_y / total;

		CHECK_ROW(i);
		xx += w * dx * dx;
		yy += w * dy * dy;
		xy += w * dx * dy;
	}
	if (!(xx > 0 && yy > 0))
		return NAN;
	return Max(-1.0, Min(1.0, xy / (sqrt(xx) * sqrt(yy))));
}

/* From 1; a row that is there w times has w of the places. */
static void
rank_rows(DistilRanking *r, const int32 *weights)
{
	double		before = 0;

	for (int32 i = 0, end; i < r->n; i = end)
	{
		double		equal = 0;

		for (end = i; end < r->n && r->values[r->order[end]] == r->values[r->order[i]]; end++)
		{
			CHECK_ROW(end);
			equal += weight_of(weights, r->order[end]);
		}
		end = Max(end, i + 1);	/* a NaN is not equal to itself */
		for (int32 j = i; j < end; j++)
			r->ranks[r->order[j]] = before + (equal + 1) / 2;
		before += equal;
	}
}

double
distil_spearman(DistilRanking *x, DistilRanking *y, const int32 *weights)
{
	rank_rows(x, weights);
	rank_rows(y, weights);
	return distil_pearson(x->ranks, y->ranks, weights, x->n);
}

double
distil_rmse(const double *x, const double *y, const int32 *weights, int32 n)
{
	double		total = 0,
				squares = 0;

	for (int32 i = 0; i < n; i++)
	{
		double		w = weight_of(weights, i);

		CHECK_ROW(i);
		total += w;
		squares += w * (x[i] - y[i]) * (x[i] - y[i]);
	}
	return sqrt(squares / total);
}
