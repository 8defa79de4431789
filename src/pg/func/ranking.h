/*
 * ranking.h -- scores in order, the best first.
 */
#ifndef DISTILBERT_PG_RANKING_H
#define DISTILBERT_PG_RANKING_H

typedef struct DistilRanked
{
	int			number;			/* of the score */
	float		score;
} DistilRanked;

/* Scores [n], sorted, of equals the one that came first; palloc'd. */
extern DistilRanked *distil_rank(const float *scores, int n);

#endif
