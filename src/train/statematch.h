/*
 * statematch.h -- vectors against a teacher's: hidden states of tokens, or
 * embeddings of texts.
 *
 * Where the teacher's are not as wide as the student's, the student's go
 * through a matrix first: params.w.steps[0].dense, to the width C' =
 * config.embedding.  It is learnt with the other parameters and forgotten at
 * the end.
 */
#ifndef DBERT_TRAIN_STATEMATCH_H
#define DBERT_TRAIN_STATEMATCH_H

#include "base/layout.h"
#include "train/plan.h"

/* Plan that matrix in t->config, if it is needed. */
extern void dbert_states_configure(DbertTrainer *t);

extern void dbert_states_place(DbertTrainer *t, DbertLayout *l, DbertActs *a);

/* What of a row's difference counts how much in the whole loss. */
typedef struct DbertStateShares
{
	double		cosine;			/* 1 - cosine */
	double		squares;		/* each element's squared difference */
} DbertStateShares;

/*
 * acts.row_sums[rows] = the loss of each row of x[rows, C] against y[rows, C'];
 * dy[rows, C'] = the derivative by what is compared, unless it is NULL.
 */
extern DbertStatus dbert_states_compare(const DbertPass *pass, const float *x, int rows,
										const float *y, DbertStateShares shares, float *dy);

/*
 * From dy[rows, C'] through the matrix: dx[rows, C], plus beta times what is
 * there, and the matrix's gradient, to which it is added where add.
 */
extern DbertStatus dbert_states_project_backward(const DbertPass *pass, const float *x,
												 const float *dy, int rows, bool add, float *dx,
												 float beta);

#endif
