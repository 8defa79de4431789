/*
 * trainevaluate.c -- see trainevaluate.h.
 *
 * Where the examples of a distillation have no labels, the teacher's answers
 * take their place: the metric is then how far the student agrees with it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/train/trainevaluate.h"
#include "pg/train/trainstep.h"
#include "pg/train/trainteacher.h"

/* A teacher's answers stand for labels that are not there. */
static bool
answers_are_truth(const DistilTrainJob *job)
{
	return job->teacher != NULL && !job->teacher->by_labels;
}

const char *
distil_train_metric(const DistilTrainJob *job)
{
	return answers_are_truth(job) ? "agreement" : job->measure->metric;
}

bool
distil_train_metric_is_error(const DistilTrainJob *job)
{
	return job->measure->is_error && !answers_are_truth(job);
}

static DistilTally
begin_tally(const DistilTrainJob *job, MemoryContext context)
{
	DistilTally t = distil_tally_begin(job->labels, job->n_labels, context);

	t.agreement = answers_are_truth(job);
	if (job->teacher != NULL)
		t.top = job->teacher->distill.top;
	return t;
}

/* The batch's labels become the teacher's answers; not of a text's marks. */
static void
answer_by_teacher(const DistilTrainJob *job)
{
	const DistilTeacher *t = job->teacher;
	DistilTrainBatch *batch = job->batch;
	int			n = batch->core.n_texts,
				rows = job->head == DBERT_HEAD_TOKEN ? batch->cu[n] : n;

	for (int i = 0; i < rows && batch->targets == NULL; i++)
		batch->classes[i] = dbert_best_of(t->soft + (Size) i * job->n_labels, job->n_labels, 1);
	for (Size i = 0; batch->targets != NULL && i < (Size) rows * job->n_labels; i++)
		batch->targets[i] = job->problem == DBERT_PROBLEM_MULTI ? t->soft[i] > 0 : t->soft[i];
	for (int b = 0; job->head == DBERT_HEAD_TOKEN && b < n; b++)
		batch->classes[batch->cu[b]] = batch->classes[batch->cu[b + 1] - 1] = -1;
}

/* Of other heads the measure itself compares with what the teacher said. */
static void
complete_truth(const DistilTrainJob *job)
{
	if (answers_are_truth(job) &&
		(job->head == DBERT_HEAD_SEQUENCE || job->head == DBERT_HEAD_TOKEN))
		answer_by_teacher(job);
}

DistilEvaluation
distil_train_evaluate(DistilTrainJob *job)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "distilbert evaluation",
												  ALLOCSET_DEFAULT_SIZES);
	DistilTally tally = begin_tally(job, context);
	DistilEvaluation result;
	double		sum = 0,
				weights = 0;

	for (int first = 0; first < job->n_validation;)
	{
		const float *answers;
		double		loss,
					weight;
		int			n = distil_train_fill(job, 0, job->validation, first, job->n_validation);

		distil_train_must(job,
						  dbert_trainer_evaluate(job->trainer, &job->batch->core, distil_poll(),
												 &answers, &loss, &weight, &job->err));
		complete_truth(job);
		job->measure->count(&tally, &job->batch->core, answers);
		sum += loss * weight;
		weights += weight;
		first += n;
	}
	result = (DistilEvaluation) {
		.loss = weights > 0 ? sum / weights : 0,.value = job->measure->value(&tally)
	};
	MemoryContextDelete(context);
	return result;
}

static void
count_teacher(const DistilTrainJob *job, DistilTally *tally)
{
	complete_truth(job);
	if (job->measure->count_teacher != NULL)
		job->measure->count_teacher(tally, &job->batch->core);
	else
		job->measure->count(tally, &job->batch->core, job->batch->core.soft);
}

double
distil_train_measure_teacher(DistilTrainJob *job)
{
	DistilTally tally = begin_tally(job, CurrentMemoryContext);

	/* its vectors are as near to themselves as can be */
	if (job->measure == &distil_measure_vectors)
		return 1;
	for (int first = 0, n; first < job->n_validation; first += n)
	{
		CHECK_FOR_INTERRUPTS();
		n = distil_train_fill(job, 0, job->validation, first, job->n_validation);
		count_teacher(job, &tally);
	}
	return job->measure->value(&tally);
}
