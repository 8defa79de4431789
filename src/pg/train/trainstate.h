/*
 * trainstate.h -- a training's epochs and steps: what is to be run, and how far
 * it has come.
 *
 * Whatever a training remembers from one step to the next is in the trainer's
 * memory and in DistilTrainState: a checkpoint is made of these two.
 */
#ifndef DISTILBERT_PG_TRAINSTATE_H
#define DISTILBERT_PG_TRAINSTATE_H

#include "nodes/execnodes.h"
#include "portability/instr_time.h"

#include "dbert.h"
#include "pg/train/trainprogress.h"

/* What an evaluation found. */
typedef struct DistilEvaluation
{
	double		loss;
	double		value;			/* of the metric; NaN: there is none */
} DistilEvaluation;

/* A row of the result: the end of an epoch. */
typedef struct DistilTrainRow
{
	int32		epoch;
	int64		step;
	double		train_loss;		/* mean of the epoch's steps */
	DistilEvaluation evaluation;	/* where loops evaluate */
	double		seconds;
} DistilTrainRow;

typedef struct DistilTrainState
{
	int32		epoch;			/* the one that runs, from 1 */
	int32		next;			/* the first example in its order that was not learnt yet */
	int64		step;			/* done, of all epochs */
	int64		epoch_steps;	/* done, of this epoch */
	double		epoch_loss;		/* sum over them */
	double		best;			/* loss of the best evaluation */
	int32		since_best;		/* evaluations since */
	int32		n_rows;
	DistilTrainRow *rows;		/* [epochs] */
	double		seconds;		/* of all calls, when the checkpoint was written */
} DistilTrainState;

typedef struct DistilTrainCheckpoint DistilTrainCheckpoint;	/* traincheckpoint.h */

typedef struct DistilTrainLoop
{
	const char *subject;		/* for errors of the core */
	DbertTrainer *trainer;
	int			epochs;
	int64		steps;			/* of all epochs together */
	int64		seed;			/* of the order */
	const int32 *examples;		/* [n_examples] numbers of examples that an epoch goes through */
	int			n_examples;
	int			early_stopping; /* evaluations without progress, 0: none; see keep_best */
	DistilTrainCheckpoint *checkpoint;	/* or NULL: there will be none */
	bool		resume;			/* go on from it */
	DistilProgress *progress;	/* the loop tells it all but memory and rows */
	ReturnSetInfo *rsinfo;		/* its tuplestore takes the rows of the result */

	/*
	 * One step on the examples order[first .. end): as many as fit a batch,
	 * whose number is returned; *loss before the step.  Raises.
	 */
	int			(*step) (void *ctx, const int32 *order, int first, int end, double *loss);

	/* After each epoch, or NULL. */
	DistilEvaluation (*evaluate) (void *ctx);
	const char *metric;			/* its name */
	const double *teacher;		/* the metric's value of a teacher; NULL: it has no column */
	void	   *ctx;

	/* the loop's own */
	DistilTrainState state;
	instr_time	start;
	double		told_at;		/* seconds of this call, of the last message */
	double		saved_at;		/* of the last checkpoint */
	double		seconds_before; /* of earlier calls, as the checkpoint says */
	int64		first_step;		/* done by them */
} DistilTrainLoop;

#endif
