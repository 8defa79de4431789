/*
 * trainargs.h -- the arguments of distil_train, distil_pretrain and
 * distil_distill, and those of distil_trim_vocabulary.
 */
#ifndef DISTILBERT_PG_TRAINARGS_H
#define DISTILBERT_PG_TRAINARGS_H

#include "fmgr.h"

#include "dbert.h"
#include "pg/store/load.h"
#include "pg/train/traintask.h"

/* Whether scores of classes are calibrated at the end. */
typedef enum DistilCalibrate
{
	DISTIL_CALIBRATE_NEVER,
	DISTIL_CALIBRATE_IF_POSSIBLE,
	DISTIL_CALIBRATE_ALWAYS
} DistilCalibrate;

typedef struct DistilTrainArgs
{
	const char *name;
	const char *query;
	const char *base;			/* NULL: a student made of the teacher */
	const DistilTrainTask *task;	/* NULL: that of the teacher */
	int			epochs;
	float		learning_rate;
	int			batch_size;
	int			batch_tokens;
	int			max_tokens;
	float		weight_decay;
	float		warmup;
	float		dropout;
	const char *class_weights;	/* see classweights.h, or NULL */
	const char *loss;			/* one of the task's, or NULL */
	bool		head_only;
	bool		freeze_embeddings;
	float		mask_share;		/* of fill_mask */
	bool		whole_word;
	const char *teacher;		/* of distil_distill; else NULL, and nothing of this part */
	int			layers;			/* 0: half the teacher's, or the base's */
	int			hidden;			/* 0: the teacher's, or the base's */
	DbertDistill distill;		/* cosine: -1 if it is not said */
	float		min_quality;	/* 0: none */
	bool		is_static;		/* the student is static embeddings (staticjob.h): */
	int			dimensions;		/* of a vector */
	float		validation;		/* share of the rows; 0 if there is a query */
	const char *validation_query;	/* or NULL */
	int			early_stopping; /* evaluations without progress, 0: none */
	int64		seed;
	DistilReplace replace;
	bool		resume;
	DistilCalibrate calibrate;
} DistilTrainArgs;

/* Of distil_trim_vocabulary. */
typedef struct DistilTrimArgs
{
	const char *name;
	const char *model;
	const char *query;
	int			vocabulary;		/* 0: all tokens that occur */
	DistilReplace replace;
} DistilTrimArgs;

/* Read and check them all; raise naming the argument. */
extern DistilTrainArgs distil_train_args(FunctionCallInfo fcinfo);
extern DistilTrainArgs distil_pretrain_args(FunctionCallInfo fcinfo);
extern DistilTrainArgs distil_distill_args(FunctionCallInfo fcinfo);
extern DistilTrimArgs distil_trim_args(FunctionCallInfo fcinfo);

#endif
