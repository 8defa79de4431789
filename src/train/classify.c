/*
 * classify.c -- heads that classify texts or tokens, or give numbers; their losses.
 *
 * As PyTorch's CrossEntropyLoss (class weights, ignored tokens; the mean is
 * weighted), BCEWithLogitsLoss and MSELoss, computed in double.
 */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

/* ---- the head ---- */

static void
place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows)
{
	a->z = dbert_layout_floats(l, rows, t->config.hidden);
	a->d = dbert_layout_floats(l, rows, t->config.hidden);
	a->logits = dbert_layout_floats(l, rows, t->options.n_labels);
}

/* logits = out(drop(act(dense(hidden)))); TOKEN has no dense */
static DbertStatus
forward(const DbertPass *pass)
{
	DbertTrainer *t = pass->trainer;
	const DbertWeights *w = &t->params.w;
	const DbertActs *a = &t->acts;
	const DbertTrainRun *run = &pass->run;
	const float *last = a->hidden;

	if (w->head_dense.w != NULL)
	{
		DBERT_TRY(dbert_linear_forward(run, &w->head_dense, a->hidden, pass->rows, a->z));
		DBERT_TRY(dbert_act_forward(run, w->head_act, a->z, pass->rows, t->config.hidden, a->d));
		last = a->d;
	}
	DBERT_TRY(dbert_pass_drop(pass, DBERT_DROP_HEAD, 0, last, pass->rows, a->d));
	return dbert_linear_forward(run, &w->head_out, a->d, pass->rows, a->logits);
}

/* dx[R, C] from dlogits; hidden, in whose memory it may lie, is read before */
static DbertStatus
backward(const DbertPass *pass, float *dx)
{
	DbertTrainer *t = pass->trainer;
	const DbertWeights *w = &t->params.w,
			   *g = &t->params.g;
	const DbertActs *a = &t->acts;
	const DbertTrainRun *run = &pass->run;
	float	   *dh = a->t;

	DBERT_TRY(dbert_linear_backward(run, &w->head_out, &g->head_out, a->d, a->logits, pass->rows, dh, 0));
	DBERT_TRY(dbert_pass_drop(pass, DBERT_DROP_HEAD, 0, dh, pass->rows, dh));
	if (w->head_dense.w != NULL)
	{
		DBERT_TRY(dbert_act_forward(run, w->head_act, a->z, pass->rows, t->config.hidden, a->d));
		DBERT_TRY(dbert_act_backward(run, w->head_act, a->z, a->d, dh, pass->rows, t->config.hidden, a->z));
		DBERT_TRY(dbert_linear_backward(run, &w->head_dense, &g->head_dense, a->hidden, a->z, pass->rows,
										t->layers_learn ? dh : NULL, 0));
	}
	if (t->layers_learn)
		memcpy(dx, dh, (size_t) pass->rows * t->config.hidden * sizeof(float));
	return DBERT_OK;
}

/* ---- losses ---- */

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

static DbertStatus
loss_of_logits(const DbertPass *pass, bool differentiate, double *loss, double *weight)
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

const DbertObjective dbert_classify = {place, forward, loss_of_logits, backward};
