/*
 * attention.c -- multi-head self-attention of one text.
 *
 * Three passes over the text's rows: project to queries, keys and values, let
 * each head mix the values, project back and add.  The scores of a block of
 * queries against all keys are all that is ever held of the T x T matrix.
 * There is no mask: without padding every token sees every token.
 *
 * Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
 */
#include "nn/layers.h"

#include <math.h>
#include <string.h>

static int
min_int(int a, int b)
{
	return a < b ? a : b;
}

static DbertStatus
project_qkv(const DbertRun *run, const DbertLinear *qkv, const float *x, int t)
{
	const DbertKernels *kernels = run->model->kernels;
	const DbertScratch *s = &run->scratch;
	size_t		c = run->model->config.hidden;
	int			block = dbert_block_rows(kernels, qkv->n, qkv->k);

	for (int i = 0; i < t; i += block)
	{
		int			m = min_int(block, t - i);

		DBERT_TRY(dbert_run_poll(run));
		memcpy(s->x, x + i * c, m * c * sizeof(float));
		dbert_linear(kernels, qkv, s->qkv + i * 3 * c, s->x, m);
	}
	return DBERT_OK;
}

/* One head: columns h*D .. h*D+D-1 of queries, keys, values and context. */
static DbertStatus
mix_values(const DbertRun *run, int h, int t)
{
	const DbertKernels *kernels = run->model->kernels;
	const DbertScratch *s = &run->scratch;
	size_t		c = run->model->config.hidden;
	int			d = (int) c / run->model->config.heads;
	const float *q = s->qkv + (size_t) h * d,
			   *k = q + c,
			   *v = k + c;
	float		scale = (float) (1 / sqrt(d));
	int			block = dbert_block_rows(kernels, t, d);

	for (int i = 0; i < t; i += block)
	{
		int			m = min_int(block, t - i);

		DBERT_TRY(dbert_run_poll(run));
		kernels->matmul_nt(s->scores, t, q + i * 3 * c, 3 * c, k, 3 * c, m, t, d, scale);
		kernels->softmax_rows(s->scores, t, m, t);
		kernels->matmul_nn(s->context + i * c + (size_t) h * d, c, s->scores, t, v, 3 * c, m, d, t);
	}
	return DBERT_OK;
}

static DbertStatus
project_out(const DbertRun *run, const DbertLayer *layer, float *x, int t)
{
	const DbertKernels *kernels = run->model->kernels;
	const DbertScratch *s = &run->scratch;
	const DbertLinear *out = &layer->attn_out;
	const DbertNorm *norm = &layer->attn_norm;
	size_t		c = run->model->config.hidden;
	int			block = dbert_block_rows(kernels, out->n, out->k);

	for (int i = 0; i < t; i += block)
	{
		int			m = min_int(block, t - i);
		float	   *rows = x + i * c;

		DBERT_TRY(dbert_run_poll(run));
		dbert_linear(kernels, out, s->y, s->context + i * c, m);
		kernels->layer_norm_rows(rows, s->y, rows, norm->gamma, norm->beta,
								 m, (int) c, run->model->config.norm_eps);
	}
	return DBERT_OK;
}

DbertStatus
dbert_attention(const DbertRun *run, const DbertLayer *layer, float *x, int t)
{
	DBERT_TRY(project_qkv(run, &layer->qkv, x, t));
	for (int h = 0; h < run->model->config.heads; h++)
		DBERT_TRY(mix_values(run, h, t));
	return project_out(run, layer, x, t);
}
