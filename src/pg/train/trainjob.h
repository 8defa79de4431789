/*
 * trainjob.h -- one call of distil_train, as its parts share it.
 */
#ifndef DISTILBERT_PG_TRAINJOB_H
#define DISTILBERT_PG_TRAINJOB_H

#include "nodes/execnodes.h"

#include "pg/bridge/errors.h"
#include "pg/store/modelsource.h"
#include "pg/train/trainargs.h"
#include "pg/train/traindigest.h"
#include "pg/train/trainloop.h"
#include "pg/train/trainmask.h"
#include "pg/eval/metric.h"
#include "pg/train/trainset.h"
#include "pg/train/trainteacher.h"

typedef struct DistilTrainJob
{
	DistilTrainArgs args;
	const char *command;		/* "train": of distil_train */
	const char *subject;		/* for errors of the core */
	DistilProgress *progress;
	DbertError	err;			/* the core's last */
	DbertAllocator allocator;
	DistilModelSource source;
	DbertTrainBase *base;
	DistilTrainSet *set;
	DbertHead	head;
	DbertProblem problem;
	DbertEmbeddingLoss embedding_loss;	/* of embed */
	const int32 *tag_labels;	/* of entities: the label of each tag, if not the tag itself */
	const char *const *labels;	/* [n_labels] UTF-8 */
	int			n_labels;
	int32	   *training;		/* numbers of texts */
	int			n_training;
	int32	   *validation;
	int			n_validation;
	DbertTrainOptions options;
	DbertTrainer *trainer;
	DistilTrainBatch *batch;
	const DistilMasker *masker; /* of texts without labels, or NULL */
	DistilTeacher *teacher;		/* of a distillation, or NULL */
	DistilClassCount *counts;	/* [n_labels], or 1, of an evaluation */
	ReturnSetInfo *rsinfo;
	DistilTrainLoop loop;
} DistilTrainJob;

/*
 * traindigest.c: what the training's result follows from; options and rows are
 * final.
 */
extern void distil_train_digests(const DistilTrainJob *job, DistilTrainDigests *digests);

/* The core's failure, if it is one, raised. */
static inline void
distil_train_must(const DistilTrainJob *job, DbertStatus status)
{
	if (status != DBERT_OK)
		distil_raise(&job->err, job->subject);
}

/*
 * trainlabels.c: from the rows that were read to head, problem, labels; the
 * rows' classes are numbered by it.  Raises where there is nothing to tell
 * apart.
 */
extern void distil_train_choose_labels(DistilTrainJob *job);

/*
 * The same where job->labels are given: the rows' classes are their numbers;
 * raises if one is none of them.
 */
extern void distil_train_place_labels(DistilTrainJob *job);

/*
 * distil_trainbatch_fill, and tokens are masked if they are what is learnt, in
 * every epoch (from 1) others; 0: those of evaluations, and of a teacher, who
 * reads them once.
 */
static inline int
distil_train_fill(const DistilTrainJob *job, int epoch, const int32 *order, int first, int end)
{
	int			n = distil_trainbatch_fill(job->batch, job->set, order, first, end);

	if (job->masker != NULL)
		distil_mask_batch(job->masker, job->batch, order + first, job->teacher != NULL ? 0 : epoch);
	if (job->teacher != NULL)
		distil_teacher_fill(job, order + first, n);
	return n;
}

/*
 * trainevaluate.c: the rows held back, without dropout; there is one at least.
 */
extern DistilEvaluation distil_train_evaluate(DistilTrainJob *job);

/*
 * trainpairs.c: the loss of pairs of texts, and their numbers as it takes them;
 * after they are split.
 */
extern void distil_train_begin_pairs(DistilTrainJob *job);

/* The metric's value for what the teacher says of them. */
extern double distil_train_measure_teacher(DistilTrainJob *job);

/* "accuracy", "f1", "rmse", "spearman" or "agreement" */
extern const char *distil_train_metric(const DistilTrainJob *job);

#endif
