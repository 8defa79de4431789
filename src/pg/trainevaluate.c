/*
 * trainevaluate.c -- how good the model in training is on the rows held back.
 */
#include "postgres.h"

#include <math.h>

#include "pg/alloc.h"
#include "pg/spans.h"
#include "pg/trainjob.h"

const char *
distil_train_metric(const DistilTrainJob *job)
{
	switch (job->set->kind)
	{
		case DISTIL_LABEL_ONE:
		case DISTIL_LABEL_NONE:
			return "accuracy";
		case DISTIL_LABEL_MANY:
		case DISTIL_LABEL_SPANS:
			return "f1";
		case DISTIL_LABEL_NUMBER:
			break;
	}
	return "rmse";
}

static int
best_label(const float *logits, int n)
{
	int			best = 0;

	for (int j = 1; j < n; j++)
		best = logits[j] > logits[best] ? j : best;
	return best;
}

/* The entities of one text of the batch; logits are those of its tokens. */
static void
count_entities(const DistilTrainJob *job, const float *logits, int text)
{
	const DbertTrainBatch *batch = &job->batch->core;
	int			first = batch->cu[text],
				n = batch->cu[text + 1] - first;
	int32	   *said = palloc(sizeof(int32) * n);

	for (int i = 0; i < n; i++)
		said[i] = best_label(logits + (Size) i * job->n_labels, job->n_labels);
	distil_count_entities(job->labels, batch->classes + first, said, n, job->counts);
	pfree(said);
}

/* Margins of the most likely tokens, 0 where it is the right one; all are counted as of one class. */
static void
count_masked(const DistilTrainJob *job, const float *margins)
{
	int			n = job->batch->core.n_masked;

	job->counts[0].support += n;
	for (int i = 0; i < n; i++)
		job->counts[0].hits += margins[i] == 0;
}

/* One row of logits against what is true. */
static void
count_row(const DistilTrainJob *job, const float *logits, int row, double *squares)
{
	const DbertTrainBatch *batch = &job->batch->core;
	int			best;

	if (job->problem == DBERT_PROBLEM_REGRESSION)
		*squares += pow((double) logits[0] - batch->targets[row], 2);
	for (int j = 0; job->problem == DBERT_PROBLEM_MULTI && j < job->n_labels; j++)
	{
		bool		said = logits[j] > 0;
		bool		true_ = batch->targets[(Size) row * job->n_labels + j] > 0;

		job->counts[j].said += said;
		job->counts[j].support += true_;
		job->counts[j].hits += said && true_;
	}
	if (job->problem != DBERT_PROBLEM_SINGLE)
		return;
	best = best_label(logits, job->n_labels);
	job->counts[best].said++;
	job->counts[batch->classes[row]].support++;
	job->counts[best].hits += best == batch->classes[row];
}

static double
metric_value(const DistilTrainJob *job, double squares)
{
	DistilClassCount all = distil_sum_counts(job->counts, Max(job->n_labels, 1));

	if (job->problem == DBERT_PROBLEM_REGRESSION)
		return sqrt(squares / job->n_validation);
	return job->set->kind == DISTIL_LABEL_ONE || job->head == DBERT_HEAD_MASK ? distil_recall_of(&all) : distil_f1_of(&all);
}

DistilEvaluation
distil_train_evaluate(DistilTrainJob *job)
{
	double		sum = 0,
				weights = 0,
				squares = 0;

	memset(job->counts, 0, sizeof(DistilClassCount) * Max(job->n_labels, 1));
	for (int first = 0; first < job->n_validation;)
	{
		const float *logits;
		double		loss,
					weight;
		int			n = distil_train_fill(job, 0, job->validation, first, job->n_validation);

		distil_train_must(job, dbert_trainer_evaluate(job->trainer, &job->batch->core, distil_poll(), &logits, &loss, &weight,
										 &job->err));
		if (job->head == DBERT_HEAD_MASK)
			count_masked(job, logits);
		for (int i = 0; i < n && job->head != DBERT_HEAD_MASK; i++)
		{
			if (job->head == DBERT_HEAD_TOKEN)
				count_entities(job, logits + (Size) job->batch->cu[i] * job->n_labels, i);
			else
				count_row(job, logits + (Size) i * job->n_labels, i, &squares);
		}
		sum += loss * weight;
		weights += weight;
		first += n;
	}
	return (DistilEvaluation) {.loss = weights > 0 ? sum / weights : 0,.value = metric_value(job, squares)};
}
