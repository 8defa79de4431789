/*
 * pairloop.h -- many pairs of texts through a model, by batches.
 */
#ifndef DISTILBERT_PG_PAIRLOOP_H
#define DISTILBERT_PG_PAIRLOOP_H

#include "pg/run/runtext.h"

/* What the pairs 0 .. n-1 are and what becomes of them. */
typedef struct DistilPairLoop
{
	DistilModel *model;
	int			n;
	bool		cut_first;		/* truncation cuts the first text alone */
	void	   *ctx;

	/* The texts of pair e, released when it is done; false: there is none. */
	bool		(*get) (void *ctx, int e, DistilText *texts);

	/* Pair e is text i of the batch, which has run. */
	void		(*take) (void *ctx, int e, const DbertBatch *batch, int i, const DistilText *texts);

	/*
	 * Pair e cannot be evaluated, as distilbert.on_error allows; may be NULL.
	 */
	void		(*none) (void *ctx, int e);
} DistilPairLoop;

extern void distil_run_pairs(const DistilPairLoop *loop);

#endif
