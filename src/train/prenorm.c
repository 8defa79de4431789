/*
 * prenorm.c -- see prenorm.h.
 *
 * Each backward stands below its forward and undoes it.  What a norm gives is
 * not kept, but made again of the normalised rows.  Dropout is where
 * transformers' ModernBERT has it: of probabilities, of the attention's output,
 * of the gated rows.
 *
 * Source: Xiong et al. 2020 (arXiv:2002.04745); Warner et al. 2024
 * (arXiv:2412.13663); transformers' modeling_modernbert.py.
 */
#include "train/prenorm.h"

#include "model/angles.h"
#include "model/family.h"
#include "train/objective.h"
#include "train/pass.h"
#include "train/project.h"

/* ---- what such models have ---- */

void
dbert_prenorm_place(const DbertTrainer *t, DbertLayout *l, DbertActs *a)
{
	const DbertConfig *c = &t->config;
	size_t		last = dbert_family_of(c)->norms_first ? t->options.max_batch_tokens : 0;

	a->xhat_last = dbert_layout_floats(l, last, c->hidden);
	a->rstd_last = dbert_layout_floats(l, last, 1);
	a->rotary = dbert_layout_floats(l, (size_t) dbert_rotary_tables(c) * (c->hidden / c->heads),
									t->options.max_text_tokens);
}

void
dbert_prenorm_fill(DbertTrainer *t)
{
	const DbertConfig *c = &t->config;
	int			d = c->hidden / c->heads,
				n = t->options.max_text_tokens;

	for (int table = 0; table < dbert_rotary_tables(c); table++)
		for (int i = 0; i < d / 2; i++)
			dbert_rotary_pair(c, table == 0 ? c->rotary_base : c->rotary_local_base, i, n, n,
							  t->acts.rotary + (size_t) table * n * d);
}

/* ---- rotation ---- */

/* Heads of a token at this place of its text. */
static void
rotate(const DbertPass *pass, int layer, int place, float *x, float turn)
{
	const DbertTrainer *t = pass->trainer;
	bool		local = t->params.w.layers[layer].local && dbert_rotary_tables(&t->config) > 1;
	size_t		d = t->config.hidden / t->config.heads,
				row = (local ? t->options.max_text_tokens : 0) + place;

	for (int h = 0; h < t->config.heads; h++)
		dbert_rotate_head(x + h * d, t->acts.rotary + row * d, (int) d / 2, turn);
}

/*
 * Queries and keys by their places, forward (turn 1), or their derivatives,
 * laid out alike, back (-1).
 */
static DbertStatus
rotate_all(const DbertPass *pass, int layer, const DbertSelfAttention *s, float *q, float *kv,
		   float turn)
{
	int			r = 0;

	for (int b = 0; b < s->n_texts; b++)
	{
		DBERT_TRY(dbert_train_poll(&pass->run));
		for (int i = s->cu[b]; i < s->cu[b + 1]; i++)
		{
			rotate(pass, layer, i - s->cu[b], kv + i * s->ldkv, turn);
			if (s->queries == NULL || (r < s->n_queries && s->queries[r] == i))
				rotate(pass, layer, i - s->cu[b], q + r++ * s->ldq, turn);
		}
	}
	return DBERT_OK;
}

/* ---- attention ---- */

/* What it reads of x: its norm, if it has one, into acts.t. */
static DbertStatus
attention_input(const DbertPass *pass, int layer, const float **h)
{
	const DbertTrainer *t = pass->trainer;
	const DbertNorm *norm = &t->params.w.layers[layer].attn_norm;
	const DbertLayerActs *a = &t->acts.layers[layer];

	*h = a->x;
	if (norm->gamma == NULL)
		return DBERT_OK;
	*h = t->acts.t;
	return dbert_norm_forward(&pass->run, norm, a->x, pass->n, t->config.hidden,
							  t->config.norm_eps, a->xhat1, a->rstd1, t->acts.t);
}

/* y1 = x + drop(out(attention(qkv(norm(x))))) */
static DbertStatus
attention_forward(const DbertPass *pass, int layer)
{
	DbertTrainer *t = pass->trainer;
	const DbertLayerActs *a = &t->acts.layers[layer];
	const DbertTrainRun *run = &pass->run;
	DbertSelfAttention s = dbert_pass_attention(pass, layer);
	bool		alone = dbert_goes_on_alone(pass, layer);
	int			m = dbert_rows_behind_attention(pass, layer);
	const float *h;

	DBERT_TRY(attention_input(pass, layer, &h));
	if (alone)
		dbert_pick_rows(pass, h, t->acts.t2);
	DBERT_TRY(dbert_project_forward(pass, layer, &s, h, t->acts.t2));
	DBERT_TRY(rotate_all(pass, layer, &s, (float *) s.q, (float *) s.kv, 1));
	DBERT_TRY(dbert_self_attention_forward(run, &s, a->context));
	DBERT_TRY(dbert_linear_forward(run, &t->params.w.layers[layer].attn_out, a->context, m,
								   t->acts.t));
	DBERT_TRY(dbert_pass_drop(pass, DBERT_DROP_ATTENTION, layer, t->acts.t, m, t->acts.t));
	if (alone)
		dbert_pick_rows(pass, a->x, t->acts.t2);
	return dbert_sum_rows(run, t->acts.t, alone ? t->acts.t2 : a->x, m, t->config.hidden, a->y1);
}

/* dx += the derivative by x of what the attention reads, dh[N, C]. */
static DbertStatus
attention_input_backward(const DbertPass *pass, int layer, float *dh, float *dx)
{
	const DbertTrainer *t = pass->trainer;
	const DbertNorm *norm = &t->params.w.layers[layer].attn_norm;
	const DbertLayerActs *a = &t->acts.layers[layer];

	if (norm->gamma != NULL)
		DBERT_TRY(dbert_norm_backward(&pass->run, norm, &t->params.g.layers[layer].attn_norm,
									  a->xhat1, a->rstd1, dh, pass->n, t->config.hidden, dh));
	return dbert_sum_rows(&pass->run, dx, dh, pass->n, t->config.hidden, dx);
}

/* dx, by y1 and so by x, [R, C] where rows go on alone, becomes [N, C]. */
static DbertStatus
attention_backward(const DbertPass *pass, int layer, float *dx)
{
	DbertTrainer *t = pass->trainer;
	const DbertLayer *w = &t->params.w.layers[layer],
			   *g = &t->params.g.layers[layer];
	const DbertLayerActs *a = &t->acts.layers[layer];
	const DbertTrainRun *run = &pass->run;
	DbertSelfAttention s = dbert_pass_attention(pass, layer);
	float	   *dqkv = t->acts.wide2,
			   *dq = dqkv + (s.q - a->qkv),
			   *dkv = dqkv + (s.kv - a->qkv),
			   *dh = t->acts.wide;
	int			m = dbert_rows_behind_attention(pass, layer);
	const float *h = a->x;

	DBERT_TRY(dbert_pass_drop(pass, DBERT_DROP_ATTENTION, layer, dx, m, t->acts.t));
	DBERT_TRY(dbert_linear_backward(run, &w->attn_out, &g->attn_out, a->context, t->acts.t, m,
									t->acts.t2, 0));
	DBERT_TRY(dbert_self_attention_backward(run, &s, t->acts.t2, dq, dkv));
	if (t->steps->attention != NULL)
		DBERT_TRY(t->steps->attention(pass, layer, dq, dkv));
	DBERT_TRY(rotate_all(pass, layer, &s, dq, dkv, -1));
	if (w->attn_norm.gamma != NULL)
	{
		h = t->acts.t;
		DBERT_TRY(dbert_norm_output(run, &w->attn_norm, a->xhat1, pass->n, t->config.hidden,
									t->acts.t));
	}
	if (dbert_goes_on_alone(pass, layer))
	{
		dbert_pick_rows(pass, h, t->acts.t2);
		dbert_spread_rows(pass, dx);
	}
	DBERT_TRY(dbert_project_backward(pass, layer, &s, dqkv, h, t->acts.t2, dh, 0));
	return attention_input_backward(pass, layer, dh, dx);
}

/* ---- feed-forward ---- */

/* acts.wide = the gated rows, dropped out; the mask is of rows of F */
static DbertStatus
gated_rows(const DbertPass *pass, int layer, int m)
{
	const DbertTrainer *t = pass->trainer;
	DbertDropout drop = dbert_pass_dropout(pass, DBERT_DROP_FFN, layer);

	DBERT_TRY(dbert_gate_forward(&pass->run, t->config.act, t->acts.layers[layer].u, m,
								 t->config.ffn, t->acts.wide));
	return dbert_dropout_apply(&pass->run, &drop, t->acts.wide, m, t->config.ffn, t->acts.wide);
}

/* next x = y1 + out(drop(gate(in(norm(y1))))) */
static DbertStatus
feed_forward_forward(const DbertPass *pass, int layer)
{
	DbertTrainer *t = pass->trainer;
	const DbertLayer *w = &t->params.w.layers[layer];
	const DbertLayerActs *a = &t->acts.layers[layer];
	const DbertTrainRun *run = &pass->run;
	int			c = t->config.hidden,
				m = dbert_rows_behind_attention(pass, layer);

	DBERT_TRY(dbert_norm_forward(run, &w->ffn_norm, a->y1, m, c, t->config.norm_eps, a->xhat2,
								 a->rstd2, t->acts.t));
	DBERT_TRY(dbert_linear_forward(run, &w->ffn_in, t->acts.t, m, a->u));
	DBERT_TRY(gated_rows(pass, layer, m));
	DBERT_TRY(dbert_linear_forward(run, &w->ffn_out, t->acts.wide, m, t->acts.t));
	return dbert_sum_rows(run, t->acts.t, a->y1, m, c, dbert_pass_layer_output(t, layer));
}

/* dx, by the next x and so by y1; acts.u is lost */
static DbertStatus
feed_forward_backward(const DbertPass *pass, int layer, float *dx)
{
	DbertTrainer *t = pass->trainer;
	const DbertLayer *w = &t->params.w.layers[layer],
			   *g = &t->params.g.layers[layer];
	const DbertLayerActs *a = &t->acts.layers[layer];
	const DbertTrainRun *run = &pass->run;
	DbertDropout drop = dbert_pass_dropout(pass, DBERT_DROP_FFN, layer);
	int			c = t->config.hidden,
				f = t->config.ffn,
				m = dbert_rows_behind_attention(pass, layer);
	float	   *dgated = t->acts.wide2;

	DBERT_TRY(gated_rows(pass, layer, m));
	DBERT_TRY(
		dbert_linear_backward(run, &w->ffn_out, &g->ffn_out, t->acts.wide, dx, m, dgated, 0));
	DBERT_TRY(dbert_dropout_apply(run, &drop, dgated, m, f, dgated));
	DBERT_TRY(dbert_gate_backward(run, t->config.act, a->u, dgated, t->acts.wide, m, f));
	DBERT_TRY(dbert_norm_output(run, &w->ffn_norm, a->xhat2, m, c, t->acts.t));
	DBERT_TRY(
		dbert_linear_backward(run, &w->ffn_in, &g->ffn_in, t->acts.t, a->u, m, t->acts.t2, 0));
	DBERT_TRY(dbert_norm_backward(run, &w->ffn_norm, &g->ffn_norm, a->xhat2, a->rstd2, t->acts.t2,
								  m, c, t->acts.t2));
	return dbert_sum_rows(run, dx, t->acts.t2, m, c, dx);
}

/* ---- the whole ---- */

DbertStatus
dbert_prenorm_layer_forward(const DbertPass *pass, int layer)
{
	DBERT_TRY(attention_forward(pass, layer));
	return feed_forward_forward(pass, layer);
}

DbertStatus
dbert_prenorm_layer_backward(const DbertPass *pass, int layer, float *dx)
{
	DBERT_TRY(feed_forward_backward(pass, layer, dx));
	return attention_backward(pass, layer, dx);
}

DbertStatus
dbert_prenorm_end_forward(const DbertPass *pass)
{
	DbertTrainer *t = pass->trainer;

	return dbert_norm_forward(&pass->run, &t->params.w.final_norm, t->acts.xhat_last, pass->rows,
							  t->config.hidden, t->config.norm_eps, t->acts.xhat_last,
							  t->acts.rstd_last, t->acts.hidden);
}

DbertStatus
dbert_prenorm_end_backward(const DbertPass *pass, float *dx)
{
	const DbertTrainer *t = pass->trainer;

	return dbert_norm_backward(&pass->run, &t->params.w.final_norm, &t->params.g.final_norm,
							   t->acts.xhat_last, t->acts.rstd_last, dx, pass->rows,
							   t->config.hidden, dx);
}
