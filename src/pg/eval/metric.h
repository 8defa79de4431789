/*
 * metric.h -- how good answers are: counts per class and what follows from
 * them.
 */
#ifndef DISTILBERT_PG_METRIC_H
#define DISTILBERT_PG_METRIC_H

/* Of one class. */
typedef struct DistilClassCount
{
	int64		hits;			/* said and true */
	int64		said;
	int64		support;		/* true */
} DistilClassCount;

/* NaN where nothing was said, or nothing is true. */
extern double distil_precision_of(const DistilClassCount *c);
extern double distil_recall_of(const DistilClassCount *c);

/*
 * 2 hits / (said + support): 0 where the class occurs but has no hit, NaN where
 * it does not occur.
 */
extern double distil_f1_of(const DistilClassCount *c);

typedef struct DistilMeans
{
	double		precision;
	double		recall;
	double		f1;
} DistilMeans;

/*
 * Means over the classes that occur, as answers or in the rows, each counting
 * the same or (weighted) by its support.  What is undefined for one of them
 * counts as 0, as in scikit-learn's report.  NaN where none occurs.
 */
extern DistilMeans distil_means(const DistilClassCount *c, int n, bool weighted);

/* All classes' counts in one: micro averages. */
extern DistilClassCount distil_sum_counts(const DistilClassCount *c, int n);

#endif
