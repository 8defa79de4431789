/*
 * ranking.c -- see ranking.h.
 */
#include "postgres.h"

#include "utils/float.h"

#include "pg/func/ranking.h"

static int
compare_ranked(const void *a, const void *b)
{
	const DistilRanked *x = a;
	const DistilRanked *y = b;
	int			order = float4_cmp_internal(y->score, x->score);

	return order != 0 ? order : x->number - y->number;
}

DistilRanked *
distil_rank(const float *scores, int n)
{
	DistilRanked *ranked = palloc_array(DistilRanked, Max(n, 1));

	for (int i = 0; i < n; i++)
		ranked[i] = (DistilRanked) {.number = i,.score = scores[i]};
	qsort(ranked, n, sizeof(DistilRanked), compare_ranked);
	return ranked;
}
