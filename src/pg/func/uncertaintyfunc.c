/*
 * uncertaintyfunc.c -- how unsure the classification of a text is.
 *
 *	   distil_uncertainty(text, model)			real, 0 .. 1
 *
 * The entropy of the labels' scores, divided by the highest it can be: 0 if one
 * label has everything, 1 if all have the same.  Texts that a model is unsure
 * of are those worth labelling next (uncertainty sampling: Settles, Active
 * Learning Literature Survey, 2009, section 3.1).
 *
 * Where each label is true or false by itself there is an entropy for each, and
 * the answer is their mean.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"

#include "pg/func/labels.h"
#include "pg/func/task.h"

static void
check_uncertainty(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	distil_require_head(model, DBERT_HEAD_SEQUENCE, task->function);
	if (model->core->config.problem != DBERT_PROBLEM_REGRESSION)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" cannot be used with %s", model->name, task->function),
			 errdetail("The model gives numbers, which do not tell how sure it is."),
			 errhint("Use a model that classifies; "
					 "distil_scores returns the numbers of this one.")));
}

/* What a label of this score adds to the entropy. */
static double
surprise(double score)
{
	return score > 0 ? -score * log(score) : 0;
}

/* Of n labels of which one is true. */
static double
entropy_of_one(const float *scores, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += surprise(scores[i]);
	return sum / log(n);
}

/* Of n labels each of which may be true. */
static double
entropy_of_each(const float *scores, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += surprise(scores[i]) + surprise(1.0 - scores[i]);
	return sum / (n * log(2));
}

static bool
answer_uncertainty(const DistilRun *run, int i, const DistilText *texts, Datum *answer)
{
	const DbertConfig *config = &run->model->core->config;
	float	   *scores = distil_label_scores(run->model, run->batch, i);
	double		entropy = config->problem == DBERT_PROBLEM_SINGLE
		? entropy_of_one(scores, config->n_labels) : entropy_of_each(scores, config->n_labels);

	pfree(scores);
	/* scores are rounded: their sum may be a little more than 1 */
	*answer = Float4GetDatum((float4) Min(entropy, 1.0));
	return true;
}

const DistilTask distil_task_uncertainty = {
	.function = "distil_uncertainty",
	.want = DBERT_WANT_LOGITS,
	.type = FLOAT4OID,
	.check = check_uncertainty,
	.answer = answer_uncertainty
};
