/*
 * decoder.c -- see decoder.h.
 *
 * A step reads all of the decoder's weights, whatever the number of rows, so
 * rows of all sentences go through it together.  Products are divided by
 * columns, as there are few rows: each part is a few milliseconds, and threads
 * draw parts.
 *
 * Kernels whose rows matter to each other get one row at a time.
 *
 * Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.1; the layers are
 * post-norm, as transformers' MarianDecoderLayer.
 */
#include "nn/decoder.h"

#include "base/layout.h"
#include "kernel/half.h"

#include <math.h>
#include <string.h>

#define FIRST_STEPS 32			/* of a slot's room, which doubles */

static inline size_t
padded(size_t columns)
{
	return (columns + 15) & ~(size_t) 15;
}

/* ---- memory ---- */

static void
place(DbertDecoder *d, const DbertConfig *config, size_t n_tokens, int threads, DbertLayout *l)
{
	size_t		c = padded(config->hidden),
				rows = d->slots,
				widest = config->ffn > config->hidden ? config->ffn : config->hidden;
	DbertScratch *s = &d->run.scratch;
	size_t		before;

	d->cross = dbert_layout_floats(l, (size_t) config->decoder_layers * n_tokens,
								   2 * (size_t) config->hidden);
	d->x = dbert_layout_floats(l, rows, c);
	d->y = dbert_layout_floats(l, rows, c);
	d->queries = dbert_layout_floats(l, rows, padded(3 * (size_t) config->hidden));
	d->context = dbert_layout_floats(l, rows, c);
	d->inner = dbert_layout_floats(l, rows, padded(config->ffn));
	d->logits = dbert_layout_floats(l, rows, config->vocab);
	before = l->total;
	s->attention = dbert_layout_floats(
		l, 1, dbert_attention_scratch(config->positions, config->hidden / config->heads));
	s->int8 = dbert_layout_floats(l, config->precision != DBERT_PRECISION_FP32,
								  dbert_int8_scratch((int) rows, (int) widest));
	s->own_floats = (l->total - before) / sizeof(float);
	(void) dbert_layout_floats(l, threads - 1, s->own_floats);
	/* workers have no other scratch */
	s->x = s->y = s->ffn = s->conv_in = s->attention;
}

static size_t
memory_floats(const DbertConfig *config)
{
	return (size_t) config->decoder_layers * 2 * config->hidden;
}

bool
dbert_decoder_memory(const DbertConfig *config, size_t n_tokens, int slots, int steps,
					 int threads, size_t *bytes)
{
	DbertDecoder d = {.slots = slots};
	DbertLayout l = {0};

	place(&d, config, n_tokens, threads, &l);
	/* while it doubles, the old room is there, too */
	(void) dbert_layout_floats(&l, (size_t) slots * steps, memory_floats(config));
	(void) dbert_layout_floats(&l, (size_t) slots * (steps / 2), memory_floats(config));
	return dbert_layout_bytes(&l, bytes);
}

static float *
memory_at(const DbertDecoder *d, float *memory, int capacity, int slot, int layer)
{
	const DbertConfig *config = &d->run.model->config;

	return memory + ((size_t) slot * config->decoder_layers + layer) * capacity * 2 *
		config->hidden;
}

/* Room for more steps; those that are there are kept. */
static DbertStatus
grow(DbertDecoder *d, int steps)
{
	const DbertConfig *config = &d->run.model->config;
	int			capacity = d->capacity == 0 ? FIRST_STEPS : 2 * d->capacity;
	DbertLayout l = {0};
	size_t		bytes;
	void	   *room = NULL;
	float	   *memory;

	if (capacity > config->positions)
		capacity = config->positions;
	(void) dbert_layout_floats(&l, (size_t) d->slots * capacity, memory_floats(config));
	if (dbert_layout_bytes(&l, &bytes))
		room = dbert_alloc(d->alloc, bytes);
	if (room == NULL)
		return dbert_fail(d->run.err, DBERT_E_NOMEM, "out of memory for %d tokens", capacity);
	l = dbert_layout_in(room);
	memory = dbert_layout_floats(&l, (size_t) d->slots * capacity, memory_floats(config));
	for (int slot = 0; slot < d->slots && steps > 0; slot++)
		for (int layer = 0; layer < config->decoder_layers; layer++)
			memcpy(memory_at(d, memory, capacity, slot, layer),
				   memory_at(d, d->memory, d->capacity, slot, layer),
				   (size_t) steps * 2 * config->hidden * sizeof(float));
	dbert_free(d->alloc, d->memory_room);
	d->memory_room = room;
	d->memory = memory;
	d->capacity = capacity;
	return DBERT_OK;
}

void
dbert_decoder_copy(DbertDecoder *d, int from, int to, int steps)
{
	const DbertConfig *config = &d->run.model->config;

	for (int layer = 0; layer < config->decoder_layers; layer++)
		memcpy(memory_at(d, d->memory, d->capacity, to, layer),
			   memory_at(d, d->memory, d->capacity, from, layer),
			   (size_t) steps * 2 * config->hidden * sizeof(float));
}

/* ---- products ---- */

/* y[m, N] = act(layer(x[m, K])) in parts of so many columns. */
typedef struct Product
{
	const DbertRun *run;
	const DbertLinear *layer;
	float	   *y;
	const float *x;
	size_t		ldy,
				ldx;
	int			m;
	int			act;
	int			columns;
} Product;

static DbertStatus
run_part(void *ctx, int i, int worker)
{
	const Product *p = ctx;
	const DbertRun run = dbert_worker_run(p->run, worker);
	int			first = i * p->columns,
				left = p->layer->n - first;
	DbertLinear part = dbert_linear_columns(run.model, p->layer, first,
											left < p->columns ? left : p->columns);
	int			rows = run.model->kernels->rows_matter ? 1 : p->m;

	DBERT_TRY(dbert_run_poll(&run));
	for (int r = 0; r < p->m; r += rows)
		dbert_linear(&run, &part, p->y + r * p->ldy + first, p->ldy, p->x + r * p->ldx, p->ldx,
					 rows, p->act);
	return DBERT_OK;
}

/* Columns of a part: whole panels, a few milliseconds, a share of a thread. */
static int
part_columns(const DbertRun *run, const DbertLinear *layer, int m)
{
	size_t		panel = dbert_panel(run->model, layer),
				fit = dbert_block_work(run->model) / ((size_t) m * layer->k) / panel * panel;
	size_t		share = (layer->n + dbert_threads_count(run->pool) - 1) /
		dbert_threads_count(run->pool);

	share = (share + panel - 1) / panel * panel;
	if (fit > share)
		fit = share;
	return (int) (fit < panel ? panel : fit);
}

static DbertStatus
multiply(const DbertRun *run, const DbertLinear *layer, float *y, size_t ldy, const float *x,
		 size_t ldx, int m, int act)
{
	Product		p = {
		.run = run, .layer = layer, .y = y, .ldy = ldy, .x = x, .ldx = ldx, .m = m, .act = act,
		.columns = part_columns(run, layer, m)
	};

	return dbert_run_loop(run, dbert_blocks(layer->n, p.columns),
						  (size_t) m * p.columns * layer->k, run_part, &p);
}

/* x = norm(x + layer(from)), all [n, C]. */
static DbertStatus
add_and_norm(DbertDecoder *d, const DbertLinear *layer, const float *from, size_t ld,
			 const DbertNorm *norm, int n)
{
	const DbertModel *model = d->run.model;
	size_t		c = padded(model->config.hidden);

	DBERT_TRY(multiply(&d->run, layer, d->y, c, from, ld, n, DBERT_ACT_NONE));
	for (int i = 0; i < n; i++)
		model->kernels->layer_norm_rows(d->x + i * c, d->y + i * c, d->x + i * c, norm->gamma,
										norm->beta, 1, model->config.hidden,
										model->config.norm_eps);
	return DBERT_OK;
}

/* ---- the encoder's states ---- */

static DbertStatus
project_states(DbertDecoder *d, const float *hidden, size_t n_tokens)
{
	const DbertModel *model = d->run.model;
	size_t		c = model->config.hidden;

	for (int l = 0; l < model->config.decoder_layers; l++)
		for (size_t i = 0; i < n_tokens; i += d->slots)
		{
			/* no more rows at once than there is scratch for */
			size_t		m = n_tokens - i < (size_t) d->slots ? n_tokens - i : (size_t) d->slots;

			DBERT_TRY(multiply(&d->run, &model->weights.decoder[l].cross_keys,
							   d->cross + (l * n_tokens + i) * 2 * c, 2 * c, hidden + i * c, c,
							   (int) m, DBERT_ACT_NONE));
		}
	return DBERT_OK;
}

DbertStatus
dbert_decoder_begin(DbertDecoder *d, const DbertModel *model, const int32_t *cu, int n,
					const float *hidden, int slots, DbertThreads *pool,
					const DbertAllocator *alloc, const DbertPoll *poll, DbertError *err)
{
	DbertLayout l = {0};
	size_t		bytes;
	int			threads;

	memset(d, 0, sizeof(*d));
	d->run = (DbertRun) {.model = model, .poll = poll, .err = err};
	if (!model->kernels->rows_matter)
		d->run.pool = pool;
	threads = dbert_threads_count(d->run.pool);
	d->alloc = alloc;
	d->cu = cu;
	d->n_tokens = cu[n];
	d->slots = slots;
	place(d, &model->config, cu[n], threads, &l);
	if (dbert_layout_bytes(&l, &bytes))
		d->room = dbert_alloc(alloc, bytes);
	if (d->room == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory for %d sentences", n);
	l = dbert_layout_in(d->room);
	place(d, &model->config, cu[n], threads, &l);
	return project_states(d, hidden, cu[n]);
}

void
dbert_decoder_end(DbertDecoder *d)
{
	dbert_free(d->alloc, d->room);
	dbert_free(d->alloc, d->memory_room);
}

/* ---- a step ---- */

/* One attention of all rows, to themselves or to the encoder's states. */
typedef struct Mixing
{
	const DbertDecoder *d;
	const DbertDecoderRow *rows;
	int			layer;
	int			step;
	bool		cross;
} Mixing;

/* Keys of a row, with values C columns behind; how many. */
static const float *
keys_of(const Mixing *m, const DbertDecoderRow *row, int *t)
{
	const DbertDecoder *d = m->d;
	const DbertConfig *config = &d->run.model->config;
	const int32_t *cu = d->cu + row->sentence;

	*t = m->cross ? cu[1] - cu[0] : m->step + 1;
	if (!m->cross)
		return memory_at(d, d->memory, d->capacity, row->slot, m->layer);
	return d->cross + (m->layer * d->n_tokens + cu[0]) * 2 * config->hidden;
}

static DbertStatus
mix_row(void *ctx, int i, int worker)
{
	const Mixing *m = ctx;
	const DbertDecoder *d = m->d;
	const DbertRun run = dbert_worker_run(&d->run, worker);
	const DbertConfig *config = &run.model->config;
	int			c = config->hidden,
				width = c / config->heads,
				t;
	const float *keys = keys_of(m, &m->rows[i], &t),
			   *q = d->queries + i * padded(3 * (size_t) c);
	float	   *out = d->context + i * padded(c);
	DbertScoring scoring = {.scale = (float) (1 / sqrt((double) width))};

	DBERT_TRY(dbert_run_poll(&run));
	for (int h = 0; h < c; h += width)
		run.model->kernels->attention(out + h, c, q + h, keys + h, keys + c + h, 2 * (size_t) c, 1,
									  t, width, &scoring, run.scratch.attention);
	return DBERT_OK;
}

static DbertStatus
mix(DbertDecoder *d, const DbertDecoderRow *rows, int n, int layer, int step, bool cross)
{
	Mixing		m = {.d = d, .rows = rows, .layer = layer, .step = step, .cross = cross};
	size_t		keys = cross ? d->n_tokens : (size_t) step;

	return dbert_run_loop(&d->run, n, 2 * (keys + 1) * d->run.model->config.hidden, mix_row, &m);
}

/* x[n, C] = what the rows' last tokens are, and where they stand. */
static void
embed(DbertDecoder *d, const DbertDecoderRow *rows, int n, int step)
{
	const DbertModel *model = d->run.model;
	const DbertWeights *w = &model->weights;
	size_t		c = model->config.hidden;
	float		scale = model->config.scale_words ? sqrtf((float) c) : 1;

	for (int i = 0; i < n; i++)
	{
		float	   *x = d->x + i * padded(c);

		if (w->word != NULL)
			memcpy(x, w->word + rows[i].id * c, c * sizeof(float));
		else
			dbert_word_row(model, rows[i].id, x);
		for (size_t j = 0; j < c; j++)
			x[j] = x[j] * scale + w->position[step * c + j];
	}
}

/* Keys and values of the step go into the rows' slots. */
static void
remember(DbertDecoder *d, const DbertDecoderRow *rows, int n, int layer, int step)
{
	size_t		c = d->run.model->config.hidden;

	for (int i = 0; i < n; i++)
		memcpy(memory_at(d, d->memory, d->capacity, rows[i].slot, layer) + step * 2 * c,
			   d->queries + i * padded(3 * c) + c, 2 * c * sizeof(float));
}

static DbertStatus
run_layer(DbertDecoder *d, const DbertDecoderRow *rows, int n, int layer, int step)
{
	const DbertModel *model = d->run.model;
	const DbertLayer *w = &model->weights.decoder[layer];
	size_t		c = padded(model->config.hidden),
				q = padded(3 * (size_t) model->config.hidden),
				f = padded(model->config.ffn);

	DBERT_TRY(multiply(&d->run, &w->qkv, d->queries, q, d->x, c, n, DBERT_ACT_NONE));
	remember(d, rows, n, layer, step);
	DBERT_TRY(mix(d, rows, n, layer, step, false));
	DBERT_TRY(add_and_norm(d, &w->attn_out, d->context, c, &w->attn_norm, n));
	DBERT_TRY(multiply(&d->run, &w->cross_query, d->queries, q, d->x, c, n, DBERT_ACT_NONE));
	DBERT_TRY(mix(d, rows, n, layer, step, true));
	DBERT_TRY(add_and_norm(d, &w->cross_out, d->context, c, &w->cross_norm, n));
	DBERT_TRY(multiply(&d->run, &w->ffn_in, d->inner, f, d->x, c, n, model->config.act));
	return add_and_norm(d, &w->ffn_out, d->inner, f, &w->ffn_norm, n);
}

DbertStatus
dbert_decoder_step(DbertDecoder *d, const DbertDecoderRow *rows, int n, int step)
{
	const DbertModel *model = d->run.model;

	if (step >= d->capacity)
		DBERT_TRY(grow(d, step));
	embed(d, rows, n, step);
	for (int layer = 0; layer < model->config.decoder_layers; layer++)
		DBERT_TRY(run_layer(d, rows, n, layer, step));
	return multiply(&d->run, &model->weights.head_out, d->logits, model->config.vocab, d->x,
					padded(model->config.hidden), n, DBERT_ACT_NONE);
}
