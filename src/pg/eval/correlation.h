/*
 * correlation.h -- how near numbers that were said are to the true ones.
 *
 * All functions take rows 0 .. n-1, row i weights[i] times, for resampling;
 * weights NULL: each once.  Definitions as in scipy.stats, computed in double.
 */
#ifndef DISTILBERT_PG_CORRELATION_H
#define DISTILBERT_PG_CORRELATION_H

/* Numbers of rows that come one by one. */
typedef struct DistilNumbers
{
	double	   *values;			/* [n] */
	int32		n;
	Size		capacity;
	MemoryContext context;
} DistilNumbers;

extern void distil_numbers_add(DistilNumbers *numbers, double value);

/* Numbers and their order, with room for their ranks. */
typedef struct DistilRanking
{
	const double *values;		/* [n], the caller's */
	int32	   *order;			/* [n], by value */
	double	   *ranks;			/* [n], of the last correlation */
	int32		n;
} DistilRanking;

extern DistilRanking distil_ranking(const DistilNumbers *numbers);

/* -1 .. 1; NaN where one side is constant. */
extern double distil_pearson(const double *x, const double *y, const int32 *weights, int32 n);

/* Pearson's of the ranks, equal values sharing the mean of theirs. */
extern double distil_spearman(DistilRanking *x, DistilRanking *y, const int32 *weights);

/* Root of the mean squared difference. */
extern double distil_rmse(const double *x, const double *y, const int32 *weights, int32 n);

#endif
