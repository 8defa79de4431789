/*
 * classify.c -- logits to scores, and the best label.
 *
 * The rule of transformers' TextClassificationPipeline: softmax over labels
 * that exclude each other, the logistic function for each of several labels,
 * the logits themselves for a regression.
 */
#include "task/classify.h"

#include "base/numbers.h"

void
dbert_classify_scores(const DbertModel *model, const float *logits, float *scores)
{
	int			n = model->config.n_labels;

	switch ((DbertProblem) model->config.problem)
	{
		case DBERT_PROBLEM_SINGLE:
			dbert_softmax(logits, n, scores);
			break;
		case DBERT_PROBLEM_MULTI:
			for (int i = 0; i < n; i++)
				scores[i] = (float) dbert_logistic(logits[i]);
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
	return dbert_best_of(logits, model->config.n_labels, 1);
}
