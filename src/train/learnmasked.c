/*
 * learnmasked.c -- an objective: the tokens that were there before they were
 * masked.
 *
 * A dense layer and a norm below the decoder, whose products and loss are
 * vocabloss.c's.  They are done in the loss, which leaves to the backward the
 * derivative by the decoder's input.  The decoder is the word embedding, unless
 * the base has one of its own.
 *
 * Source: Devlin et al. 2018 (arXiv:1810.04805), section 3.1, task 1;
 * transformers' BertLMPredictionHead.
 */
#include "train/distill.h"
#include "train/pass.h"
#include "train/trainbase.h"
#include "train/vocabloss.h"

/* ---- options, batches ---- */

static DbertStatus
check_options(const DbertConfig *base, const DbertTrainOptions *o, DbertError *err)
{
	const DbertDistill *d = o->distill;

	if (o->head_only || o->freeze_embeddings)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "masked tokens are learnt by the whole model");
	if (d != NULL && (d->top < 1 || d->top > DBERT_DISTILL_TOP || d->top > base->vocab))
		return dbert_fail(err, DBERT_E_INVALID, "a teacher that names %d tokens", d->top);
	return DBERT_OK;
}

static void
configure(DbertTrainer *t)
{
	t->tied = dbert_trainbase_config(t->base)->head != t->config.head ||
		dbert_slots_tied(&t->config, &t->base->pack->tensors);
}

/* The tokens that a teacher names. */
static DbertStatus
check_named(const DbertTrainer *t, const DbertTrainBatch *batch, DbertError *err)
{
	const DbertDistill *d = t->options.distill;

	if (d == NULL || d->soft <= 0)
		return DBERT_OK;
	for (size_t i = 0; i < (size_t) batch->n_masked * d->top; i++)
		if (batch->soft_ids[i] < 0 || batch->soft_ids[i] >= t->config.vocab)
			return dbert_fail(err, DBERT_E_INVALID,
							  "the teacher names a token that is not in the vocabulary");
	return DBERT_OK;
}

static DbertStatus
check_batch(const DbertTrainer *t, const DbertTrainBatch *batch, DbertError *err)
{
	int			before = -1;

	if (batch->n_masked < 1)
		return dbert_fail(err, DBERT_E_INVALID, "a batch without a masked token");
	for (int i = 0; i < batch->n_masked; i++)
	{
		if (batch->masked[i] <= before || batch->masked[i] >= batch->cu[batch->n_texts] ||
			batch->classes[i] < 0 || batch->classes[i] >= t->config.vocab)
			return dbert_fail(err, DBERT_E_INVALID,
							  "masked tokens are out of order or out of range");
		before = batch->masked[i];
	}
	return check_named(t, batch, err);
}

static DbertRows
masked_rows(const DbertTrainer *t, const DbertTrainBatch *batch)
{
	return (DbertRows) {batch->n_masked, batch->masked};
}

/* ---- the head ---- */

static void
place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows)
{
	size_t		c = t->config.hidden;

	a->z = dbert_layout_floats(l, rows, c);
	a->head_xhat = dbert_layout_floats(l, rows, c);
	a->head_rstd = dbert_layout_floats(l, rows, 1);
	a->d = dbert_layout_floats(l, rows, c);
	a->dd = dbert_layout_floats(l, rows, c);
	a->logits = dbert_layout_floats(l, rows, 1);
	a->block = dbert_layout_floats(l, t->config.vocab, DBERT_VOCAB_BLOCK);
}

/* d = norm(act(dense(hidden))) */
static DbertStatus
head_forward(const DbertPass *pass, const float *hidden)
{
	DbertTrainer *t = pass->trainer;
	const DbertWeights *w = &t->params.w;
	const DbertActs *a = &t->acts;
	const DbertTrainRun *run = &pass->run;
	int			c = t->config.hidden,
				rows = pass->batch->n_masked;

	DBERT_TRY(dbert_linear_forward(run, &w->head_dense, hidden, rows, a->z));
	DBERT_TRY(dbert_act_forward(run, w->head_act, a->z, rows, c, a->head_xhat));
	return dbert_norm_forward(run, &w->head_norm, a->head_xhat, rows, c, t->config.norm_eps,
							  a->head_xhat, a->head_rstd, a->d);
}

static DbertStatus
head_backward(const DbertPass *pass, const float *hidden, float *dx)
{
	DbertTrainer *t = pass->trainer;
	const DbertWeights *w = &t->params.w,
			   *g = &t->params.g;
	const DbertActs *a = &t->acts;
	const DbertTrainRun *run = &pass->run;
	int			c = t->config.hidden,
				rows = pass->batch->n_masked;

	DBERT_TRY(dbert_norm_backward(run, &w->head_norm, &g->head_norm, a->head_xhat, a->head_rstd,
								  a->dd, rows, c, a->dd));
	DBERT_TRY(dbert_act_forward(run, w->head_act, a->z, rows, c, a->head_xhat));
	DBERT_TRY(dbert_act_backward(run, w->head_act, a->z, a->head_xhat, a->dd, rows, c, a->z));
	return dbert_linear_backward(run, &w->head_dense, &g->head_dense, hidden, a->z, rows, dx, 0);
}

/* ---- from labels ---- */

static DbertStatus
forward(const DbertPass *pass)
{
	return head_forward(pass, pass->trainer->acts.hidden);
}

static DbertStatus
loss_of_pass(const DbertPass *pass, bool differentiate, double *loss, double *weight)
{
	*loss = 0;
	*weight = pass->rows;
	DBERT_TRY(dbert_vocab_loss(pass, 0, 1.0 / pass->rows, differentiate, loss));
	return dbert_pass_check_loss(pass, *loss);
}

/* hidden, in whose memory dx may lie, is read before */
static DbertStatus
backward(const DbertPass *pass, float *dx)
{
	return head_backward(pass, pass->trainer->acts.hidden, dx);
}

static const DbertSteps alone = {
	.place = place,.forward = forward,.loss = loss_of_pass,.backward = backward
};

/* ---- from a teacher ---- */

static DbertStatus
lesson_loss(const DbertPass *pass, bool differentiate, double *loss)
{
	const DbertDistill *d = pass->trainer->options.distill;
	int			masked = pass->batch->n_masked;

	return dbert_vocab_loss(pass, dbert_distill_share(d, d->soft, masked),
							dbert_distill_share(d, d->hard, masked), differentiate, loss);
}

static double
lesson_weight(const DbertPass *pass)
{
	return pass->batch->n_masked;
}

static const DbertLesson taught = { .place = place,
									.forward = head_forward,
									.loss = lesson_loss,
									.weight = lesson_weight,
									.backward = head_backward };

const DbertObjective dbert_learn_masked = { .name = "masked tokens",
											.check_options = check_options,
											.configure = configure,
											.check_batch = check_batch,
											.rows = masked_rows,
											.rows_most = dbert_rows_all_most,
											.alone = &alone,
											.taught = &taught };
