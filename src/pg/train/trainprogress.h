/*
 * trainprogress.h -- where a training is, for the view distil_progress.
 */
#ifndef DISTILBERT_PG_TRAINPROGRESS_H
#define DISTILBERT_PG_TRAINPROGRESS_H

#include "utils/palloc.h"

/* Names are in trainprogress.c. */
typedef enum DistilTrainPhase
{
	DISTIL_PHASE_READING_MODEL,
	DISTIL_PHASE_READING_ROWS,
	DISTIL_PHASE_PREPARING,		/* labels, batches, memory */
	DISTIL_PHASE_TEACHER,		/* the teacher reads the rows */
	DISTIL_PHASE_TRAINING,
	DISTIL_PHASE_EVALUATING,
	DISTIL_PHASE_CHECKPOINTING,
	DISTIL_PHASE_STORING,
	DISTIL_PHASES
} DistilTrainPhase;

/* What the training fills in before it calls distil_progress_tell. */
typedef struct DistilProgressFields
{
	char		command[16];	/* "train", "pretrain", "distill" */
	char		model[64];
	int32		phase;			/* DistilTrainPhase */
	int32		epoch;			/* 0: not there yet */
	int32		epochs;
	int64		step;
	int64		steps;			/* 0: not known yet */
	int64		rows;			/* examples read */
	int64		memory;			/* bytes; 0: not known yet */
	double		loss;			/* of the last step; NaN: none yet */
	int64		first_step;		/* done when the steps of this call began, */
	int64		stepping_since; /* at that TimestampTz, or 0 */
	int64		started;		/* TimestampTz of the call */
	int64		saved;			/* TimestampTz of the last checkpoint, or 0 */
} DistilProgressFields;

typedef struct DistilProgress
{
	DistilProgressFields fields;
	int			fd;				/* -1: nobody will see it */
} DistilProgress;

/*
 * Show a training until context is reset or deleted, which is when the caller's
 * work ends, by an error, too.  Never fails: where the file cannot be had, a
 * line in the log says so.  A training within another is not shown.
 */
extern DistilProgress *distil_progress_begin(const char *command, const char *model,
											 MemoryContext context);

extern void distil_progress_tell(DistilProgress *progress);
extern void distil_progress_phase(DistilProgress *progress, DistilTrainPhase phase);

#endif
