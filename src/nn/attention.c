/*
 * attention.c -- multi-head self-attention.
 *
 * Three passes over a span's rows: project to queries, keys and values, let
 * each head of each text mix its values, project back and add.  There is no
 * mask: without padding every token of a text sees all of them.
 *
 * Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
 */
#include "nn/layers.h"

#include <math.h>

static int
min_int(int a, int b)
{
	return a < b ? a : b;
}

/* Queries per call, so that the two products of a call stay within block_work. */
static int
attention_rows(const DbertKernels *kernels, int t, int d)
{
	size_t		rows = kernels->block_work / (2 * (size_t) t * (size_t) d);

	return rows < 1 ? 1 : rows > (size_t) t ? t : (int) rows;
}

static DbertStatus
project_qkv(const DbertRun *run, const DbertLinear *qkv, const DbertSpan *span)
{
	const DbertKernels *kernels = run->model->kernels;
	size_t		c = run->model->config.hidden;
	int			rows = dbert_span_rows(span);
	int			block = dbert_block_rows(kernels, rows, qkv->n, qkv->k);

	for (int i = 0; i < rows; i += block)
	{
		int			m = min_int(block, rows - i);

		DBERT_TRY(dbert_run_poll(run));
		dbert_linear(kernels, qkv, run->scratch.qkv + i * 3 * c, 3 * c,
					 dbert_block_input(run, span->x + i * c, m), c, m, DBERT_ACT_NONE);
	}
	return DBERT_OK;
}

/* One head of one text: columns h*D .. h*D+D-1 of queries, keys, values and context. */
static DbertStatus
mix_values(const DbertRun *run, int h, int first, int t)
{
	const DbertKernels *kernels = run->model->kernels;
	const DbertScratch *s = &run->scratch;
	size_t		c = run->model->config.hidden;
	int			d = (int) c / run->model->config.heads;
	const float *q = s->qkv + first * 3 * c + (size_t) h * d,
			   *k = q + c,
			   *v = k + c;
	float	   *out = s->context + first * c + (size_t) h * d;
	float		scale = (float) (1 / sqrt(d));
	int			block = attention_rows(kernels, t, d);

	for (int i = 0; i < t; i += block)
	{
		DBERT_TRY(dbert_run_poll(run));
		kernels->attention(out + i * c, c, q + i * 3 * c, k, v, 3 * c,
						   min_int(block, t - i), t, d, scale, s->attention);
	}
	return DBERT_OK;
}

static DbertStatus
project_out(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span)
{
	const DbertKernels *kernels = run->model->kernels;
	const DbertScratch *s = &run->scratch;
	const DbertLinear *out = &layer->attn_out;
	const DbertNorm *norm = &layer->attn_norm;
	size_t		c = run->model->config.hidden;
	int			rows = dbert_span_rows(span);
	int			block = dbert_block_rows(kernels, rows, out->n, out->k);

	for (int i = 0; i < rows; i += block)
	{
		int			m = min_int(block, rows - i);
		float	   *x = span->x + i * c;

		DBERT_TRY(dbert_run_poll(run));
		dbert_linear(kernels, out, s->y, c, s->context + i * c, c, m, DBERT_ACT_NONE);
		kernels->layer_norm_rows(x, s->y, x, norm->gamma, norm->beta,
								 m, (int) c, run->model->config.norm_eps);
	}
	return DBERT_OK;
}

DbertStatus
dbert_attention(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span)
{
	DBERT_TRY(project_qkv(run, &layer->qkv, span));
	for (int b = 0; b < span->n_texts; b++)
		for (int h = 0; h < run->model->config.heads; h++)
			DBERT_TRY(mix_values(run, h, span->cu[b] - span->cu[0], span->cu[b + 1] - span->cu[b]));
	return project_out(run, layer, span);
}
