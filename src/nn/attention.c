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
#include <string.h>

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
	size_t		c = run->model->config.hidden;
	int			rows = dbert_span_rows(span);
	int			block = dbert_block_rows(run->model, rows, qkv->n, qkv->k);

	for (int i = 0; i < rows; i += block)
	{
		int			m = min_int(block, rows - i);

		DBERT_TRY(dbert_run_poll(run));
		dbert_linear(run, qkv, run->scratch.qkv + i * 3 * c, 3 * c,
					 dbert_block_input(run, span->x + i * c, m), c, m, DBERT_ACT_NONE);
	}
	return DBERT_OK;
}

/*
 * One head of one text, rows first .. first + t - 1 of the span: columns
 * h*D .. h*D+D-1 of queries, keys and values.  The first m queries' answers go
 * to rows of the context, from out_row on.
 */
static DbertStatus
mix_values(const DbertRun *run, int h, int first, int t, int m, int out_row)
{
	const DbertKernels *kernels = run->model->kernels;
	const DbertScratch *s = &run->scratch;
	size_t		c = run->model->config.hidden;
	int			d = (int) c / run->model->config.heads;
	const float *q = s->qkv + first * 3 * c + (size_t) h * d,
			   *k = q + c,
			   *v = k + c;
	float	   *out = s->context + out_row * c + (size_t) h * d;
	float		scale = (float) (1 / sqrt(d));
	int			block = attention_rows(kernels, t, d);

	for (int i = 0; i < m; i += block)
	{
		DBERT_TRY(dbert_run_poll(run));
		kernels->attention(out + i * c, c, q + i * 3 * c, k, v, 3 * c,
						   min_int(block, m - i), t, d, scale, s->attention);
	}
	return DBERT_OK;
}

static DbertStatus
project_out(const DbertRun *run, const DbertLayer *layer, float *x, int rows)
{
	const DbertKernels *kernels = run->model->kernels;
	const DbertScratch *s = &run->scratch;
	const DbertLinear *out = &layer->attn_out;
	const DbertNorm *norm = &layer->attn_norm;
	size_t		c = run->model->config.hidden;
	int			block = dbert_block_rows(run->model, rows, out->n, out->k);

	for (int i = 0; i < rows; i += block)
	{
		int			m = min_int(block, rows - i);
		float	   *block_x = x + i * c;

		DBERT_TRY(dbert_run_poll(run));
		dbert_linear(run, out, s->y, c, s->context + i * c, c, m, DBERT_ACT_NONE);
		kernels->layer_norm_rows(block_x, s->y, block_x, norm->gamma, norm->beta,
								 m, (int) c, run->model->config.norm_eps);
	}
	return DBERT_OK;
}

/* Text b's first row becomes row b. */
static void
gather_first_rows(const DbertSpan *span, size_t c)
{
	for (int b = 1; b < span->n_texts; b++)
		memmove(span->x + b * c, span->x + (span->cu[b] - span->cu[0]) * c, c * sizeof(float));
}

DbertStatus
dbert_attention(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span, bool first_only)
{
	DBERT_TRY(project_qkv(run, &layer->qkv, span));
	for (int b = 0; b < span->n_texts; b++)
	{
		int			first = span->cu[b] - span->cu[0],
					t = span->cu[b + 1] - span->cu[b];

		for (int h = 0; h < run->model->config.heads; h++)
			DBERT_TRY(mix_values(run, h, first, t, first_only ? 1 : t, first_only ? b : first));
	}
	if (first_only)
		gather_first_rows(span, run->model->config.hidden);
	return project_out(run, layer, span->x, first_only ? span->n_texts : dbert_span_rows(span));
}
