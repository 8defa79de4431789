/*
 * metric.c -- see metric.h; definitions as in scikit-learn.
 */
#include "postgres.h"

#include <math.h>

#include "pg/eval/metric.h"

static double
ratio(int64 part, int64 whole)
{
	return whole == 0 ? NAN : (double) part / (double) whole;
}

double
distil_precision_of(const DistilClassCount *c)
{
	return ratio(c->hits, c->said);
}

double
distil_recall_of(const DistilClassCount *c)
{
	return ratio(c->hits, c->support);
}

double
distil_f1_of(const DistilClassCount *c)
{
	return ratio(2 * c->hits, c->said + c->support);
}

DistilClassCount
distil_sum_counts(const DistilClassCount *c, int n)
{
	DistilClassCount sum = {0};

	for (int i = 0; i < n; i++)
	{
		sum.hits += c[i].hits;
		sum.said += c[i].said;
		sum.support += c[i].support;
	}
	return sum;
}

DistilMeans
distil_means(const DistilClassCount *c, int n, bool weighted)
{
	DistilMeans sum = {0};
	double		weights = 0;

	for (int i = 0; i < n; i++)
	{
		double		w = weighted ? (double) c[i].support : c[i].support + c[i].said > 0;

		if (w == 0)
			continue;
		sum.precision += c[i].said > 0 ? w * distil_precision_of(&c[i]) : 0;
		sum.recall += c[i].support > 0 ? w * distil_recall_of(&c[i]) : 0;
		sum.f1 += w * distil_f1_of(&c[i]);
		weights += w;
	}
	return (DistilMeans) {sum.precision / weights, sum.recall / weights, sum.f1 / weights};
}
