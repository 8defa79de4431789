/*
 * trainloop.h -- epochs of steps, for every function that trains a model.
 *
 * A function says in a DistilTrainLoop what a step and an evaluation are, and
 * distil_train_epochs runs them: order of the examples, rows of the result,
 * messages, early stopping.  Whatever a loop remembers from one step to the
 * next, the trainer's memory apart, is in its state.
 */
#ifndef DISTILBERT_PG_TRAINLOOP_H
#define DISTILBERT_PG_TRAINLOOP_H

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
	int early_stopping; /* evaluations without progress, 0: none; options.keep_best with it */
	DistilTrainCheckpoint *checkpoint;	/* or NULL: there will be none */
	bool		resume;			/* go on from it */
	DistilProgress *progress;	/* the loop tells it all but memory and rows */
	/*
	 * materialized: epoch, step, train_loss, eval_loss, metric, value, seconds
	 */
	ReturnSetInfo *rsinfo;

	/*
	 * One step on the examples order[first .. end): as many as fit a batch,
	 * whose number is returned; *loss before the step.  Raises.
	 */
	int			(*step) (void *ctx, const int32 *order, int first, int end, double *loss);

	/* After each epoch, or NULL. */
	DistilEvaluation (*evaluate) (void *ctx);
	const char *metric;			/* its name */
	/*
	 * value of a teacher, which has a column behind "value"; NULL: no such
	 * column
	 */
	const double *teacher;
	void	   *ctx;

	/* the loop's own */
	DistilTrainState state;
	instr_time	start;
	double		told_at;		/* seconds of this call, of the last message */
	double		saved_at;		/* of the last checkpoint */
	double		seconds_before; /* of earlier calls, which checkpoints tell of */
	int64		first_step;		/* done by them */
} DistilTrainLoop;

/*
 * Run all epochs, or as many as early stopping leaves; its weights of the best
 * evaluation are the trainer's then.  A training that is resumed gives the rows
 * of its earlier calls again.  Memory is of the current context.
 */
extern void distil_train_epochs(DistilTrainLoop *loop);

/* order[n]: 0 .. n-1 in random order */
extern void distil_train_permute(int32 *order, int n, uint64 key);

/* order[n]: the examples as an epoch goes through them. */
extern void distil_train_shuffle(int64 seed, int epoch, const int32 *examples, int n, int32 *order);

#endif
