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
 * The tape is allocated piece by piece as it is needed, so what translations
 * take depends on how long they become.
 *
 * Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.1; the layers are
 * post-norm, as transformers' MarianDecoderLayer.
 */
#include "nn/decoder.h"

#include "base/layout.h"
#include "kernel/decoding.h"

#include <math.h>
#include <string.h>

#define PIECE_ROWS 64			/* of the tape, that are allocated together */
#define POINTER_FLOATS (sizeof(void *) / sizeof(float))
#define MOST_STATES 120			/* rows of states that a product takes */

static inline size_t
padded(size_t columns)
{
	return (columns + 15) & ~(size_t) 15;
}

/* ---- memory ---- */

static size_t
pieces_of(size_t rows)
{
	return (rows + PIECE_ROWS - 1) / PIECE_ROWS;
}

/* Rows that a product may have: those of a step, or some of the states. */
static size_t
most_rows(const DbertDecoderSize *size)
{
	size_t		states = size->tokens < MOST_STATES ? size->tokens : MOST_STATES;

	return (size_t) size->rows > states ? (size_t) size->rows : states;
}

/* Keys of an attention at most. */
static size_t
most_keys(const DbertDecoderSize *size)
{
	return size->longest > (size_t) size->steps ? size->longest : (size_t) size->steps;
}

static void
place(DbertDecoder *d, const DbertConfig *config, int threads, DbertLayout *l)
{
	const DbertDecoderSize *size = &d->size;
	size_t		c = padded(config->hidden),
				rows = size->rows,
				pieces = pieces_of(size->all_rows),
				widest = config->ffn > config->hidden ? config->ffn : config->hidden;
	DbertScratch *s = &d->run.scratch;
	size_t		shared;

	d->cross = dbert_layout_floats(l, (size_t) config->decoder_layers * size->tokens,
								   2 * (size_t) config->hidden);
	d->x = dbert_layout_floats(l, rows, c);
	d->y = dbert_layout_floats(l, rows, c);
	d->queries = dbert_layout_floats(l, rows, padded(3 * (size_t) config->hidden));
	d->context = dbert_layout_floats(l, rows, c);
	d->inner = dbert_layout_floats(l, rows, padded(config->ffn));
	d->logits = dbert_layout_floats(l, rows, config->vocab);
	d->before = dbert_layout_place(l, size->all_rows, 1, sizeof(int32_t));
	d->pieces = dbert_layout_place(l, pieces, 1, sizeof(void *));
	d->tape = dbert_layout_place(l, pieces, 1, sizeof(float *));
	shared = l->total;
	/* where an attention's keys are, and their scores for each head */
	s->attention = dbert_layout_floats(l, most_keys(size), config->heads + POINTER_FLOATS);
	s->int8 = dbert_layout_floats(l, config->precision != DBERT_PRECISION_FP32,
								  dbert_int8_scratch((int) most_rows(size), (int) widest));
	s->own_floats = (l->total - shared) / sizeof(float);
	(void) dbert_layout_floats(l, threads - 1, s->own_floats);
	/* workers have no other scratch */
	s->x = s->y = s->ffn = s->conv_in = s->attention;
}

static void
place_piece(const DbertConfig *config, DbertLayout *l, float **at)
{
	*at = dbert_layout_floats(l, (size_t) config->decoder_layers * PIECE_ROWS,
							  2 * (size_t) config->hidden);
}

bool
dbert_decoder_memory(const DbertConfig *config, const DbertDecoderSize *size, int threads,
					 size_t *room, size_t *tape)
{
	DbertDecoder d = {.size = *size};
	DbertLayout l = {0},
				piece = {0};
	size_t		of_piece;
	float	   *at;

	place(&d, config, threads, &l);
	place_piece(config, &piece, &at);
	return dbert_layout_bytes(&l, room) && dbert_layout_bytes(&piece, &of_piece) &&
		   dbert_mul_size(of_piece, pieces_of(size->all_rows), tape);
}

/* The tape becomes long enough for n rows more. */
static DbertStatus
lengthen(DbertDecoder *d, int n)
{
	const DbertConfig *config = &d->run.model->config;

	if (d->n_rows + n > d->size.all_rows)
		return dbert_fail(d->run.err, DBERT_E_INTERNAL, "a decoder has more rows than foreseen");
	while (d->n_pieces < pieces_of(d->n_rows + n))
	{
		DbertLayout l = {0};
		size_t		bytes;
		void	   *piece = NULL;

		place_piece(config, &l, &d->tape[d->n_pieces]);
		if (dbert_layout_bytes(&l, &bytes))
			piece = dbert_alloc(d->alloc, bytes);
		if (piece == NULL)
			return dbert_fail(d->run.err, DBERT_E_NOMEM, "out of memory for %zu tokens",
							  d->n_rows + n);
		l = dbert_layout_in(piece);
		place_piece(config, &l, &d->tape[d->n_pieces]);
		d->pieces[d->n_pieces++] = piece;
	}
	return DBERT_OK;
}

/* Keys of a row on the tape, with values C columns behind. */
static float *
on_tape(const DbertDecoder *d, int32_t row, int layer)
{
	return d->tape[row / PIECE_ROWS] + ((size_t) layer * PIECE_ROWS + row % PIECE_ROWS) * 2 *
		d->run.model->config.hidden;
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
project_states(DbertDecoder *d, const float *hidden)
{
	const DbertModel *model = d->run.model;
	size_t		c = model->config.hidden,
				n = d->size.tokens;

	for (int l = 0; l < model->config.decoder_layers; l++)
		for (size_t i = 0; i < n; i += MOST_STATES)
			DBERT_TRY(multiply(&d->run, &model->weights.decoder[l].cross_keys,
							   d->cross + (l * n + i) * 2 * c, 2 * c, hidden + i * c, c,
							   (int) (n - i < MOST_STATES ? n - i : MOST_STATES),
							   DBERT_ACT_NONE));
	return DBERT_OK;
}

DbertStatus
dbert_decoder_begin(DbertDecoder *d, const DbertModel *model, const int32_t *cu,
					const DbertDecoderSize *size, const float *hidden, DbertThreads *pool,
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
	d->size = *size;
	place(d, &model->config, threads, &l);
	if (dbert_layout_bytes(&l, &bytes))
		d->room = dbert_alloc(alloc, bytes);
	if (d->room == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory for %zu tokens", size->tokens);
	l = dbert_layout_in(d->room);
	place(d, &model->config, threads, &l);
	return project_states(d, hidden);
}

void
dbert_decoder_end(DbertDecoder *d)
{
	for (size_t i = 0; i < d->n_pieces; i++)
		dbert_free(d->alloc, d->pieces[i]);
	dbert_free(d->alloc, d->room);
}

/* ---- a step ---- */

/* Rows of a step, the first of which is number first on the tape. */
typedef struct Step
{
	DbertDecoder *d;
	const DbertDecoderRow *rows;
	int			n;
	int			number;
	int32_t		first;
} Step;

/* One attention of all rows, to themselves or to the encoder's states. */
typedef struct Mixing
{
	const Step *step;
	int			layer;
	bool		cross;
} Mixing;

/* Where the keys of row i of a step are, values C columns behind; how many. */
static int
keys_of(const Mixing *m, int i, const float **keys)
{
	const DbertDecoder *d = m->step->d;
	const int32_t *cu = d->cu + m->step->rows[i].sentence;
	size_t		width = 2 * (size_t) d->run.model->config.hidden;

	if (m->cross)
	{
		for (int t = 0; t < cu[1] - cu[0]; t++)
			keys[t] = d->cross + (m->layer * d->size.tokens + cu[0] + t) * width;
		return cu[1] - cu[0];
	}
	for (int32_t t = m->step->number, row = m->step->first + i; t >= 0; t--, row = d->before[row])
		keys[t] = on_tape(d, row, m->layer);
	return m->step->number + 1;
}

static DbertStatus
mix_row(void *ctx, int i, int worker)
{
	const Mixing *m = ctx;
	const DbertDecoder *d = m->step->d;
	const DbertRun run = dbert_worker_run(&d->run, worker);
	const DbertConfig *config = &run.model->config;
	int			c = config->hidden,
				width = c / config->heads,
				t;
	const float **keys = (const float **) run.scratch.attention;
	float	   *scores = run.scratch.attention + most_keys(&d->size) * POINTER_FLOATS;

	DBERT_TRY(dbert_run_poll(&run));
	t = keys_of(m, i, keys);
	run.model->kernels->decoding->attend(d->context + i * padded(c),
										 d->queries + i * padded(3 * (size_t) c), keys, c, t,
										 config->heads, width,
										 (float) (1 / sqrt((double) width)), scores);
	return DBERT_OK;
}

static DbertStatus
mix(const Step *step, int layer, bool cross)
{
	const DbertDecoder *d = step->d;
	Mixing		m = {.step = step, .layer = layer, .cross = cross};

	return dbert_run_loop(&d->run, step->n, 2 * most_keys(&d->size) * d->run.model->config.hidden,
						  mix_row, &m);
}

/* x[n, C] = what the rows' last tokens are, and where they stand. */
static void
embed(const Step *step)
{
	const DbertDecoder *d = step->d;
	const DbertModel *model = d->run.model;
	const DbertWeights *w = &model->weights;
	size_t		c = model->config.hidden;
	float		scale = model->config.scale_words ? sqrtf((float) c) : 1;

	for (int i = 0; i < step->n; i++)
	{
		float	   *x = d->x + i * padded(c);

		if (w->word != NULL)
			memcpy(x, w->word + step->rows[i].id * c, c * sizeof(float));
		else
			dbert_word_row(model, step->rows[i].id, x);
		for (size_t j = 0; j < c; j++)
			x[j] = x[j] * scale + w->position[step->number * c + j];
	}
}

/* Keys and values of a layer go onto the tape. */
static void
remember(const Step *step, int layer)
{
	const DbertDecoder *d = step->d;
	size_t		c = d->run.model->config.hidden;

	for (int i = 0; i < step->n; i++)
		memcpy(on_tape(d, step->first + i, layer), d->queries + i * padded(3 * c) + c,
			   2 * c * sizeof(float));
}

static DbertStatus
run_layer(const Step *step, int layer)
{
	DbertDecoder *d = step->d;
	const DbertModel *model = d->run.model;
	const DbertLayer *w = &model->weights.decoder[layer];
	size_t		c = padded(model->config.hidden),
				q = padded(3 * (size_t) model->config.hidden),
				f = padded(model->config.ffn);
	int			n = step->n;

	DBERT_TRY(multiply(&d->run, &w->qkv, d->queries, q, d->x, c, n, DBERT_ACT_NONE));
	remember(step, layer);
	DBERT_TRY(mix(step, layer, false));
	DBERT_TRY(add_and_norm(d, &w->attn_out, d->context, c, &w->attn_norm, n));
	DBERT_TRY(multiply(&d->run, &w->cross_query, d->queries, q, d->x, c, n, DBERT_ACT_NONE));
	DBERT_TRY(mix(step, layer, true));
	DBERT_TRY(add_and_norm(d, &w->cross_out, d->context, c, &w->cross_norm, n));
	DBERT_TRY(multiply(&d->run, &w->ffn_in, d->inner, f, d->x, c, n, model->config.act));
	return add_and_norm(d, &w->ffn_out, d->inner, f, &w->ffn_norm, n);
}

DbertStatus
dbert_decoder_step(DbertDecoder *d, const DbertDecoderRow *rows, int n, int number)
{
	const DbertModel *model = d->run.model;
	const Step	step = {
		.d = d, .rows = rows, .n = n, .number = number, .first = (int32_t) d->n_rows
	};

	DBERT_TRY(lengthen(d, n));
	for (int i = 0; i < n; i++)
		d->before[d->n_rows++] = rows[i].before;
	embed(&step);
	for (int layer = 0; layer < model->config.decoder_layers; layer++)
		DBERT_TRY(run_layer(&step, layer));
	return multiply(&d->run, &model->weights.head_out, d->logits, model->config.vocab, d->x,
					padded(model->config.hidden), n, DBERT_ACT_NONE);
}
