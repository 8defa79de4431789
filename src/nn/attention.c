/*
 * attention.c -- multi-head self-attention.
 *
 * Three passes over a span's rows: project to queries, keys and values, let
 * each head of each text mix its values, project back and add.  There is no
 * mask: without padding every token of a text sees all of them, or, in a local
 * layer, its neighbourhood, whose keys alone are looked at.  Rows that nobody
 * wants of the last layer have keys and values only.  Each pass is a loop whose
 * parts, blocks of rows or heads of texts, write apart.
 *
 * Sources: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2; Beltagy et al.
 * 2020 (arXiv:2004.05150), local layers; Ainslie et al. 2023
 * (arXiv:2305.13245), heads that share keys.
 */
#include "nn/layers.h"

#include "model/distances.h"
#include "nn/distancebias.h"
#include "nn/rotary.h"

#include <math.h>
#include <string.h>

static int
min_int(int a, int b)
{
	return a < b ? a : b;
}

/* Queries of a local layer that one call takes, in windows. */
#define LOCAL_QUERIES 4

/*
 * Texts of models of 8 bits have so many tokens where their heads work in whole
 * numbers: packing costs more than shorter ones gain.
 */
#define INT8_LEAST_KEYS 128

/* ---- rows to queries, keys and values, and back ---- */

typedef struct Projection
{
	const DbertRun *run;
	const DbertLayer *layer;
	const DbertSpan *span;
	DbertLinear linear;
	float	   *x;				/* [rows, C] */
	const int32_t *picked;		/* which tokens they are, NULL: those of the span */
	int			first;			/* column of scratch.qkv */
	int			rotated;		/* column from which on heads are turned, */
	int			heads;			/* and how many are */
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
	const DbertConfig *config = &run.model->config;
	size_t		c = config->hidden,
				ld = dbert_qkv_columns(config);
	int			first = i * p->block,
				m = min_int(p->block, p->rows - first);
	float	   *qkv = run.scratch.qkv + first * ld;

	DBERT_TRY(dbert_run_poll(&run));
	dbert_linear(&run, &p->linear, qkv + p->first, ld,
				 dbert_half_input(&run, &p->layer->attn_norm, p->x + first * c, m), c, m,
				 DBERT_ACT_NONE);
	if (config->rotary != DBERT_ROTARY_NONE)
		dbert_rotate(&run, p->layer->local, p->span->cu, p->span->n_texts, p->picked, first, m,
					 qkv + p->rotated, ld, p->heads);
	return DBERT_OK;
}

static DbertStatus
project(Projection p, int first, int n)
{
	p.linear = dbert_linear_columns(p.run->model, &p.layer->qkv, first, n);
	p.first = first;
	return run_blocks(&p, block_in);
}

/* Queries, keys and values of a span's rows, into scratch.qkv. */
static DbertStatus
project_all(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span)
{
	const DbertConfig *config = &run->model->config;

	return project((Projection) { .run = run,
								  .layer = layer,
								  .span = span,
								  .x = span->x,
								  .rows = dbert_span_rows(span),
								  .heads = config->heads + dbert_key_heads(config) },
				   0, layer->qkv.n);
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
	const DbertConfig *config = &run->model->config;
	size_t		c = config->hidden;
	int			panel = dbert_panel(run->model, &layer->qkv),
				keys = (int) c / panel * panel;
	Projection	all = {
		.run = run, .layer = layer, .span = span, .x = span->x, .rows = dbert_span_rows(span),
		.rotated = (int) c, .heads = dbert_key_heads(config)
	};
	Projection	wanted = {
		.run = run, .layer = layer, .span = span, .x = span->out, .rows = span->n_wanted,
		.picked = span->wanted, .heads = config->heads
	};

	DBERT_TRY(project(all, keys, layer->qkv.n - keys));
	for (int i = 0; i < span->n_wanted; i++)
		memmove(span->out + i * c, span->x + (span->wanted[i] - span->cu[0]) * c,
				c * sizeof(float));
	return project(wanted, 0, (int) c);
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
	dbert_half_output(&run, &p->layer->attn_norm, x, s->y, m);
	return DBERT_OK;
}

static DbertStatus
project_out(const DbertRun *run, const DbertLayer *layer, float *x, int rows)
{
	Projection	p = {
		.run = run,
		.layer = layer,
		.linear = layer->attn_out,
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
	const int32_t *picked;		/* which tokens of the batch the queries are, NULL: all in turn */
	int			token;			/* the text's first one */
} TextRows;

static TextRows
text_rows(const DbertSpan *span, int b)
{
	TextRows	rows = {
		.first = span->cu[b] - span->cu[0],
		.t = span->cu[b + 1] - span->cu[b],
		.token = span->cu[b]
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
		rows.picked = span->wanted + rows.query;
	}
	return rows;
}

/*
 * Queries per call, so that the two products of a call stay within block_work.
 * In a local layer few of them, so that a call's keys are few, but enough for
 * keys that two calls see not to weigh.
 */
static int
attention_rows(const DbertRun *run, const TextRows *rows, int window)
{
	const DbertConfig *config = &run->model->config;
	int			most = window > 0 ? min_int(rows->t, LOCAL_QUERIES * window) : rows->t;
	size_t		keys = window > 0 ? min_int(rows->t, most + 2 * window) : rows->t,
				fit = run->model->kernels->block_work /
		(2 * (1 + config->extra_terms) * keys * (size_t) (config->hidden / config->heads));

	return fit < 1 ? 1 : fit > (size_t) most ? most : (int) fit;
}

static int
window_of(const DbertConfig *config, const DbertLayer *layer)
{
	return layer->local ? config->window : 0;
}

/* A head's part of a layer's vectors for distances, if it has them. */
static const float *
rows_of_head(const DbertRun *run, const float *rows, int h)
{
	const DbertModel *model = run->model;

	return rows != NULL ? rows + h * dbert_distance_floats(&model->config, model->kernels) : NULL;
}

/*
 * How a head's queries i .. i+m-1 of the text score keys, and which of its keys
 * they see.
 */
static DbertScoring
scoring_of(const DbertRun *run, const DbertLayer *layer, const TextRows *rows, int h, int i, int m,
		   DbertKeys *seen)
{
	const DbertConfig *config = &run->model->config;
	DbertScoring s = {
		.scale = (float) (1 / sqrt((double) (1 + config->extra_terms) * config->hidden /
								   config->heads)),
		.bias = dbert_bias_of_head(run, h),
		.query_rows = rows_of_head(run, layer->query_rows, h),
		.key_rows = rows_of_head(run, layer->key_rows, h),
		.zero = dbert_distance_zero(config),
		.window = window_of(config, layer),
		.same_keys = i > 0 && !layer->local,
		.query = rows->picked != NULL ? -rows->token : i,
		.queries = rows->picked != NULL ? rows->picked + i : NULL
	};

	*seen = dbert_scoring_keys(&s, 0, m - 1, rows->t);
	s.key = seen->first;
	return s;
}

static bool
in_whole_numbers(const DbertRun *run, const TextRows *rows, const DbertScoring *scoring)
{
	return run->model->config.precision != DBERT_PRECISION_FP32 &&
		dbert_scoring_is_plain(scoring) && rows->t >= INT8_LEAST_KEYS &&
		rows->t <= DBERT_INT8_MAX_KEYS;
}

/*
 * One head of one text: columns h*D .. h*D+D-1 of queries and context, those of
 * its keys and values, which it may share with its neighbours.
 */
static DbertStatus
mix_values(const DbertRun *run, const DbertLayer *layer, const TextRows *rows, int h)
{
	const DbertConfig *config = &run->model->config;
	const DbertScratch *s = &run->scratch;
	size_t		c = config->hidden,
				ld = dbert_qkv_columns(config);
	int			d = (int) c / config->heads,
				block = attention_rows(run, rows, window_of(config, layer));
	const float *q = s->qkv + rows->query * ld + (size_t) h * d,
			   *k = s->qkv + rows->first * ld + c +
		(size_t) (h / (config->heads / dbert_key_heads(config))) * d,
			   *v = k + dbert_key_columns(config);
	float	   *out = s->context + rows->query * c + (size_t) h * d;

	for (int i = 0; i < rows->m; i += block)
	{
		int			m = min_int(block, rows->m - i);
		DbertKeys	seen;
		DbertScoring scoring = scoring_of(run, layer, rows, h, i, m, &seen);

		DBERT_TRY(dbert_run_poll(run));
		if (in_whole_numbers(run, rows, &scoring))
			dbert_int8_of(run->model->kernels, config->precision)
				->attention(out + i * c, c, q + i * ld, k, v, ld, m, rows->t, d, scoring.scale,
							s->attention);
		else
			run->model->kernels->attention(out + i * c, c, q + i * ld, k + seen.first * ld,
										   v + seen.first * ld, ld, m, seen.end - seen.first, d,
										   &scoring, s->attention);
	}
	return DBERT_OK;
}

typedef struct Heads
{
	const DbertRun *run;
	const DbertLayer *layer;
	const DbertSpan *span;
} Heads;

static DbertStatus
head_of_text(void *ctx, int i, int worker)
{
	const Heads *heads = ctx;
	const DbertRun run = dbert_worker_run(heads->run, worker);
	int			n = run.model->config.heads;
	const TextRows rows = text_rows(heads->span, i / n);

	return mix_values(&run, heads->layer, &rows, i % n);
}

/* Multiply-adds of a head of the longest text, all queries. */
static size_t
head_work(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span)
{
	const DbertConfig *config = &run->model->config;
	size_t		t = 0,
				keys;

	for (int b = 0; b < span->n_texts; b++)
		if (span->cu[b + 1] - span->cu[b] > t)
			t = span->cu[b + 1] - span->cu[b];
	keys = t;
	if (layer->local && (size_t) 3 * config->window < t)
		keys = (size_t) 3 * config->window;
	return 2 * (1 + config->extra_terms) * t * keys * config->hidden / config->heads;
}

DbertStatus
dbert_attention(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span)
{
	Heads		heads = {.run = run, .layer = layer, .span = span};
	int			rows = dbert_span_rows(span);

	if (span->wanted != NULL)
		DBERT_TRY(project_wanted(run, layer, span));
	else
		DBERT_TRY(project_all(run, layer, span));
	DBERT_TRY(dbert_run_loop(run, span->n_texts * run->model->config.heads,
							 head_work(run, layer, span), head_of_text, &heads));
	return project_out(run, layer, span->out, span->wanted != NULL ? span->n_wanted : rows);
}
