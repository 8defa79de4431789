/*
 * trainjob.h -- one call of distil_train, distil_pretrain or distil_distill, as
 * its parts share it.
 */
#ifndef DISTILBERT_PG_TRAINJOB_H
#define DISTILBERT_PG_TRAINJOB_H

#include "nodes/execnodes.h"

#include "pg/bridge/errors.h"
#include "pg/store/modelsource.h"
#include "pg/train/trainargs.h"
#include "pg/train/trainmask.h"
#include "pg/train/trainstate.h"

typedef struct DistilTeacher DistilTeacher;	/* trainteacher.h */

typedef struct DistilTrainJob
{
	DistilTrainArgs args;
	const char *command;		/* "train": of distil_train */
	const char *subject;		/* for errors of the core */
	DistilProgress *progress;
	DbertError	err;			/* the core's last */
	DbertAllocator allocator;
	DistilTeacher *teacher;		/* of a distillation, or NULL */

	/* the model it begins with, and the examples */
	DistilModelSource source;
	DbertTrainBase *base;
	DistilTrainSet *set;
	const DistilMasker *masker; /* of texts without labels, or NULL */

	/* what is learnt: trainlabels.c, trainpairs.c */
	DbertHead	head;
	DbertProblem problem;
	DbertEmbeddingLoss embedding_loss;	/* of embed */
	const int32 *tag_labels;	/* of entities: the label of each tag, if not the tag itself */
	const char *const *labels;	/* [n_labels] UTF-8 */
	int			n_labels;
	const DistilMeasure *measure;

	/* which examples are learnt and which held back: trainsplit.c */
	int32	   *training;		/* [n_training] numbers of examples */
	int			n_training;
	int32	   *validation;		/* [n_validation] */
	int			n_validation;

	bool		calibrates;		/* at the end: traincalibrate.c */

	/* how: trainplan.c */
	DbertTrainOptions options;
	DistilTrainBatch *batch;

	DbertTrainer *trainer;
	ReturnSetInfo *rsinfo;
	DistilTrainLoop loop;
} DistilTrainJob;

/* The core's failure, if it is one, raised. */
static inline void
distil_train_must(const DistilTrainJob *job, DbertStatus status)
{
	if (status != DBERT_OK)
		distil_raise(&job->err, job->subject);
}

#endif
