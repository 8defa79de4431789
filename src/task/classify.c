/*
 * classify.c -- logits to scores, and the best label.
 *
 * The rule of transformers' TextClassificationPipeline: softmax over labels
 * that exclude each other, the logistic function for each of several labels,
 * the logits themselves for a regression.
 */
#include "dbert.h"

#include <math.h>

static void
softmax(const float *logits, float *scores, int n)
{
	float		max = logits[0];
	double		sum = 0;

	for (int i = 1; i < n; i++)
		max = logits[i] > max ? logits[i] : max;
	for (int i = 0; i < n; i++)
		sum += exp((double) logits[i] - max);
	for (int i = 0; i < n; i++)
		scores[i] = (float) (exp((double) logits[i] - max) / sum);
}

void
dbert_classify_scores(const DbertModel *model, const float *logits, float *scores)
{
	int			n = model->config.n_labels;

	switch ((DbertProblem) model->config.problem)
	{
		case DBERT_PROBLEM_SINGLE:
			softmax(logits, scores, n);
			break;
		case DBERT_PROBLEM_MULTI:
			for (int i = 0; i < n; i++)
				scores[i] = (float) (1 / (1 + exp(-(double) logits[i])));
			break;
		case DBERT_PROBLEM_REGRESSION:
			for (int i = 0; i < n; i++)
				scores[i] = logits[i];
			break;
	}
}

/* The first of equals.  Scores rise with logits, so these are enough. */
int
dbert_classify_best(const DbertModel *model, const float *logits)
{
	int			best = 0;

	for (int i = 1; i < model->config.n_labels; i++)
		if (logits[i] > logits[best])
			best = i;
	return best;
}
