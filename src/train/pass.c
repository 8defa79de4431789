/*
 * pass.c -- the network forward and backward: embeddings and layers; the head
 * is the objective's.
 *
 * Each backward stands below its forward and undoes it line by line.  Dropout
 * is where transformers' models have it, with the same p everywhere.
 *
 * The forward of a layer keeps in DbertLayerActs what its backward needs and
 * what would take long to compute a second time.  It does not keep the
 * activated rows of the feed-forward, which are the widest: the backward
 * computes them again.
 *
 * Layers whose norms come first are prenorm.c's.
 *
 * Source: Vaswani et al. 2017 (arXiv:1706.03762), post-layer-norm;
 * transformers' modeling_distilbert.py and modeling_bert.py.
 */
#include "train/pass.h"

#include "model/distances.h"
#include "model/family.h"
#include "train/objective.h"
#include "train/prenorm.h"
#include "train/project.h"

#include <math.h>
#include <string.h>

DbertDropout
dbert_pass_dropout(const DbertPass *pass, DbertDropSite site, int layer)
{
	const DbertTrainer *t = pass->trainer;
	uint64_t	key = dbert_random_key(t->options.seed, DBERT_STREAM_DROPOUT + (uint64_t) t->step,
									   (uint64_t) layer * 8 + site);

	return dbert_dropout(key, pass->training ? t->options.dropout : 0);
}

DbertStatus
dbert_pass_drop(const DbertPass *pass, DbertDropSite site, int layer, const float *x, int m,
				float *y)
{
	DbertDropout d = dbert_pass_dropout(pass, site, layer);

	return dbert_dropout_apply(&pass->run, &d, x, m, pass->trainer->config.hidden, y);
}

/* Is the attention's output dropped out, too? */
static bool
drops_attention(const DbertPass *pass)
{
	return dbert_family_of(&pass->trainer->config)->drops_after_attention;
}

/* ---- embeddings ---- */

/* Which row of the table of types is token i's. */
static size_t
type_of(const DbertPass *pass, int i)
{
	const uint8_t *types = pass->batch->types;

	return types != NULL && pass->trainer->config.pair_types ? types[i] : 0;
}

/* x[N, C] = word + type + position */
static DbertStatus
add_embeddings(const DbertPass *pass, float *x)
{
	const DbertConfig *config = &pass->trainer->config;
	const DbertWeights *w = &pass->trainer->params.w;
	const DbertTrainBatch *batch = pass->batch;
	size_t		c = config->hidden;

	for (int b = 0; b < batch->n_texts; b++)
	{
		int32_t		next = config->first_position;

		DBERT_TRY(dbert_train_poll(&pass->run));
		for (int i = batch->cu[b]; i < batch->cu[b + 1]; i++)
		{
			const float *word = w->word + batch->ids[i] * c,
					   *type = w->type ? w->type + type_of(pass, i) * c : NULL;
			size_t		position = dbert_next_position(config, batch->ids[i], &next);

			for (size_t j = 0; j < c; j++)
				x[i * c + j] = type ? word[j] + type[j] : word[j];
			for (size_t j = 0; w->position != NULL && j < c; j++)
				x[i * c + j] += w->position[position * c + j];
		}
	}
	return DBERT_OK;
}

/* x0 = drop(norm(word + position + type)) */
static DbertStatus
embed_forward(const DbertPass *pass)
{
	DbertTrainer *t = pass->trainer;
	DbertActs  *a = &t->acts;

	DBERT_TRY(add_embeddings(pass, a->xhat0));
	DBERT_TRY(dbert_norm_forward(&pass->run, &t->params.w.embed_norm, a->xhat0, pass->n,
								 t->config.hidden, t->config.norm_eps, a->xhat0, a->rstd0,
								 a->layers[0].x));
	return dbert_pass_drop(pass, DBERT_DROP_EMBEDDING, 0, a->layers[0].x, pass->n, a->layers[0].x);
}

static void
add_row(float *sum, const float *x, size_t c)
{
	for (size_t j = 0; j < c; j++)
		sum[j] += x[j];
}

/* To the rows of word, position and type that a text's tokens have read. */
static void
add_to_rows(const DbertPass *pass, int text, const float *dx)
{
	const DbertConfig *config = &pass->trainer->config;
	const DbertWeights *g = &pass->trainer->params.g;
	const DbertTrainBatch *batch = pass->batch;
	size_t		c = config->hidden;
	int32_t		next = config->first_position;

	for (int i = batch->cu[text]; i < batch->cu[text + 1]; i++)
	{
		int32_t		id = batch->ids[i];
		size_t		position = dbert_next_position(config, id, &next);

		add_row((float *) g->word + id * c, dx + i * c, c);
		if (g->position != NULL)
			add_row((float *) g->position + position * c, dx + i * c, c);
		if (g->type != NULL)
			add_row((float *) g->type + type_of(pass, i) * c, dx + i * c, c);
	}
}

/*
 * Add dx to the gradients of the rows of word, position and type that were
 * read.  All others are 0, except where the decoder is the word embedding: then
 * word's gradient holds the decoder's already.
 */
static DbertStatus
embed_backward(const DbertPass *pass, float *dx)
{
	DbertTrainer *t = pass->trainer;
	DbertWeights *g = &t->params.g;
	size_t		c = t->config.hidden;

	DBERT_TRY(dbert_pass_drop(pass, DBERT_DROP_EMBEDDING, 0, dx, pass->n, dx));
	DBERT_TRY(dbert_norm_backward(&pass->run, &t->params.w.embed_norm, &g->embed_norm,
								  t->acts.xhat0, t->acts.rstd0, dx, pass->n, (int) c, dx));
	if (!t->tied)
		DBERT_TRY(dbert_zero_rows(&pass->run, (float *) g->word, t->config.vocab, (int) c));
	if (g->position != NULL)
		DBERT_TRY(dbert_zero_rows(&pass->run, (float *) g->position, t->config.positions, (int) c));
	if (g->type != NULL)
		DBERT_TRY(dbert_zero_rows(&pass->run, (float *) g->type, t->config.types, (int) c));
	for (int b = 0; b < pass->batch->n_texts; b++)
	{
		DBERT_TRY(dbert_train_poll(&pass->run));
		add_to_rows(pass, b, dx);
	}
	return DBERT_OK;
}

/* ---- a layer ---- */

/* y1 = norm(x + drop(out(attention(qkv(x))))); not all families drop here */
static DbertStatus
attention_forward(const DbertPass *pass, int layer)
{
	DbertTrainer *t = pass->trainer;
	const DbertLayer *w = &t->params.w.layers[layer];
	const DbertLayerActs *a = &t->acts.layers[layer];
	const DbertTrainRun *run = &pass->run;
	DbertSelfAttention s = dbert_pass_attention(pass, layer);
	DbertDropout drop = dbert_pass_dropout(pass, DBERT_DROP_ATTENTION, layer);
	int			c = t->config.hidden,
				m = dbert_rows_behind_attention(pass, layer);
	float	   *sum = t->acts.t;
	const float *x = a->x;

	if (dbert_goes_on_alone(pass, layer))
	{
		dbert_pick_rows(pass, a->x, t->acts.t2);
		x = t->acts.t2;
	}
	DBERT_TRY(dbert_project_forward(pass, layer, &s, a->x, x));
	DBERT_TRY(dbert_self_attention_forward(run, &s, a->context));
	DBERT_TRY(dbert_linear_forward(run, &w->attn_out, a->context, m, sum));
	return dbert_residual_norm_forward(run, &w->attn_norm, drops_attention(pass) ? &drop : NULL,
									   sum, x, m, c, t->config.norm_eps, a->xhat1, a->rstd1,
									   a->y1);
}

/*
 * The layers' derivatives by the table of biases add up, the last one's first.
 */
static void
add_bias_gradient(const DbertPass *pass, int layer)
{
	DbertTrainer *t = pass->trainer;
	float	   *g = (float *) t->params.g.distance_bias;
	int			heads = t->config.heads;

	if (t->params.w.distance_bias == NULL)
		return;
	if (layer == t->config.layers - 1)
		memset(g, 0, (size_t) t->config.bias_rows * heads * sizeof(float));
	for (int part = 0; part < pass->batch->n_texts * heads; part++)
		for (int row = 0; row < DBERT_BIAS_ROWS; row++)
			g[row * heads + part % heads] += t->acts.dbias[(size_t) part * DBERT_BIAS_ROWS + row];
}

/*
 * dx from dy1, in place: it is the derivative by the sum first, which is that
 * of both its parts.
 */
static DbertStatus
attention_backward(const DbertPass *pass, int layer, float *dx)
{
	DbertTrainer *t = pass->trainer;
	const DbertLayer *w = &t->params.w.layers[layer],
			   *g = &t->params.g.layers[layer];
	const DbertLayerActs *a = &t->acts.layers[layer];
	const DbertTrainRun *run = &pass->run;
	DbertSelfAttention s = dbert_pass_attention(pass, layer);
	DbertDropout drop = dbert_pass_dropout(pass, DBERT_DROP_ATTENTION, layer);
	bool		drops = drops_attention(pass) && drop.threshold != 0;
	float	   *dout = drops ? t->acts.t : dx;
	float	   *dcontext = t->acts.t2,
			   *dqkv = t->acts.wide2;
	int			m = dbert_rows_behind_attention(pass, layer);

	DBERT_TRY(dbert_residual_norm_backward(run, &w->attn_norm, &g->attn_norm, &drop, a->xhat1,
										   a->rstd1, dx, m, t->config.hidden, dx,
										   drops ? dout : NULL));
	DBERT_TRY(
		dbert_linear_backward(run, &w->attn_out, &g->attn_out, a->context, dout, m, dcontext, 0));
	DBERT_TRY(dbert_self_attention_backward(run, &s, dcontext, dqkv + (s.q - a->qkv),
											dqkv + (s.kv - a->qkv)));
	add_bias_gradient(pass, layer);
	if (t->steps->attention != NULL)
		DBERT_TRY(
			t->steps->attention(pass, layer, dqkv + (s.q - a->qkv), dqkv + (s.kv - a->qkv)));
	if (dbert_goes_on_alone(pass, layer))
		dbert_pick_rows(pass, a->x, t->acts.t2);
	return dbert_project_backward(pass, layer, &s, dqkv, a->x, t->acts.t2, dx, 1);
}

float *
dbert_pass_layer_output(const DbertTrainer *t, int layer)
{
	if (layer + 1 < t->config.layers)
		return t->acts.layers[layer + 1].x;
	return dbert_family_of(&t->config)->norms_first ? t->acts.xhat_last : t->acts.hidden;
}

/* next x = norm(y1 + drop(out(act(in(y1))))) */
static DbertStatus
feed_forward_forward(const DbertPass *pass, int layer)
{
	DbertTrainer *t = pass->trainer;
	const DbertLayer *w = &t->params.w.layers[layer];
	const DbertLayerActs *a = &t->acts.layers[layer];
	const DbertTrainRun *run = &pass->run;
	DbertDropout drop = dbert_pass_dropout(pass, DBERT_DROP_FFN, layer);
	int			c = t->config.hidden,
				m = dbert_rows_behind_attention(pass, layer);
	float	   *sum = t->acts.t;

	DBERT_TRY(dbert_linear_forward(run, &w->ffn_in, a->y1, m, a->u));
	DBERT_TRY(dbert_act_forward(run, t->config.act, a->u, m, t->config.ffn, t->acts.wide));
	DBERT_TRY(dbert_linear_forward(run, &w->ffn_out, t->acts.wide, m, sum));
	return dbert_residual_norm_forward(run, &w->ffn_norm, &drop, sum, a->y1, m, c,
									   t->config.norm_eps, a->xhat2, a->rstd2,
									   dbert_pass_layer_output(t, layer));
}

/*
 * dy1 from the derivative by the next x, in place as above; act(u) is computed
 * again.
 */
static DbertStatus
feed_forward_backward(const DbertPass *pass, int layer, float *dx)
{
	DbertTrainer *t = pass->trainer;
	const DbertLayer *w = &t->params.w.layers[layer],
			   *g = &t->params.g.layers[layer];
	const DbertLayerActs *a = &t->acts.layers[layer];
	const DbertTrainRun *run = &pass->run;
	int			f = t->config.ffn,
				m = dbert_rows_behind_attention(pass, layer);
	DbertDropout drop = dbert_pass_dropout(pass, DBERT_DROP_FFN, layer);
	float	   *dout = drop.threshold != 0 ? t->acts.t : dx,
			   *du = t->acts.wide2;

	DBERT_TRY(dbert_residual_norm_backward(run, &w->ffn_norm, &g->ffn_norm, &drop, a->xhat2,
										   a->rstd2, dx, m, t->config.hidden, dx,
										   dout == dx ? NULL : dout));
	DBERT_TRY(dbert_act_forward(run, t->config.act, a->u, m, f, t->acts.wide));
	DBERT_TRY(dbert_linear_backward(run, &w->ffn_out, &g->ffn_out, t->acts.wide, dout, m, du, 0));
	DBERT_TRY(dbert_act_backward(run, t->config.act, a->u, t->acts.wide, du, m, f, du));
	return dbert_linear_backward(run, &w->ffn_in, &g->ffn_in, a->y1, du, m, dx, 1);
}

/* ---- the whole ---- */

static bool
norms_first(const DbertPass *pass)
{
	return dbert_family_of(&pass->trainer->config)->norms_first;
}

static DbertStatus
layer_forward(const DbertPass *pass, int layer)
{
	if (norms_first(pass))
		return dbert_prenorm_layer_forward(pass, layer);
	DBERT_TRY(attention_forward(pass, layer));
	return feed_forward_forward(pass, layer);
}

static DbertStatus
layer_backward(const DbertPass *pass, int layer, float *dx)
{
	if (norms_first(pass))
		return dbert_prenorm_layer_backward(pass, layer, dx);
	DBERT_TRY(feed_forward_backward(pass, layer, dx));
	return attention_backward(pass, layer, dx);
}

DbertStatus
dbert_pass_forward(const DbertPass *pass)
{
	DBERT_TRY(embed_forward(pass));
	for (int l = 0; l < pass->trainer->config.layers; l++)
		DBERT_TRY(layer_forward(pass, l));
	if (norms_first(pass))
		DBERT_TRY(dbert_prenorm_end_forward(pass));
	return pass->trainer->steps->forward(pass);
}

DbertStatus
dbert_pass_check_loss(const DbertPass *pass, double loss)
{
	if (!isfinite(loss))
		return dbert_fail(pass->run.err, DBERT_E_INVALID,
						  "the loss is no longer finite: training has diverged");
	return DBERT_OK;
}

/*
 * The derivative travels down in the memory of the last hidden states, which
 * nobody reads any more.
 */
DbertStatus
dbert_pass_backward(const DbertPass *pass)
{
	const DbertSteps *steps = pass->trainer->steps;
	float	   *dx = pass->trainer->acts.hidden;

	DBERT_TRY(steps->backward(pass, dx));
	if (!pass->trainer->layers_learn)
		return DBERT_OK;
	if (norms_first(pass))
		DBERT_TRY(dbert_prenorm_end_backward(pass, dx));
	for (int l = pass->trainer->config.layers - 1; l >= 0; l--)
	{
		DBERT_TRY(layer_backward(pass, l, dx));
		if (l > 0 && steps->between != NULL)
			DBERT_TRY(steps->between(pass, l, dx));
	}
	return pass->trainer->embeddings_learn ? embed_backward(pass, dx) : DBERT_OK;
}
