/*
 * significance.c -- see significance.h.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "dbert.h"
#include "pg/eval/significance.h"

#define RESAMPLES 1000
#define MAX_METRICS 8

double
distil_mcnemar(int64 only_a, int64 only_b)
{
	double		n = (double) only_a + only_b,
				k = Min(only_a, only_b),
				term = exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) - n * M_LN2),
				sum = 0;

	/*
	 * P(X <= k) of n fair coins, from its largest term down to those that no
	 * longer count
	 */
	for (double i = k; i >= 0 && term > sum * 1e-17; i--)
	{
		sum += term;
		term *= i / (n - i + 1);
	}
	return Min(1.0, 2 * sum);
}

/* Draw n rows out of n. */
static void
draw(int32 *weights, int32 n, uint64 key)
{
	memset(weights, 0, sizeof(int32) * (Size) n);
	for (int32 i = 0; i < n; i++)
	{
		if ((i & 0xffff) == 0)
			CHECK_FOR_INTERRUPTS();
		weights[dbert_random_at(key, i) % (uint64) n]++;
	}
}

void
distil_bootstrap(int32 n, int64 seed, DistilDifferences differences, void *ctx, int metrics,
				 double *p)
{
	int32	   *weights = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int32) * (Size) n);
	double		d[MAX_METRICS];
	int			not_above[MAX_METRICS] = {0},
				not_below[MAX_METRICS] = {0};

	Assert(metrics <= MAX_METRICS);
	for (int r = 0; r < RESAMPLES; r++)
	{
		draw(weights, n, dbert_random_key((uint64) seed, 0, r));
		differences(ctx, weights, d);
		for (int m = 0; m < metrics; m++)
		{
			not_above[m] += !(d[m] > 0);
			not_below[m] += !(d[m] < 0);
		}
	}
	for (int m = 0; m < metrics; m++)
		p[m] = Min(1.0, 2.0 * (1 + Min(not_above[m], not_below[m])) / (RESAMPLES + 1));
	pfree(weights);
}
