/*
 * labelhead.c -- a row of logits for each row of hidden states: a linear layer,
 * below it perhaps a dense one and a norm.
 */
#include "train/labelhead.h"

#include "model/family.h"
#include "train/pass.h"

void
dbert_labelhead_place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows)
{
	bool		norm = dbert_family_of(&t->config)->heads[t->config.head].norm != NULL;

	a->head_xhat = dbert_layout_floats(l, norm ? rows : 0, t->config.hidden);
	a->head_rstd = dbert_layout_floats(l, norm ? rows : 0, 1);
	a->z = dbert_layout_floats(l, rows, t->config.hidden);
	a->d = dbert_layout_floats(l, rows, t->config.hidden);
	a->logits = dbert_layout_floats(l, rows, t->options.n_labels);
}

/*
 * What the dense layer reads: the input, or of some families what dropout
 * leaves of it, in a->d.
 */
static DbertStatus
dense_input(const DbertPass *pass, const float *input, const float **read)
{
	const DbertConfig *config = &pass->trainer->config;
	float	   *d = pass->trainer->acts.d;

	*read = input;
	if (!dbert_family_of(config)->heads[config->head].drops_input)
		return DBERT_OK;
	*read = d;
	return dbert_pass_drop(pass, DBERT_DROP_HEAD_INPUT, 0, input, pass->head.count, d);
}

/* logits = out(drop(norm(act(dense(input))))); what there is not is left out */
DbertStatus
dbert_labelhead_forward(const DbertPass *pass, const float *input)
{
	DbertTrainer *t = pass->trainer;
	const DbertWeights *w = &t->params.w;
	const DbertActs *a = &t->acts;
	const DbertTrainRun *run = &pass->run;
	const float *last = input;
	int			rows = pass->head.count;

	if (w->head_dense.w != NULL)
	{
		DBERT_TRY(dense_input(pass, input, &last));
		DBERT_TRY(dbert_linear_forward(run, &w->head_dense, last, rows, a->z));
		DBERT_TRY(dbert_act_forward(run, w->head_act, a->z, rows, t->config.hidden, a->d));
		last = a->d;
	}
	if (w->head_norm.gamma != NULL)
	{
		DBERT_TRY(dbert_norm_forward(run, &w->head_norm, last, rows, t->config.hidden,
									 t->config.norm_eps, a->head_xhat, a->head_rstd, a->t));
		last = a->t;
	}
	DBERT_TRY(dbert_pass_drop(pass, DBERT_DROP_HEAD, 0, last, rows, a->d));
	return dbert_linear_forward(run, &w->head_out, a->d, rows, a->logits);
}

DbertStatus
dbert_labelhead_backward(const DbertPass *pass, const float *input, float *dx)
{
	DbertTrainer *t = pass->trainer;
	const DbertWeights *w = &t->params.w,
			   *g = &t->params.g;
	const DbertActs *a = &t->acts;
	const DbertTrainRun *run = &pass->run;
	const float *read;
	float	   *dh = a->t;
	int			rows = pass->head.count;

	DBERT_TRY(dbert_linear_backward(run, &w->head_out, &g->head_out, a->d, a->logits, rows, dh, 0));
	DBERT_TRY(dbert_pass_drop(pass, DBERT_DROP_HEAD, 0, dh, rows, dh));
	if (w->head_norm.gamma != NULL)
		DBERT_TRY(dbert_norm_backward(run, &w->head_norm, &g->head_norm, a->head_xhat,
									  a->head_rstd, dh, rows, t->config.hidden, dh));
	if (w->head_dense.w != NULL)
	{
		DBERT_TRY(dbert_act_forward(run, w->head_act, a->z, rows, t->config.hidden, a->d));
		DBERT_TRY(
			dbert_act_backward(run, w->head_act, a->z, a->d, dh, rows, t->config.hidden, a->z));
		DBERT_TRY(dense_input(pass, input, &read));
		DBERT_TRY(dbert_linear_backward(run, &w->head_dense, &g->head_dense, read, a->z, rows,
										t->layers_learn ? dh : NULL, 0));
		if (t->layers_learn && read != input)
			DBERT_TRY(dbert_pass_drop(pass, DBERT_DROP_HEAD_INPUT, 0, dh, rows, dh));
	}
	if (t->layers_learn)
		memcpy(dx, dh, (size_t) rows * t->config.hidden * sizeof(float));
	return DBERT_OK;
}
