/*
 * trainargs.h -- the arguments of distil_train and distil_pretrain.
 */
#ifndef DISTILBERT_PG_TRAINARGS_H
#define DISTILBERT_PG_TRAINARGS_H

#include "fmgr.h"

#include "dbert.h"
#include "pg/eval/examples.h"

typedef struct DistilTrainArgs
{
	const char *name;
	const char *query;
	const char *base;			/* NULL: a student made of the teacher */
	/*
	 * "classify", "sentiment", "regression", "entities", "embed"; "fill_mask"
	 * of distil_pretrain
	 */
	const char *task;
	int			epochs;
	float		learning_rate;
	int			batch_size;
	int			batch_tokens;
	int			max_tokens;
	float		weight_decay;
	float		warmup;
	float		dropout;
	const char *class_weights;	/* or NULL */
	const char *loss;			/* of embed, or NULL */
	bool		head_only;
	bool		freeze_embeddings;
	float		mask_share;		/* of fill_mask */
	bool		whole_word;
	const char *teacher;		/* of distil_distill; else NULL, and nothing of this part */
	int			layers;			/* 0: half the teacher's, or the base's */
	int			hidden;			/* 0: the teacher's, or the base's */
	DbertDistill distill;		/* cosine: -1 if it is not said */
	float		min_quality;	/* 0: none */
	float		validation;		/* share of the rows; 0 if there is a query */
	const char *validation_query;	/* or NULL */
	int			early_stopping; /* evaluations without progress, 0: none */
	int64		seed;
	bool		replace;
	bool		resume;
} DistilTrainArgs;

/* Read and check them all; raise naming the argument. */
extern DistilTrainArgs distil_train_args(FunctionCallInfo fcinfo);
extern DistilTrainArgs distil_pretrain_args(FunctionCallInfo fcinfo);
extern DistilTrainArgs distil_distill_args(FunctionCallInfo fcinfo);

/* What the task learns from. */
static inline DistilLearn
distil_train_wants(const DistilTrainArgs *args)
{
	if (strcmp(args->task, "regression") == 0)
		return DISTIL_LEARN_NUMBERS;
	if (strcmp(args->task, "fill_mask") == 0)
		return DISTIL_LEARN_TEXTS;
	if (strcmp(args->task, "embed") == 0)
		return DISTIL_LEARN_PAIRS;
	return strcmp(args->task, "entities") == 0 ? DISTIL_LEARN_SPANS : DISTIL_LEARN_CLASSES;
}

/*
 * The weights of classes as class_weights says: NULL for NULL; "balanced", as
 * scikit-learn (rows / (classes * rows of the class)); or a JSON object of
 * labels and numbers, 1 for those it does not name.  counts: rows of each
 * class.  Labels are UTF-8.
 */
extern const float *distil_train_class_weights(const char *spec, const char *const *labels,
											   int n_labels, const int64 *counts);

#endif
