/*
 * predict.h -- what a model says of the rows of a query, beside what is true.
 *
 * distil_evaluate, distil_confusion and distil_compare stand on it.
 */
#ifndef DISTILBERT_PG_PREDICT_H
#define DISTILBERT_PG_PREDICT_H

#include "pg/eval/calibration.h"
#include "pg/eval/examples.h"
#include "pg/eval/likeness.h"
#include "pg/eval/metric.h"
#include "pg/eval/spanplace.h"
#include "pg/run/runtext.h"

/* What a model says of a row. */
typedef enum DistilAnswerKind
{
	DISTIL_ANSWER_LABEL,		/* the best one */
	DISTIL_ANSWER_LABELS,		/* those with a score above a half */
	DISTIL_ANSWER_NUMBER,		/* distil_score's, of a cross-encoder distil_rerank's */
	DISTIL_ANSWER_SIMILARITY,	/* of two texts: the cosine of their embeddings */
	DISTIL_ANSWER_ENTITIES,		/* as distil_entities finds them; in words, those of their tags */
	DISTIL_ANSWER_TRANSLATION	/* distil_translate's */
} DistilAnswerKind;

/*
 * Labels, each once, in order of appearance; of models of entities their types.
 */
typedef struct DistilLabels
{
	const char **names;			/* [n] UTF-8 */
	int			n;
} DistilLabels;

typedef struct DistilPredictor
{
	DistilModel *model;
	const char *function;		/* SQL name, for messages */
	DistilAnswerKind kind;
	DistilLabels own;
	int		   *numbers;		/* [own.n]: theirs among the labels of all predictors */
	int		   *of_head;		/* [n_labels of the model]: the same of its head's, but of tags */
	DistilSpanPlaces places;	/* of the rows' entities */
} DistilPredictor;

/* An entity that was said or is true. */
typedef struct DistilTyped
{
	int32		start;
	int32		end;
	int			label;			/* number among all labels */
} DistilTyped;

/* What was said of a row.  Labels are numbers among all labels. */
typedef struct DistilPrediction
{
	bool		there;			/* not if the model failed, and distilbert.on_error is "null" */
	int			n_labels;
	int		   *labels;			/* [n_labels]: 1 of LABEL, rising of LABELS */
	float	   *scores;			/* of both: of all labels of the model's head */
	double		number;			/* of NUMBER and SIMILARITY */
	int			n_entities;
	DistilTyped *entities;		/* [n_entities] */
	DistilLikeness *likeness;	/* of TRANSLATION: to the row's reference */
} DistilPrediction;

/*
 * A predictor of a model, whose labels join those in labels.  Raises for heads
 * whose answers cannot be measured.
 */
extern DistilPredictor distil_predictor(DistilModel *model, const char *function,
										DistilLabels *labels);

/* What it gives, for messages: "one label", "a number", ... */
extern const char *distil_answer_name(const DistilPredictor *p);

/* What its rows are to be read as. */
extern DistilLearn distil_predictor_learn(const DistilPredictor *p);

/*
 * What the model says of rows [n], whose last column is of this kind; palloc'd.
 * Raises if rows and model do not fit; text by text it does as
 * distilbert.on_error and .long_text say.
 */
extern DistilPrediction *distil_predict(DistilPredictor *p, DistilLabelKind kind,
										const DistilExample *rows, int n);

/*
 * The number of a label of a row among all labels; raises if the model has none
 * such.
 */
extern int	distil_true_label(const DistilPredictor *p, const char *label);

/*
 * Add to counts[n of all labels] what was said of a row that is there, and what
 * is true.
 */
extern void distil_count_prediction(const DistilPredictor *p, const DistilExample *row,
									const DistilPrediction *said, DistilClassCount *counts);

/*
 * Add the scores of LABEL, the best one's, or of LABELS, each one's, and
 * whether they are right.
 */
extern void distil_count_scores(const DistilPredictor *p, const DistilExample *row,
								const DistilPrediction *said, DistilCalibration *c);

/* The same labels, or entities. */
extern bool distil_same_prediction(const DistilPrediction *a, const DistilPrediction *b);

/*
 * Raise unless there were rows; tell what was left out, and whether entities
 * are where p's model cannot find any.
 */
extern void distil_examples_end(const DistilPredictor *p, const DistilExampleCounts *counts,
								int64 used);

#endif
