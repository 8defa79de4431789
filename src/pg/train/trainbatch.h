/*
 * trainbatch.h -- examples of a training, as many as fit a batch.
 */
#ifndef DISTILBERT_PG_TRAINBATCH_H
#define DISTILBERT_PG_TRAINBATCH_H

#include "pg/train/trainset.h"

typedef struct DistilTrainBatch
{
	DbertTrainBatch core;
	int32	   *cu;
	int32	   *ids;
	uint8	   *types;			/* NULL: all 0 */
	int32	   *classes;
	float	   *targets;
	int32	   *masked;			/* of NONE; see trainmask.h */
	const int32 *tag_labels;	/* of SPANS: the label of each tag; NULL: the tag itself */
	int			max_texts;
	int			max_tokens;
	int			n_labels;
} DistilTrainBatch;

extern DistilTrainBatch *distil_trainbatch_create(const DistilTrainSet *set, int max_texts,
												  int max_tokens, int n_labels);

/*
 * Examples order[first .. end), as many as fit max_tokens tokens and max_texts
 * examples, one at least; returns how many.
 */
extern int	distil_trainbatch_fill(DistilTrainBatch *batch, const DistilTrainSet *set,
								   const int32 *order, int first, int end);

/* How many batches order[n] makes. */
extern int64 distil_trainbatch_count(const DistilTrainBatch *batch, const DistilTrainSet *set,
									 const int32 *order, int n);

#endif
