/*
 * learnspans.c -- an objective: where answers start and end, by a teacher's
 * answers alone.
 *
 * The softmax is over the tokens of a text, once for starts (column 0 of the
 * logits) and once for ends (column 1).
 */
#include "train/distill.h"
#include "train/labelhead.h"
#include "train/softloss.h"

static DbertStatus
check_options(const DbertConfig *base, const DbertTrainOptions *o, DbertError *err)
{
	if (o->distill->hard > 0 || o->n_labels != 2)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s learn from a teacher alone",
						  dbert_learn_span.name);
	return DBERT_OK;
}

/* acts.row: the student's and the teacher's logits of one text's tokens */
static void
place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows)
{
	dbert_labelhead_place(t, l, a, rows);
	a->row = dbert_layout_floats(l, 2, t->options.max_text_tokens);
}

/* Of one text's starts or ends; their logits become the derivative. */
static double
column_loss(const DbertPass *pass, int text, int column, double share, bool differentiate)
{
	const DbertActs *a = &pass->trainer->acts;
	int			first = pass->batch->cu[text],
				n = pass->batch->cu[text + 1] - first;
	float	   *x = a->row,
			   *y = a->row + n,
			   *logits = a->logits + (size_t) first * 2 + column;
	const float *soft = pass->batch->soft + (size_t) first * 2 + column;
	double		loss;

	for (int i = 0; i < n; i++)
	{
		x[i] = logits[2 * i];
		y[i] = soft[2 * i];
	}
	loss = dbert_soft_classes(x, y, n, pass->trainer->options.distill->temperature, share,
							  differentiate);
	for (int i = 0; differentiate && i < n; i++)
		logits[2 * i] = x[i];
	return loss;
}

/* The mean over texts, starts and ends. */
static DbertStatus
loss_of_columns(const DbertPass *pass, bool differentiate, double *loss)
{
	const DbertDistill *d = pass->trainer->options.distill;
	int			texts = pass->batch->n_texts;
	double		share = dbert_distill_share(d, d->soft, 2.0 * texts);

	if (d->soft == 0)
	{
		memset(pass->trainer->acts.logits, 0,
			   differentiate ? (size_t) pass->n * 2 * sizeof(float) : 0);
		return DBERT_OK;
	}
	for (int b = 0; b < texts; b++)
	{
		DBERT_TRY(dbert_train_poll(&pass->run));
		for (int column = 0; column < 2; column++)
			*loss += share * column_loss(pass, b, column, share, differentiate);
	}
	return DBERT_OK;
}

static double
weight(const DbertPass *pass)
{
	return pass->batch->n_texts;
}

static const DbertLesson taught = { .place = place,
									.forward = dbert_labelhead_forward,
									.loss = loss_of_columns,
									.weight = weight,
									.backward = dbert_labelhead_backward };

const DbertObjective dbert_learn_span = { .name = "heads that find answers",
										  .check_options = check_options,
										  .rows = dbert_rows_all,
										  .rows_most = dbert_rows_all_most,
										  .taught = &taught };
