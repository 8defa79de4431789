/*
 * classify.c -- heads that classify texts or tokens, or give numbers; their
 * losses.
 *
 * As PyTorch's CrossEntropyLoss (class weights, ignored tokens; the mean is
 * weighted), BCEWithLogitsLoss and MSELoss, computed in double.
 */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

/* ---- the head ---- */

void
dbert_classify_place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows)
{
	a->z = dbert_layout_floats(l, rows, t->config.hidden);
	a->d = dbert_layout_floats(l, rows, t->config.hidden);
	a->logits = dbert_layout_floats(l, rows, t->options.n_labels);
}

/* logits = out(drop(act(dense(hidden)))); TOKEN has no dense */
DbertStatus
dbert_classify_forward(const DbertPass *pass, const float *hidden, int rows)
{
	DbertTrainer *t = pass->trainer;
	const DbertWeights *w = &t->params.w;
	const DbertActs *a = &t->acts;
	const DbertTrainRun *run = &pass->run;
	const float *last = hidden;

	if (w->head_dense.w != NULL)
	{
		DBERT_TRY(dbert_linear_forward(run, &w->head_dense, hidden, rows, a->z));
		DBERT_TRY(dbert_act_forward(run, w->head_act, a->z, rows, t->config.hidden, a->d));
		last = a->d;
	}
	DBERT_TRY(dbert_pass_drop(pass, DBERT_DROP_HEAD, 0, last, rows, a->d));
	return dbert_linear_forward(run, &w->head_out, a->d, rows, a->logits);
}

DbertStatus
dbert_classify_backward(const DbertPass *pass, const float *hidden, int rows, float *dx)
{
	DbertTrainer *t = pass->trainer;
	const DbertWeights *w = &t->params.w,
			   *g = &t->params.g;
	const DbertActs *a = &t->acts;
	const DbertTrainRun *run = &pass->run;
	float	   *dh = a->t;

	DBERT_TRY(dbert_linear_backward(run, &w->head_out, &g->head_out, a->d, a->logits, rows, dh, 0));
	DBERT_TRY(dbert_pass_drop(pass, DBERT_DROP_HEAD, 0, dh, rows, dh));
	if (w->head_dense.w != NULL)
	{
		DBERT_TRY(dbert_act_forward(run, w->head_act, a->z, rows, t->config.hidden, a->d));
		DBERT_TRY(
			dbert_act_backward(run, w->head_act, a->z, a->d, dh, rows, t->config.hidden, a->z));
		DBERT_TRY(dbert_linear_backward(run, &w->head_dense, &g->head_dense, hidden, a->z, rows,
										t->layers_learn ? dh : NULL, 0));
	}
	if (t->layers_learn)
		memcpy(dx, dh, (size_t) rows * t->config.hidden * sizeof(float));
	return DBERT_OK;
}

static DbertStatus
forward(const DbertPass *pass)
{
	return dbert_classify_forward(pass, pass->trainer->acts.hidden, pass->rows);
}

static DbertStatus
backward(const DbertPass *pass, float *dx)
{
	return dbert_classify_backward(pass, pass->trainer->acts.hidden, pass->rows, dx);
}

/* ---- losses ---- */

/* Classes, or numbers of their own. */
static bool
has_classes(const DbertTrainOptions *o)
{
	return o->head == DBERT_HEAD_TOKEN || o->problem == DBERT_PROBLEM_SINGLE;
}

/*
 * What a row counts in the mean: 0 for a token that does not, and a text that
 * has no label.
 */
static double
row_weight(const DbertPass *pass, int row)
{
	const DbertTrainOptions *o = &pass->trainer->options;

	if (has_classes(o))
	{
		int32_t		class = pass->batch->classes[row];

		return class < 0 ? 0 : o->class_weights != NULL ? o->class_weights[class] : 1;
	}
	return isnan(pass->batch->targets[(size_t) row * o->n_labels]) ? 0 : o->n_labels;
}

double
dbert_classify_weight(const DbertPass *pass, int rows)
{
	double		total = 0;

	for (int i = 0; i < rows; i++)
		total += row_weight(pass, i);
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

double
dbert_squared_error(float *x, const float *y, int n, double share, bool differentiate)
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

double
dbert_classify_loss(const DbertPass *pass, int row, float *x, double share, bool differentiate)
{
	const DbertTrainOptions *o = &pass->trainer->options;
	const DbertTrainBatch *batch = pass->batch;
	double		weight = row_weight(pass, row);
	int			n = o->n_labels;

	if (has_classes(o))
		return cross_entropy(x, n, batch->classes[row], weight, share, differentiate);
	if (weight == 0)
	{
		memset(x, 0, differentiate ? n * sizeof(float) : 0);
		return 0;
	}
	if (o->problem == DBERT_PROBLEM_MULTI)
		return binary_cross_entropy(x, batch->targets + (size_t) row * n, n, share, differentiate);
	return dbert_squared_error(x, batch->targets + (size_t) row * n, n, share, differentiate);
}

static DbertStatus
loss_of_logits(const DbertPass *pass, bool differentiate, double *loss, double *weight)
{
	double		total = dbert_classify_weight(pass, pass->rows),
				share = total > 0 ? 1 / total : 0,
				sum = 0;

	for (int i = 0; i < pass->rows; i++)
		sum += dbert_classify_loss(pass, i,
								   pass->trainer->acts.logits +
									   (size_t) i * pass->trainer->options.n_labels,
								   share, differentiate);
	*weight = total;
	*loss = sum * share;
	return dbert_pass_check_loss(pass, *loss);
}

const DbertObjective dbert_classify = {
	dbert_classify_place, forward, loss_of_logits, backward, NULL, NULL
};
