/*
 * attention.c -- multi-head self-attention.
 *
 * Three passes over a span's rows: project to queries, keys and values, let
 * each head of each text mix its values, project back and add.  There is no
 * mask: without padding every token of a text sees all of them.  Rows that
 * nobody wants of the last layer have keys and values only.
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

/* Columns first .. first+n-1 of queries, keys and values for x[rows, C], into scratch.qkv. */
static DbertStatus
project_in(const DbertRun *run, const DbertLayer *layer, int first, int n, const float *x, int rows)
{
	const DbertKernels *kernels = run->model->kernels;
	const DbertLinear part = dbert_linear_columns(kernels, &layer->qkv, first, n);
	size_t		c = run->model->config.hidden;
	int			block = dbert_block_rows(kernels, rows, part.n, part.k);

	for (int i = 0; i < rows; i += block)
	{
		int			m = min_int(block, rows - i);

		DBERT_TRY(dbert_run_poll(run));
		dbert_linear(kernels, &part, run->scratch.qkv + i * 3 * c + first, 3 * c,
					 dbert_block_input(run, x + i * c, m), c, m, DBERT_ACT_NONE);
	}
	return DBERT_OK;
}

/*
 * Keys and values of every row, queries of the wanted ones, which move to out:
 * the first n_wanted rows of scratch.qkv hold queries of theirs beside keys and
 * values of the span's first rows.  Where C is no multiple of the panel the
 * keys' first panel has some queries in it; they are overwritten.
 */
static DbertStatus
project_wanted(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span)
{
	size_t		c = run->model->config.hidden;
	int			panel = run->model->kernels->panel,
				keys = (int) c / panel * panel;

	DBERT_TRY(project_in(run, layer, keys, 3 * (int) c - keys, span->x, dbert_span_rows(span)));
	for (int i = 0; i < span->n_wanted; i++)
		memmove(span->out + i * c, span->x + (span->wanted[i] - span->cu[0]) * c, c * sizeof(float));
	return project_in(run, layer, 0, (int) c, span->out, span->n_wanted);
}

/* m queries from row query on against the t keys and values from row first on. */
typedef struct TextRows
{
	int			query,
				m,
				first,
				t;
} TextRows;

/* One head of one text: columns h*D .. h*D+D-1 of queries, keys, values and context. */
static DbertStatus
mix_values(const DbertRun *run, int h, const TextRows *rows)
{
	const DbertKernels *kernels = run->model->kernels;
	const DbertScratch *s = &run->scratch;
	size_t		c = run->model->config.hidden;
	int			d = (int) c / run->model->config.heads;
	const float *q = s->qkv + rows->query * 3 * c + (size_t) h * d,
			   *k = s->qkv + rows->first * 3 * c + c + (size_t) h * d,
			   *v = k + c;
	float	   *out = s->context + rows->query * c + (size_t) h * d;
	float		scale = (float) (1 / sqrt(d));
	int			block = attention_rows(kernels, rows->t, d);

	for (int i = 0; i < rows->m; i += block)
	{
		DBERT_TRY(dbert_run_poll(run));
		kernels->attention(out + i * c, c, q + i * 3 * c, k, v, 3 * c,
						   min_int(block, rows->m - i), rows->t, d, scale, s->attention);
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
	int			block = dbert_block_rows(kernels, rows, out->n, out->k);

	for (int i = 0; i < rows; i += block)
	{
		int			m = min_int(block, rows - i);
		float	   *row = x + i * c;

		DBERT_TRY(dbert_run_poll(run));
		dbert_linear(kernels, out, s->y, c, s->context + i * c, c, m, DBERT_ACT_NONE);
		kernels->layer_norm_rows(row, s->y, row, norm->gamma, norm->beta,
								 m, (int) c, run->model->config.norm_eps);
	}
	return DBERT_OK;
}

/* Where text b's rows are, the texts before it having used up queries. */
static TextRows
text_rows(const DbertSpan *span, int b, int queries)
{
	TextRows	rows = {
		.query = queries,
		.first = span->cu[b] - span->cu[0],
		.t = span->cu[b + 1] - span->cu[b]
	};

	if (span->wanted == NULL)
		rows.m = rows.t;
	else
		while (queries + rows.m < span->n_wanted && span->wanted[queries + rows.m] < span->cu[b + 1])
			rows.m++;
	return rows;
}

DbertStatus
dbert_attention(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span)
{
	int			queries = 0;

	if (span->wanted != NULL)
		DBERT_TRY(project_wanted(run, layer, span));
	else
		DBERT_TRY(project_in(run, layer, 0, layer->qkv.n, span->x, dbert_span_rows(span)));
	for (int b = 0; b < span->n_texts; b++)
	{
		TextRows	rows = text_rows(span, b, queries);

		for (int h = 0; h < run->model->config.heads; h++)
			DBERT_TRY(mix_values(run, h, &rows));
		queries += rows.m;
	}
	return project_out(run, layer, span->out, queries);
}
