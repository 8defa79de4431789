/*
 * project.c -- see project.h.
 */
#include "train/project.h"

#include "model/family.h"
#include "train/pass.h"

#include <string.h>

bool
dbert_goes_on_alone(const DbertPass *pass, int layer)
{
	return layer == pass->trainer->config.layers - 1 && pass->picked != NULL;
}

int
dbert_rows_behind_attention(const DbertPass *pass, int layer)
{
	return dbert_goes_on_alone(pass, layer) ? pass->rows : pass->n;
}

void
dbert_pick_rows(const DbertPass *pass, const float *from, float *to)
{
	size_t		c = pass->trainer->config.hidden;

	for (int r = 0; r < pass->rows; r++)
		memcpy(to + r * c, from + pass->picked[r] * c, c * sizeof(float));
}

void
dbert_spread_rows(const DbertPass *pass, float *x)
{
	size_t		c = pass->trainer->config.hidden;
	size_t		end = pass->n;

	for (int r = pass->rows - 1; r >= 0; r--)
	{
		size_t		row = pass->picked[r];

		memmove(x + row * c, x + r * c, c * sizeof(float));
		memset(x + (row + 1) * c, 0, (end - row - 1) * c * sizeof(float));
		end = row;
	}
	memset(x, 0, end * c * sizeof(float));
}

/* ---- rows of the head ---- */

/* The rows of x that row r of the head's is made of. */
static void
rows_of_head(const DbertPass *pass, int r, int *first, int *count)
{
	bool		means = dbert_head_reads_mean(&pass->trainer->config);

	*first = means ? pass->batch->cu[r] : pass->head.picked[r];
	*count = means ? pass->batch->cu[r + 1] - *first : 1;
}

void
dbert_head_rows(const DbertPass *pass, const float *x, float *out)
{
	size_t		c = pass->trainer->config.hidden;

	for (int r = 0; r < pass->head.count; r++)
	{
		int			first,
					count;

		rows_of_head(pass, r, &first, &count);
		for (size_t j = 0; j < c; j++)
		{
			double		sum = 0;

			for (int i = first; i < first + count; i++)
				sum += x[i * c + j];
			out[r * c + j] = (float) (sum / count);
		}
	}
}

void
dbert_head_rows_backward(const DbertPass *pass, const float *dout, float *dx)
{
	size_t		c = pass->trainer->config.hidden;

	for (int r = 0; r < pass->head.count; r++)
	{
		int			first,
					count;

		rows_of_head(pass, r, &first, &count);
		for (int i = first; i < first + count; i++)
			for (size_t j = 0; j < c; j++)
				dx[i * c + j] += dout[r * c + j] / (float) count;
	}
}

/* ---- queries, keys and values ---- */

size_t
dbert_attention_columns_most(const DbertTrainer *t)
{
	const DbertDistill *d = t->options.distill;
	int widest = d != NULL && d->attention > 0 && d->teacher_hidden > t->config.hidden
					 ? d->teacher_hidden
					 : t->config.hidden;

	return widest / t->config.heads;
}

DbertSelfAttention
dbert_pass_attention(const DbertPass *pass, int layer)
{
	DbertTrainer *t = pass->trainer;
	const float *qkv = t->acts.layers[layer].qkv;
	bool		alone = dbert_goes_on_alone(pass, layer);
	size_t		c = t->config.hidden;
	DbertSelfAttention s = { .cu = pass->batch->cu,
							 .n_texts = pass->batch->n_texts,
							 .hidden = t->config.hidden,
							 .heads = t->config.heads,
							 .window = t->params.w.layers[layer].local ? t->config.window : 0,
							 .queries = alone ? pass->picked : NULL,
							 .n_queries = dbert_rows_behind_attention(pass, layer),
							 .q = alone ? qkv + pass->n * 2 * c : qkv,
							 .ldq = alone ? c : 3 * c,
							 .kv = alone ? qkv : qkv + c,
							 .ldkv = alone ? 2 * c : 3 * c,
							 .dropout = dbert_pass_dropout(pass, DBERT_DROP_PROBABILITIES, layer),
							 .bias = t->params.w.distance_bias,
							 .dbias = t->acts.dbias,
							 .scratch = t->acts.attention,
							 .scratch_floats =
								 dbert_self_attention_scratch(t->options.max_text_tokens,
															  dbert_attention_columns_most(t)) };

	return s;
}

/* n outputs of a linear layer from the first on, a layer of their own. */
static DbertLinear
some_outputs(const DbertLinear *w, int first, int n)
{
	DbertLinear some = {.w = w->w + (size_t) first * w->k,.n = n,.k = w->k};

	if (w->b != NULL)
		some.b = w->b + first;
	return some;
}

DbertStatus
dbert_project_forward(const DbertPass *pass, int layer, const DbertSelfAttention *s, const float *x,
					  const float *picked)
{
	const DbertLinear *w = &pass->trainer->params.w.layers[layer].qkv;
	const DbertLayerActs *a = &pass->trainer->acts.layers[layer];
	int			c = s->hidden;
	DbertLinear q = some_outputs(w, 0, c),
				kv = some_outputs(w, c, 2 * c);

	if (s->queries == NULL)
		return dbert_linear_forward(&pass->run, w, x, pass->n, a->qkv);
	DBERT_TRY(dbert_linear_forward(&pass->run, &kv, x, pass->n, (float *) s->kv));
	return dbert_linear_forward(&pass->run, &q, picked, pass->rows, (float *) s->q);
}

DbertStatus
dbert_project_backward(const DbertPass *pass, int layer, const DbertSelfAttention *s,
					   const float *dqkv, const float *x, const float *picked, float *dx,
					   float beta)
{
	const DbertLinear *w = &pass->trainer->params.w.layers[layer].qkv,
			   *g = &pass->trainer->params.g.layers[layer].qkv;
	const DbertLayerActs *a = &pass->trainer->acts.layers[layer];
	int			c = s->hidden;
	DbertLinear q = some_outputs(w, 0, c),
				kv = some_outputs(w, c, 2 * c),
				gq = some_outputs(g, 0, c),
				gkv = some_outputs(g, c, 2 * c);

	if (s->queries == NULL)
		return dbert_linear_backward(&pass->run, w, g, x, dqkv, pass->n, dx, beta);
	DBERT_TRY(dbert_linear_backward(&pass->run, &q, &gq, picked, dqkv + (s->q - a->qkv), pass->rows,
									dx, beta));
	dbert_spread_rows(pass, dx);
	return dbert_linear_backward(&pass->run, &kv, &gkv, x, dqkv, pass->n, dx, 1);
}
