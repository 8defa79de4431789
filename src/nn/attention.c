/*
 * attention.c -- multi-head self-attention.
 *
 * Three passes over a span's rows: project to queries, keys and values, let
 * each head of each text mix its values, project back and add.  There is no
 * mask: without padding every token of a text sees all of them.  Rows that
 * nobody wants of the last layer have keys and values only.  Each pass is a
 * loop whose parts, blocks of rows or heads of texts, write apart.
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

/*
 * Queries per call, so that the two products of a call stay within block_work.
 */
static int
attention_rows(const DbertKernels *kernels, int t, int d)
{
	size_t		rows = kernels->block_work / (2 * (size_t) t * (size_t) d);

	return rows < 1 ? 1 : rows > (size_t) t ? t : (int) rows;
}

/* ---- rows to queries, keys and values, and back ---- */

typedef struct Projection
{
	const DbertRun *run;
	DbertLinear linear;
	const DbertNorm *norm;		/* of the way back */
	float	   *x;				/* [rows, C] */
	int			first;			/* column of scratch.qkv */
	int			rows;
	int			block;
} Projection;

static DbertStatus
run_blocks(Projection *p, DbertWork work)
{
	p->block = dbert_block_rows(p->run->model, dbert_threads_count(p->run->pool),
								p->rows, p->linear.n, p->linear.k);
	return dbert_run_loop(p->run, dbert_blocks(p->rows, p->block),
						  (size_t) p->block * p->linear.n * p->linear.k, work, p);
}

static DbertStatus
block_in(void *ctx, int i, int worker)
{
	const Projection *p = ctx;
	const DbertRun run = dbert_worker_run(p->run, worker);
	size_t		c = run.model->config.hidden;
	int			first = i * p->block,
				m = min_int(p->block, p->rows - first);
	float	   *qkv = run.scratch.qkv + first * 3 * c + p->first;

	DBERT_TRY(dbert_run_poll(&run));
	dbert_linear(&run, &p->linear, qkv, 3 * c,
				 dbert_block_input(&run, p->x + first * c, m), c, m, DBERT_ACT_NONE);
	return DBERT_OK;
}

/*
 * Columns first .. first+n-1 of queries, keys and values for x[rows, C], into
 * scratch.qkv.
 */
static DbertStatus
project_in(const DbertRun *run, const DbertLayer *layer, int first, int n, float *x, int rows)
{
	Projection	p = {
		.run = run,
		.linear = dbert_linear_columns(run->model->kernels, &layer->qkv, first, n),
		.x = x,
		.first = first,
		.rows = rows
	};

	return run_blocks(&p, block_in);
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
	int			panel = dbert_panel(run->model->kernels, &layer->qkv),
				keys = (int) c / panel * panel;

	DBERT_TRY(project_in(run, layer, keys, 3 * (int) c - keys, span->x, dbert_span_rows(span)));
	for (int i = 0; i < span->n_wanted; i++)
		memmove(span->out + i * c, span->x + (span->wanted[i] - span->cu[0]) * c,
				c * sizeof(float));
	return project_in(run, layer, 0, (int) c, span->out, span->n_wanted);
}

static DbertStatus
block_out(void *ctx, int i, int worker)
{
	const Projection *p = ctx;
	const DbertRun run = dbert_worker_run(p->run, worker);
	const DbertScratch *s = &run.scratch;
	size_t		c = run.model->config.hidden;
	int			first = i * p->block,
				m = min_int(p->block, p->rows - first);
	float	   *x = p->x + first * c;

	DBERT_TRY(dbert_run_poll(&run));
	dbert_linear(&run, &p->linear, s->y, c, s->context + first * c, c, m, DBERT_ACT_NONE);
	run.model->kernels->layer_norm_rows(x, s->y, x, p->norm->gamma, p->norm->beta,
										m, (int) c, run.model->config.norm_eps);
	return DBERT_OK;
}

static DbertStatus
project_out(const DbertRun *run, const DbertLayer *layer, float *x, int rows)
{
	Projection	p = {
		.run = run,
		.linear = layer->attn_out,
		.norm = &layer->attn_norm,
		.x = x,
		.rows = rows
	};

	return run_blocks(&p, block_out);
}

/* ---- the heads ---- */

/*
 * m queries from row query on against the t keys and values from row first on.
 */
typedef struct TextRows
{
	int			query,
				m,
				first,
				t;
} TextRows;

static TextRows
text_rows(const DbertSpan *span, int b)
{
	TextRows	rows = {
		.first = span->cu[b] - span->cu[0],
		.t = span->cu[b + 1] - span->cu[b]
	};

	if (span->wanted == NULL)
	{
		rows.query = rows.first;
		rows.m = rows.t;
	}
	else
	{
		rows.query = dbert_count_below(span->wanted, span->n_wanted, span->cu[b]);
		rows.m = dbert_count_below(span->wanted, span->n_wanted, span->cu[b + 1]) - rows.query;
	}
	return rows;
}

/*
 * One head of one text: columns h*D .. h*D+D-1 of queries, keys, values and
 * context.
 */
static DbertStatus
mix_values(const DbertRun *run, const TextRows *rows, int h)
{
	const DbertKernels *kernels = run->model->kernels;
	const DbertScratch *s = &run->scratch;
	size_t		c = run->model->config.hidden;
	int			d = (int) c / run->model->config.heads;
	const float *q = s->qkv + rows->query * 3 * c + (size_t) h * d,
			   *k = s->qkv + rows->first * 3 * c + c + (size_t) h * d,
			   *v = k + c;
	float	   *out = s->context + rows->query * c + (size_t) h * d;
	const DbertScoring scoring = {.scale = (float) (1 / sqrt(d))};
	int			block = attention_rows(kernels, rows->t, d);

	for (int i = 0; i < rows->m; i += block)
	{
		DBERT_TRY(dbert_run_poll(run));
		kernels->attention(out + i * c, c, q + i * 3 * c, k, v, 3 * c,
						   min_int(block, rows->m - i), rows->t, d, &scoring, s->attention);
	}
	return DBERT_OK;
}

typedef struct Heads
{
	const DbertRun *run;
	const DbertSpan *span;
} Heads;

static DbertStatus
head_of_text(void *ctx, int i, int worker)
{
	const Heads *heads = ctx;
	const DbertRun run = dbert_worker_run(heads->run, worker);
	int			n = run.model->config.heads;
	const TextRows rows = text_rows(heads->span, i / n);

	return mix_values(&run, &rows, i % n);
}

/* Multiply-adds of a head of the longest text, all queries. */
static size_t
head_work(const DbertRun *run, const DbertSpan *span)
{
	size_t		t = 0;

	for (int b = 0; b < span->n_texts; b++)
		if (span->cu[b + 1] - span->cu[b] > t)
			t = span->cu[b + 1] - span->cu[b];
	return 2 * t * t * run->model->config.hidden / run->model->config.heads;
}

DbertStatus
dbert_attention(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span)
{
	Heads		heads = {.run = run, .span = span};
	int			rows = dbert_span_rows(span);

	if (span->wanted != NULL)
		DBERT_TRY(project_wanted(run, layer, span));
	else
		DBERT_TRY(project_in(run, layer, 0, layer->qkv.n, span->x, rows));
	DBERT_TRY(dbert_run_loop(run, span->n_texts * run->model->config.heads,
							 head_work(run, span), head_of_text, &heads));
	return project_out(run, layer, span->out, span->wanted != NULL ? span->n_wanted : rows);
}
