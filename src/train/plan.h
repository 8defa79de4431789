/*
 * plan.h -- the inside of a DbertTrainer and of a pass over a batch: the
 * parameters, what a forward leaves to its backward, who reads which rows.
 *
 * Everything is sized by the options and allocated once.  Letters as in
 * nn/encoder.h; R are the rows of the last layer that go on from its
 * attention's output: those that the head reads, or all N.
 */
#ifndef DBERT_TRAIN_PLAN_H
#define DBERT_TRAIN_PLAN_H

#include "model/slots.h"
#include "train/ops.h"
#include "train/train.h"

/*
 * The parameters as the slots of the model room plan them, row-major: values,
 * and, for those that learn, gradients and AdamW's two moments, laid out by a
 * plan of their own in which frozen slots have no bytes.
 */
typedef struct DbertParams
{
	DbertSlots	slots;			/* places in values */
	DbertSlots	learning;		/* the same slots: places in gradients and moments */
	float	   *values;
	float	   *gradients;
	float	   *mean;			/* first moment */
	float	   *square;			/* second moment */
	float	   *best;			/* dbert_trainer_keep's, like values; or NULL */
	DbertWeights w;				/* into values */
	DbertWeights g;				/* into gradients; of frozen slots nothing to use */
} DbertParams;

/* What the forward of one layer leaves to its backward. */
typedef struct DbertLayerActs
{
	float	   *x;				/* [N, C] input */
	float	   *qkv;			/* [N, 3C] */
	float	   *context;		/* [N, C] */
	float	   *xhat1;			/* [N, C] of the norm after attention, or before it */
	float	   *rstd1;			/* [N] */
	float	   *y1;				/* [N, C] what the feed-forward reads */
	float	   *u;				/* [N, G] before the activation */
	float	   *xhat2;			/* [N, C] of the norm after the feed-forward, or before it */
	float	   *rstd2;			/* [N] */
} DbertLayerActs;

typedef struct DbertActs
{
	float	   *xhat0;			/* [N, C] of the embeddings' norm */
	float	   *rstd0;			/* [N] */
	DbertLayerActs *layers;		/* [L]; all the same memory if the layers do not learn */
	float	   *xhat_last;		/* [N, C] of a norm behind the last layer */
	float	   *rstd_last;		/* [N] */
	float	   *rotary;			/* sines and cosines (model/angles.h), [tables, T, D] */
	float	   *hidden;			/* [R, C] output of the last layer, [N, C] memory */

	/* the objective's: those that it places */
	float	   *z;				/* [R, C] the head's dense layer, before the activation */
	float	   *d;				/* [R, C] what the output layer takes */
	float *logits; /* [R, n_labels]; then their derivative; of MASK dbert_trainer_evaluate's [R] */
	float	   *head_xhat;		/* [R, C] of the head's norm */
	float	   *head_rstd;		/* [R] */
	float	   *dd;				/* [R, C] the derivative by d */
	float	   *block;			/* logits, see vocabloss.c; cosines, see learnvectors.c */
	double	   *terms;			/* of pairs, see learnvectors.c */
	float	   *first;			/* [B, C] what the head reads of texts whose rows all go on */
	float	   *row;			/* [n_labels]; of SPAN [2, max_text_tokens] */
	float	   *projected;		/* [N, C'] states as wide as the teacher's */
	float	   *dprojected;		/* [N, C'] */
	double	   *row_sums;		/* [N] */
	double	   *head_sums;		/* [B, H] */

	/* scratch */
	float	   *wide;			/* [N, max(F, C)] */
	float	   *wide2;			/* [N, max(F, 3C)] */
	float	   *t;				/* [N, C] */
	float	   *t2;				/* [N, C] */
	float	   *packed;			/* of products */
	float	   *attention;		/* dbert_self_attention_scratch for each thread */
	float	   *dbias;			/* [B, H, DBERT_BIAS_ROWS] of a layer, if scores have a bias */
	double	   *sums;			/* of parts of the gradients */
} DbertActs;

typedef struct DbertPass DbertPass;
typedef struct DbertObjective DbertObjective;	/* objective.h */
typedef struct DbertSteps DbertSteps;

struct DbertTrainer
{
	const DbertAllocator *alloc;
	const DbertTrainBase *base;
	DbertTrainOptions options;
	const DbertObjective *objective;	/* of the head */
	const DbertSteps *steps;	/* the objective's, or a teacher's (distill.c) */
	DbertConfig config;			/* the base's with the new head */
	DbertParams params;
	DbertActs	acts;
	void	   *memory;			/* of all arrays */
	DbertThreads  *pool;
	bool		layers_learn;
	bool		embeddings_learn;
	bool		kept_head;
	bool		tied;			/* the decoder of MASK is the word embedding */
	bool		kept;			/* params.best was filled */
	int64_t		step;			/* done so far */
};

/* Rows of a batch. */
typedef struct DbertRows
{
	int			count;
	const int32_t *picked;		/* [count] which of N they are, rising; NULL: all */
} DbertRows;

/* A pass over a batch. */
struct DbertPass
{
	DbertTrainer *trainer;
	const DbertTrainBatch *batch;
	DbertTrainRun run;
	bool		training;		/* with dropout */
	int			n;				/* N */
	DbertRows head;			/* the rows that the head reads */
	int			rows;			/* R */
	const int32_t *picked;		/* [R] the rows of N that they are, rising; NULL: all */
};

#endif
