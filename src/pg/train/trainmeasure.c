/*
 * trainmeasure.c -- see trainmeasure.h.
 *
 * Where answers are just right or wrong all are counted as of one class.
 */
#include "postgres.h"

#include <math.h>

#include "pg/eval/spans.h"
#include "pg/train/trainmeasure.h"

DistilTally
distil_tally_begin(const char *const *labels, int n_labels, MemoryContext context)
{
	DistilTally t = {
		.labels = labels,.n_labels = n_labels,.cosines.context = context,.numbers.context = context
	};

	t.counts = MemoryContextAllocZero(context, sizeof(DistilClassCount) * Max(n_labels, 1));
	return t;
}

/* The shares of all classes together: of what is true, and f1. */
static double
accuracy(const DistilTally *t)
{
	DistilClassCount all = distil_sum_counts(t->counts, Max(t->n_labels, 1));

	return distil_recall_of(&all);
}

static double
f1(const DistilTally *t)
{
	DistilClassCount all = distil_sum_counts(t->counts, Max(t->n_labels, 1));

	return distil_f1_of(&all);
}

/* ---- labels ---- */

/* A class below 0: nobody knows. */
static void
count_class(DistilTally *t, const DbertTrainBatch *batch, const float *logits)
{
	for (int row = 0; row < batch->n_texts; row++)
	{
		int			class = batch->classes[row],
					best;

		if (class < 0)
			continue;
		best = dbert_best_of(logits + (Size) row * t->n_labels, t->n_labels, 1);
		t->counts[best].said++;
		t->counts[class].support++;
		t->counts[best].hits += best == class;
	}
}

const DistilMeasure distil_measure_class = {
	.metric = "accuracy",.count = count_class,.value = accuracy
};

/* NaN in the first target: nobody knows. */
static void
count_labels(DistilTally *t, const DbertTrainBatch *batch, const float *logits)
{
	for (Size row = 0; row < batch->n_texts; row++)
	{
		const float *targets = batch->targets + row * t->n_labels;

		for (int j = 0; j < t->n_labels && !isnan(targets[0]); j++)
		{
			bool		said = logits[row * t->n_labels + j] > 0;
			bool		true_ = targets[j] > 0;

			t->counts[j].said += said;
			t->counts[j].support += true_;
			t->counts[j].hits += said && true_;
		}
	}
}

const DistilMeasure distil_measure_labels = {
	.metric = "f1",.count = count_labels,.value = f1
};

/* The entities of one text after the other; logits are those of its tokens. */
static void
count_entities(DistilTally *t, const DbertTrainBatch *batch, const float *logits)
{
	for (int text = 0; text < batch->n_texts; text++)
	{
		int			first = batch->cu[text],
					n = batch->cu[text + 1] - first;
		int32	   *said = palloc_array(int32, n);

		for (int i = 0; i < n; i++)
			said[i] = dbert_best_of(logits + (Size) (first + i) * t->n_labels, t->n_labels, 1);
		distil_count_entities(t->labels, batch->classes + first, said, n, t->counts);
		pfree(said);
	}
}

const DistilMeasure distil_measure_entities = {
	.metric = "f1",.count = count_entities,.value = f1
};

/* ---- numbers ---- */

static void
count_number(DistilTally *t, double said, double true_)
{
	t->n++;
	t->said += said;
	t->sum += true_;
	t->sum_squares += true_ * true_;
	t->errors += pow(said - true_, 2);
}

static void
count_numbers(DistilTally *t, const DbertTrainBatch *batch, const float *logits)
{
	for (Size row = 0; row < batch->n_texts; row++)
	{
		const float *targets = batch->targets + row * t->n_labels;

		for (int j = 0; j < t->n_labels && !isnan(targets[0]); j++)
			count_number(t, logits[row * t->n_labels + j], targets[j]);
	}
}

/* Of an agreement R^2, the coefficient of determination. */
static double
root_of_errors(const DistilTally *t)
{
	if (t->agreement)
		return 1 - t->errors / (t->sum_squares - t->sum * t->sum / (double) t->n);
	return sqrt(t->errors / (double) t->n);
}

const DistilMeasure distil_measure_number = {
	.metric = "rmse",.is_error = true,.count = count_numbers,.value = root_of_errors
};

/* ---- masked tokens ---- */

/* Margins of the most likely tokens: 0 where it is the right one. */
static void
count_masked(DistilTally *t, const DbertTrainBatch *batch, const float *margins)
{
	t->counts[0].support += batch->n_masked;
	for (int i = 0; i < batch->n_masked; i++)
		t->counts[0].hits += margins[i] == 0;
}

/* The teacher names its likeliest token first. */
static void
count_teacher_masked(DistilTally *t, const DbertTrainBatch *batch)
{
	t->counts[0].support += batch->n_masked;
	for (int i = 0; i < batch->n_masked; i++)
		t->counts[0].hits += batch->soft_ids[(Size) i * t->top] == batch->classes[i];
}

const DistilMeasure distil_measure_masked = {
	.metric = "accuracy",.count = count_masked,.count_teacher = count_teacher_masked,
	.value = accuracy
};

/* ---- places of answers ---- */

/* A hit starts and ends where the teacher's answer does. */
static void
count_answers(DistilTally *t, const DbertTrainBatch *batch, const float *logits)
{
	t->counts[0].support += batch->n_texts;
	for (int b = 0; b < batch->n_texts; b++)
	{
		Size		first = 2 * (Size) batch->cu[b];
		int			n = batch->cu[b + 1] - batch->cu[b];
		bool		same = true;

		for (int column = 0; column < 2; column++)
			same &= dbert_best_of(logits + first + column, n, 2) ==
					dbert_best_of(batch->soft + first + column, n, 2);
		t->counts[0].hits += same;
	}
}

const DistilMeasure distil_measure_answers = {
	.metric = "agreement",.count = count_answers,.value = accuracy
};

/* ---- embeddings ---- */

/* Margins: 0 where no other pair's text is nearer than the partner. */
static void
count_pairs(DistilTally *t, const DbertTrainBatch *batch, const float *margins)
{
	t->counts[0].support += batch->n_texts / 2;
	for (int i = 0; i < batch->n_texts / 2; i++)
		t->counts[0].hits += margins[i] == 0;
}

const DistilMeasure distil_measure_pairs = {
	.metric = "accuracy",.count = count_pairs,.value = accuracy
};

static void
count_similarity(DistilTally *t, const DbertTrainBatch *batch, const float *cosines)
{
	for (int i = 0; i < batch->n_texts / 2 && batch->targets != NULL; i++)
	{
		distil_numbers_add(&t->cosines, cosines[i]);
		distil_numbers_add(&t->numbers, batch->targets[i]);
	}
}

static double
spearman(const DistilTally *t)
{
	MemoryContext old = MemoryContextSwitchTo(t->cosines.context);
	DistilRanking said = distil_ranking(&t->cosines),
				truth = distil_ranking(&t->numbers);

	MemoryContextSwitchTo(old);
	return distil_spearman(&said, &truth, NULL);
}

const DistilMeasure distil_measure_similarity = {
	.metric = "spearman",.count = count_similarity,.value = spearman
};

/* Cosines with the teacher's embeddings. */
static void
count_vectors(DistilTally *t, const DbertTrainBatch *batch, const float *cosines)
{
	for (int i = 0; i < batch->n_texts; i++)
		count_number(t, cosines[i], 0);
}

static double
mean_said(const DistilTally *t)
{
	return t->said / (double) t->n;
}

const DistilMeasure distil_measure_vectors = {
	.metric = "agreement",.count = count_vectors,.value = mean_said
};
