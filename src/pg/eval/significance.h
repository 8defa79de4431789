/*
 * significance.h -- may a difference of two models be chance?
 */
#ifndef DISTILBERT_PG_SIGNIFICANCE_H
#define DISTILBERT_PG_SIGNIFICANCE_H

/*
 * Two-sided p value of McNemar's test in its exact, binomial form: of rows on
 * which one alone of two models is right, so many are the first's and so many
 * the second's.  1 where there are none.
 */
extern double distil_mcnemar(int64 only_a, int64 only_b);

/*
 * differences[m] of the metrics when row i is there weights[i] times; NaN:
 * undefined.
 */
typedef void (*DistilDifferences) (void *ctx, const int32 *weights, double *differences);

/*
 * p[m]: two-sided p values of metrics' differences by the paired bootstrap over
 * rows 0 .. n-1; the same for the same seed.  Twice the share of resamples in
 * which the difference does not have the sign that it has in most (Efron and
 * Tibshirani 1993, "An Introduction to the Bootstrap", chapter 15, with 1 added
 * to both sides of the fraction, so that it is never 0).
 */
extern void distil_bootstrap(int32 n, int64 seed, DistilDifferences differences, void *ctx,
							 int metrics, double *p);

#endif
