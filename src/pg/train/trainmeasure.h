/*
 * trainmeasure.h -- how good a trainer's answers are: metrics, counted batch by
 * batch.
 */
#ifndef DISTILBERT_PG_TRAINMEASURE_H
#define DISTILBERT_PG_TRAINMEASURE_H

#include "dbert.h"
#include "pg/eval/correlation.h"
#include "pg/eval/metric.h"

/* What an evaluation adds up. */
typedef struct DistilTally
{
	const char *const *labels;	/* [n_labels] UTF-8 of the model; n_labels may be 0 */
	int			n_labels;
	bool		agreement;		/* the truth is what a teacher said */
	int			top;			/* of a teacher that fills masks: tokens that it names */

	DistilClassCount *counts;	/* [n_labels], one at least */
	int64		n;				/* numbers */
	double		said;			/* the sum of those said, */
	double		sum;			/* of the true ones, */
	double		sum_squares;	/* their squares, */
	double		errors;			/* the squares of their differences */
	DistilNumbers cosines;		/* of pairs with numbers, */
	DistilNumbers numbers;		/* and these numbers */
} DistilTally;

/* Memory is context's, and gone with it. */
extern DistilTally distil_tally_begin(const char *const *labels, int n_labels,
									  MemoryContext context);

typedef struct DistilMeasure
{
	const char *metric;			/* its name; of an agreement it is "agreement" */
	bool		is_error;		/* less is better, unless it is an agreement */

	/* Add a batch; answers are those of dbert_trainer_evaluate for it. */
	void		(*count) (DistilTally *t, const DbertTrainBatch *batch, const float *answers);

	/* The same of the teacher's own answers; NULL: count takes batch->soft. */
	void		(*count_teacher) (DistilTally *t, const DbertTrainBatch *batch);

	double		(*value) (const DistilTally *t);	/* of the metric, after all batches */
} DistilMeasure;

extern const DistilMeasure distil_measure_class;	/* one label each */
extern const DistilMeasure distil_measure_labels;	/* any number of labels */
extern const DistilMeasure distil_measure_number;
extern const DistilMeasure distil_measure_entities;
extern const DistilMeasure distil_measure_masked;	/* tokens that were masked */
extern const DistilMeasure distil_measure_pairs;	/* is the partner the nearest? */
extern const DistilMeasure distil_measure_similarity;	/* pairs with numbers */
extern const DistilMeasure distil_measure_answers;	/* places that a teacher found, too */
extern const DistilMeasure distil_measure_vectors;	/* near those of a teacher? */

#endif
