/*
 * trainevaluate.c -- how good the model in training is on the rows held back.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"
#include "miscadmin.h"

#include "pg/bridge/alloc.h"
#include "pg/eval/correlation.h"
#include "pg/eval/spans.h"
#include "pg/train/trainjob.h"

/* What an evaluation adds up, beside job->counts. */
typedef struct Tally
{
	int64		n;				/* numbers */
	double		said;			/* the sum of those said, */
	double		sum;			/* of the true ones, */
	double		sum_squares;	/* their squares, */
	double		errors;			/* the squares of their differences */
	DistilNumbers cosines;		/* of pairs with numbers */
	DistilNumbers numbers;
} Tally;

/* Pairs with numbers are held back, and there are some. */
static bool
have_numbers(const DistilTrainJob *job)
{
	return job->n_validation > 0 && !isnan(job->set->texts[job->validation[0]].number);
}

/* A teacher's answers stand for labels that are not there. */
static bool
answers_are_truth(const DistilTrainJob *job)
{
	return job->teacher != NULL && !job->teacher->by_labels;
}

const char *
distil_train_metric(const DistilTrainJob *job)
{
	if (answers_are_truth(job))
		return "agreement";
	switch (job->set->kind)
	{
		case DISTIL_LABEL_ONE:
		case DISTIL_LABEL_NONE:
			return "accuracy";
		case DISTIL_LABEL_MANY:
		case DISTIL_LABEL_SPANS:
			return "f1";
		case DISTIL_LABEL_PAIR:
			return have_numbers(job) ? "spearman" : "accuracy";
		case DISTIL_LABEL_NUMBER:
		case DISTIL_LABEL_QUESTION:	/* nobody but a teacher knows */
			break;
	}
	return "rmse";
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
		said[i] = distil_best_of(logits + (Size) i * job->n_labels, job->n_labels, 1);
	distil_count_entities(job->labels, batch->classes + first, said, n, job->counts);
	pfree(said);
}

/*
 * Margins of the most likely tokens, 0 where it is the right one; all are
 * counted as of one class.
 */
static void
count_masked(const DistilTrainJob *job, const float *margins)
{
	int			n = job->batch->core.n_masked;

	job->counts[0].support += n;
	for (int i = 0; i < n; i++)
		job->counts[0].hits += margins[i] == 0;
}

/* The teacher's likeliest tokens, which it named first. */
static void
count_teacher_masked(const DistilTrainJob *job)
{
	const DbertTrainBatch *batch = &job->batch->core;

	job->counts[0].support += batch->n_masked;
	for (int i = 0; i < batch->n_masked; i++)
		job->counts[0].hits +=
			batch->soft_ids[(Size) i * job->teacher->distill.top] == batch->classes[i];
}

/*
 * Answers that start and end where the teacher's do; all are counted as of one
 * class.
 */
static void
count_answers(const DistilTrainJob *job, const float *logits)
{
	const DbertTrainBatch *batch = &job->batch->core;

	job->counts[0].support += batch->n_texts;
	for (int b = 0; b < batch->n_texts; b++)
	{
		Size		first = 2 * (Size) batch->cu[b];
		int			n = batch->cu[b + 1] - batch->cu[b];
		bool		same = true;

		for (int column = 0; column < 2; column++)
			same &= distil_best_of(logits + first + column, n, 2) ==
					distil_best_of(batch->soft + first + column, n, 2);
		job->counts[0].hits += same;
	}
}

/*
 * Cosines of pairs with numbers; margins of others, 0 where no other pair's
 * text is nearer than the partner.
 */
static void
count_pairs(const DistilTrainJob *job, const float *values, Tally *tally)
{
	const DbertTrainBatch *batch = &job->batch->core;
	int			n = batch->n_texts / 2;

	job->counts[0].support += n;
	for (int i = 0; i < n; i++)
	{
		job->counts[0].hits += values[i] == 0;
		if (batch->targets == NULL)
			continue;
		distil_numbers_add(&tally->cosines, values[i]);
		distil_numbers_add(&tally->numbers, batch->targets[i]);
	}
}

static double
spearman(const Tally *tally)
{
	MemoryContext old = MemoryContextSwitchTo(tally->cosines.context);
	DistilRanking said = distil_ranking(&tally->cosines),
				truth = distil_ranking(&tally->numbers);

	MemoryContextSwitchTo(old);
	return distil_spearman(&said, &truth, NULL);
}

static void
count_number(double said, double true_, Tally *t)
{
	t->n++;
	t->said += said;
	t->sum += true_;
	t->sum_squares += true_ * true_;
	t->errors += pow(said - true_, 2);
}

static void
count_labels(const DistilTrainJob *job, const float *logits, const float *targets)
{
	for (int j = 0; j < job->n_labels; j++)
	{
		bool		said = logits[j] > 0;
		bool		true_ = targets[j] > 0;

		job->counts[j].said += said;
		job->counts[j].support += true_;
		job->counts[j].hits += said && true_;
	}
}

static void
count_class(const DistilTrainJob *job, const float *logits, int32 class)
{
	int			best = distil_best_of(logits, job->n_labels, 1);

	job->counts[best].said++;
	job->counts[class].support++;
	job->counts[best].hits += best == class;
}

/* One row of logits against what is true, if that is known. */
static void
count_row(const DistilTrainJob *job, const float *logits, int row, Tally *tally)
{
	const DbertTrainBatch *batch = &job->batch->core;

	if (job->problem == DBERT_PROBLEM_SINGLE)
	{
		if (batch->classes[row] >= 0)
			count_class(job, logits, batch->classes[row]);
	}
	else if (isnan(batch->targets[(Size) row * job->n_labels]))
		return;
	else if (job->problem == DBERT_PROBLEM_MULTI)
		count_labels(job, logits, batch->targets + (Size) row * job->n_labels);
	else
	{
		for (int j = 0; j < job->n_labels; j++)
			count_number(logits[j], batch->targets[(Size) row * job->n_labels + j], tally);
	}
}

/* The n texts of the batch. */
static void
count_batch(const DistilTrainJob *job, const float *logits, int n, Tally *tally)
{
	if (job->head == DBERT_HEAD_MASK)
	{
		count_masked(job, logits);
		return;
	}
	if (job->head == DBERT_HEAD_SPAN)
	{
		count_answers(job, logits);
		return;
	}
	if (job->head == DBERT_HEAD_NONE)
	{
		if (job->teacher == NULL)
			count_pairs(job, logits, tally);
		for (int i = 0; job->teacher != NULL && i < n; i++)
			count_number(logits[i], 0, tally);
		return;
	}
	if (answers_are_truth(job))
		distil_teacher_answer(job);
	for (int i = 0; i < n; i++)
	{
		if (job->head == DBERT_HEAD_TOKEN)
			count_entities(job, logits + (Size) job->batch->cu[i] * job->n_labels, i);
		else
			count_row(job, logits + (Size) i * job->n_labels, i, tally);
	}
}

/*
 * Agreement of numbers is R^2, their coefficient of determination; of
 * embeddings their mean cosine.
 */
static double
metric_value(const DistilTrainJob *job, const Tally *t)
{
	DistilClassCount all = distil_sum_counts(job->counts, Max(job->n_labels, 1));

	if (job->problem == DBERT_PROBLEM_REGRESSION)
		return answers_are_truth(job)
				   ? 1 - t->errors / (t->sum_squares - t->sum * t->sum / (double) t->n)
				   : sqrt(t->errors / (double) t->n);
	if (job->head == DBERT_HEAD_NONE && job->teacher != NULL)
		return t->said / (double) t->n;
	if (job->head == DBERT_HEAD_NONE && have_numbers(job))
		return spearman(t);
	return job->set->kind == DISTIL_LABEL_MANY || job->set->kind == DISTIL_LABEL_SPANS
			   ? distil_f1_of(&all)
			   : distil_recall_of(&all);
}

DistilEvaluation
distil_train_evaluate(DistilTrainJob *job)
{
	double		sum = 0,
				weights = 0;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "distilbert evaluation",
												  ALLOCSET_DEFAULT_SIZES);
	Tally		tally = {.cosines.context = context,.numbers.context = context};
	DistilEvaluation result;

	memset(job->counts, 0, sizeof(DistilClassCount) * Max(job->n_labels, 1));
	for (int first = 0; first < job->n_validation;)
	{
		const float *logits;
		double		loss,
					weight;
		int			n = distil_train_fill(job, 0, job->validation, first, job->n_validation);

		distil_train_must(job,
						  dbert_trainer_evaluate(job->trainer, &job->batch->core, distil_poll(),
												 &logits, &loss, &weight, &job->err));
		count_batch(job, logits, n, &tally);
		sum += loss * weight;
		weights += weight;
		first += n;
	}
	result = (DistilEvaluation){ .loss = weights > 0 ? sum / weights : 0,
								 .value = metric_value(job, &tally) };
	MemoryContextDelete(context);
	return result;
}

double
distil_train_measure_teacher(DistilTrainJob *job)
{
	Tally		tally = {0};

	if (job->head == DBERT_HEAD_NONE)
		return 1;
	memset(job->counts, 0, sizeof(DistilClassCount) * Max(job->n_labels, 1));
	for (int first = 0, n; first < job->n_validation; first += n)
	{
		CHECK_FOR_INTERRUPTS();
		n = distil_train_fill(job, 0, job->validation, first, job->n_validation);
		if (job->head == DBERT_HEAD_MASK)
			count_teacher_masked(job);
		else
			count_batch(job, job->batch->core.soft, n, &tally);
	}
	return metric_value(job, &tally);
}
