/*
 * loss.c -- losses and their derivatives by the logits.
 *
 * As PyTorch's CrossEntropyLoss (class weights, ignored tokens; the mean is
 * weighted), BCEWithLogitsLoss and MSELoss, computed in double.
 */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

/* The weight of a row's class; 0 for a token that does not count. */
static double
class_weight(const DbertPass *pass, int32_t class)
{
	const float *weights = pass->trainer->options.class_weights;

	return class < 0 ? 0 : weights != NULL ? weights[class] : 1;
}

static double
total_weight(const DbertPass *pass)
{
	const DbertTrainOptions *o = &pass->trainer->options;
	double		total = 0;

	if (o->head == DBERT_HEAD_SEQUENCE && o->problem != DBERT_PROBLEM_SINGLE)
		return (double) pass->rows * o->n_labels;
	for (int i = 0; i < pass->rows; i++)
		total += class_weight(pass, pass->batch->classes[i]);
	return total;
}

/* w (log sum exp(x) - x[class]); derivative w (softmax(x) - [class]) */
static double
cross_entropy(float *x, int n, int32_t class, double weight, double share, bool differentiate)
{
	double		max = x[0],
				sum = 0,
				loss;

	for (int j = 1; j < n; j++)
		max = x[j] > max ? x[j] : max;
	for (int j = 0; j < n; j++)
		sum += exp(x[j] - max);
	loss = weight == 0 ? 0 : weight * (max + log(sum) - x[class]);
	for (int j = 0; differentiate && j < n; j++)
		x[j] = (float) (weight * share * (exp(x[j] - max) / sum - (j == class)));
	return loss;
}

/* max(x, 0) - x y + log(1 + exp(-|x|)); derivative sigmoid(x) - y */
static double
binary_cross_entropy(float *x, const float *y, int n, double share, bool differentiate)
{
	double		loss = 0;

	for (int j = 0; j < n; j++)
	{
		double		e = exp(-fabs((double) x[j]));

		loss += (x[j] > 0 ? x[j] : 0) - (double) x[j] * y[j] + log1p(e);
		if (differentiate)
			x[j] = (float) (share * ((x[j] > 0 ? 1 / (1 + e) : e / (1 + e)) - y[j]));
	}
	return loss;
}

/* (x - y)^2; derivative 2 (x - y) */
static double
squared_error(float *x, const float *y, int n, double share, bool differentiate)
{
	double		loss = 0;

	for (int j = 0; j < n; j++)
	{
		double		e = (double) x[j] - y[j];

		loss += e * e;
		if (differentiate)
			x[j] = (float) (share * 2 * e);
	}
	return loss;
}

DbertStatus
dbert_pass_loss(const DbertPass *pass, bool differentiate, double *loss, double *weight)
{
	const DbertTrainOptions *o = &pass->trainer->options;
	const DbertTrainBatch *batch = pass->batch;
	double		total = total_weight(pass),
				share = total > 0 ? 1 / total : 0,
				sum = 0;
	int			n = o->n_labels;

	for (int i = 0; i < pass->rows; i++)
	{
		float	   *x = pass->trainer->acts.logits + (size_t) i * n;
		const float *y = batch->targets ? batch->targets + (size_t) i * n : NULL;

		if (o->head == DBERT_HEAD_TOKEN || o->problem == DBERT_PROBLEM_SINGLE)
			sum += cross_entropy(x, n, batch->classes[i], class_weight(pass, batch->classes[i]), share,
								 differentiate);
		else if (o->problem == DBERT_PROBLEM_MULTI)
			sum += binary_cross_entropy(x, y, n, share, differentiate);
		else
			sum += squared_error(x, y, n, share, differentiate);
	}
	*weight = total;
	*loss = sum * share;
	if (!isfinite(*loss))
		return dbert_fail(pass->run.err, DBERT_E_INVALID, "the loss is no longer finite: training has diverged");
	return DBERT_OK;
}
