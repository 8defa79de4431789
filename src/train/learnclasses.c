/*
 * learnclasses.c -- objectives: labels of texts or tokens, or numbers.
 *
 * As PyTorch's CrossEntropyLoss (class weights, ignored tokens; the mean is
 * weighted), BCEWithLogitsLoss and MSELoss, computed in double.  In each of
 * these a function takes a row of logits x and returns its loss; when
 * differentiate is set, x becomes share times the derivative.
 *
 * With a teacher the soft loss of a row is softloss.h's, over classes or
 * labels, or the squared error; the hard one is that of a row's own label.
 */
#include "model/family.h"
#include "train/distill.h"
#include "train/labelhead.h"
#include "train/pass.h"
#include "train/project.h"
#include "train/softloss.h"

#include <math.h>

/* ---- losses ---- */

/* Classes, or numbers of their own. */
static bool
has_classes(const DbertTrainer *t)
{
	return t->config.problem == DBERT_PROBLEM_SINGLE;
}

/*
 * What a row counts in the mean: 0 for a token that does not, and a text that
 * has no label.
 */
static double
row_weight(const DbertPass *pass, int row)
{
	const DbertTrainOptions *o = &pass->trainer->options;

	if (has_classes(pass->trainer))
	{
		int32_t		class = pass->batch->classes[row];

		return class < 0 ? 0 : o->class_weights != NULL ? o->class_weights[class] : 1;
	}
	return isnan(pass->batch->targets[(size_t) row * o->n_labels]) ? 0 : o->n_labels;
}

/* What the mean over all rows is divided by. */
static double
total_weight(const DbertPass *pass)
{
	double		total = 0;

	for (int i = 0; i < pass->head.count; i++)
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

/* sum of (x - y)^2; derivative 2 (x - y) */
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

/* A row's loss by its label. */
static double
hard_row(const DbertPass *pass, int row, float *x, double share, bool differentiate)
{
	const DbertTrainBatch *batch = pass->batch;
	double		weight = row_weight(pass, row);
	int			n = pass->trainer->options.n_labels;

	if (has_classes(pass->trainer))
		return cross_entropy(x, n, batch->classes[row], weight, share, differentiate);
	if (weight == 0)
	{
		memset(x, 0, differentiate ? n * sizeof(float) : 0);
		return 0;
	}
	if (pass->trainer->config.problem == DBERT_PROBLEM_MULTI)
		return binary_cross_entropy(x, batch->targets + (size_t) row * n, n, share, differentiate);
	return squared_error(x, batch->targets + (size_t) row * n, n, share, differentiate);
}

/* ---- from labels ---- */

static void
place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows)
{
	dbert_labelhead_place(t, l, a, rows);
	a->first =
		dbert_layout_floats(l, dbert_head_reads_mean(&t->config) ? rows : 0, t->config.hidden);
}

/* Means are made of all rows. */
static bool
all_rows(const DbertTrainer *t)
{
	return dbert_head_reads_mean(&t->config);
}

/* What the head reads: rows that went on alone, or means of all. */
static const float *
head_input(const DbertPass *pass)
{
	const DbertActs *a = &pass->trainer->acts;

	return dbert_head_reads_mean(&pass->trainer->config) ? a->first : a->hidden;
}

static DbertStatus
forward(const DbertPass *pass)
{
	const DbertActs *a = &pass->trainer->acts;

	if (dbert_head_reads_mean(&pass->trainer->config))
		dbert_head_rows(pass, a->hidden, a->first);
	return dbert_labelhead_forward(pass, head_input(pass));
}

static DbertStatus
loss_of_logits(const DbertPass *pass, bool differentiate, double *loss, double *weight)
{
	double		total = total_weight(pass),
				share = total > 0 ? 1 / total : 0,
				sum = 0;

	for (int i = 0; i < pass->head.count; i++)
		sum += hard_row(pass, i,
						pass->trainer->acts.logits + (size_t) i * pass->trainer->options.n_labels,
						share, differentiate);
	*weight = total;
	*loss = sum * share;
	return dbert_pass_check_loss(pass, *loss);
}

static DbertStatus
backward(const DbertPass *pass, float *dx)
{
	const DbertTrainer *t = pass->trainer;

	if (!dbert_head_reads_mean(&t->config))
		return dbert_labelhead_backward(pass, t->acts.hidden, dx);
	DBERT_TRY(dbert_labelhead_backward(pass, t->acts.first, t->acts.first));
	memset(dx, 0, (size_t) pass->n * t->config.hidden * sizeof(float));
	dbert_head_rows_backward(pass, t->acts.first, dx);
	return DBERT_OK;
}

static const DbertSteps alone = { .place = place,
								  .all_rows = all_rows,
								  .forward = forward,
								  .loss = loss_of_logits,
								  .backward = backward };

/* ---- from a teacher ---- */

static void
lesson_place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows)
{
	dbert_labelhead_place(t, l, a, rows);
	a->row = dbert_layout_floats(l, t->options.n_labels, 1);
}

/* A row's loss by the teacher's answer. */
static double
soft_row(const DbertPass *pass, int row, float *x, double share, bool differentiate)
{
	int			n = pass->trainer->options.n_labels;
	const float *y = pass->batch->soft + (size_t) row * n;
	double		t = pass->trainer->options.distill->temperature;

	if (has_classes(pass->trainer))
		return dbert_soft_classes(x, y, n, t, share, differentiate);
	if (pass->trainer->config.problem == DBERT_PROBLEM_MULTI)
		return dbert_soft_labels(x, y, n, t, share, differentiate);
	return squared_error(x, y, n, share, differentiate);
}

/* Does the head read all tokens, not texts? */
static bool
of_tokens(const DbertPass *pass)
{
	return pass->head.picked == NULL;
}

/*
 * What the mean of the soft loss is divided by: as the hard loss', of tokens
 * all but [CLS] and the last [SEP].
 */
static double
soft_weight(const DbertPass *pass)
{
	const DbertTrainBatch *batch = pass->batch;
	double		weight = 0;

	if (!of_tokens(pass))
		return batch->n_texts *
			   (has_classes(pass->trainer) ? 1.0 : pass->trainer->options.n_labels);
	for (int b = 0; b < batch->n_texts; b++)
	{
		int			inner = batch->cu[b + 1] - batch->cu[b] - 2;

		weight += inner > 0 ? inner : 0;
	}
	return weight;
}

static double
lesson_weight(const DbertPass *pass)
{
	return of_tokens(pass) ? soft_weight(pass) : pass->batch->n_texts;
}

/*
 * Whether token i, of text *b or a later one, is neither its text's first nor
 * its last.
 */
static bool
is_inner(const DbertPass *pass, int i, int *b)
{
	while (i >= pass->batch->cu[*b + 1])
		++*b;
	return i > pass->batch->cu[*b] && i < pass->batch->cu[*b + 1] - 1;
}

static DbertStatus
lesson_loss(const DbertPass *pass, bool differentiate, double *loss)
{
	const DbertDistill *d = pass->trainer->options.distill;
	const DbertActs *a = &pass->trainer->acts;
	int			n = pass->trainer->options.n_labels,
				b = 0;
	double		soft = dbert_distill_share(d, d->soft, d->soft > 0 ? soft_weight(pass) : 0),
				hard = dbert_distill_share(d, d->hard, d->hard > 0 ? total_weight(pass) : 0);

	for (int i = 0; i < pass->head.count; i++)
	{
		float	   *x = a->logits + (size_t) i * n;
		bool		counts = soft > 0 && (!of_tokens(pass) || is_inner(pass, i, &b));

		memcpy(a->row, x, n * sizeof(float));
		if (hard > 0)
			*loss += hard * hard_row(pass, i, a->row, hard, differentiate);
		else
			memset(a->row, 0, n * sizeof(float));
		if (counts)
			*loss += soft * soft_row(pass, i, x, soft, differentiate);
		for (int j = 0; differentiate && j < n; j++)
			x[j] = counts ? x[j] + a->row[j] : a->row[j];
	}
	return dbert_train_poll(&pass->run);
}

static const DbertLesson taught = { .place = lesson_place,
									.forward = dbert_labelhead_forward,
									.loss = lesson_loss,
									.weight = lesson_weight,
									.backward = dbert_labelhead_backward };

/* ---- the objectives ---- */

const DbertObjective dbert_learn_sequence = { .name = "labels of texts",
											  .rows = dbert_rows_first,
											  .rows_most = dbert_rows_first_most,
											  .alone = &alone,
											  .taught = &taught };

const DbertObjective dbert_learn_token = { .name = "labels of tokens",
										   .rows = dbert_rows_all,
										   .rows_most = dbert_rows_all_most,
										   .alone = &alone,
										   .taught = &taught };
