/*
 * encoder.c -- embeddings, then layer after layer over all texts.
 *
 * The layers are the outer loop: a layer's weights are read once for the whole
 * batch while they are in the cache.  Inside a layer the texts go span by span
 * (see layers.h).  The workspace holds one span's intermediate rows, so its
 * size depends on the longest text and the threads, not on the batch; the
 * caller owns it, and nothing is allocated here.
 */
#include "nn/encoder.h"

#include "nn/layers.h"

#include <string.h>

/* Fewer rows than a tile or two would read the weights for too little work. */
#define LEAST_ROWS 12

/* Times block_work that each thread does between two polls. */
#define ROUND_BLOCKS 8

/* ---- workspace ---- */

/*
 * Take count floats, rounded up to 64 bytes, off *total; base NULL: only add
 * up.
 */
static bool
place(float *base, size_t *total, size_t rows, size_t columns, float **out)
{
	size_t		count;

	if (!dbert_mul_size(rows, columns, &count) || !dbert_add_size(count, 15, &count))
		return false;
	*out = base ? base + *total : NULL;
	return dbert_add_size(*total, count & ~(size_t) 15, total);
}

static size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* What the workers share, then the own parts of the first. */
static bool
place_all(const DbertConfig *config, size_t n, size_t t, float *base, DbertScratch *s,
		  size_t *total)
{
	size_t		c = config->hidden,
				widest = config->ffn > config->hidden ? config->ffn : config->hidden,
				block = min_size(n, DBERT_BLOCK_ROWS),
				span = t > DBERT_SPAN_ROWS ? t : min_size(n, DBERT_SPAN_ROWS),
				shared;

	*total = 0;
	if (!place(base, total, span, 3 * c, &s->qkv) ||
		!place(base, total, span, c, &s->context))
		return false;
	shared = *total;
	if (!place(base, total, block, c, &s->x) || !place(base, total, block, c, &s->y) ||
		!place(base, total, block, dbert_ffn_stride(config), &s->ffn) ||
		!place(base, total, 1, dbert_attention_scratch((int) t, config->hidden / config->heads),
			   &s->attention) ||
		!place(base, total, config->precision == DBERT_PRECISION_INT8,
			   dbert_int8_scratch((int) block, (int) widest), &s->int8))
		return false;
	s->own_floats = *total - shared;
	return true;
}

bool
dbert_encoder_workspace(const DbertConfig *config, size_t n_tokens, size_t max_len,
						int threads, size_t *floats)
{
	DbertScratch s;
	size_t		others,
				bytes;

	return max_len <= INT32_MAX && place_all(config, n_tokens, max_len, NULL, &s, floats) &&
		dbert_mul_size(s.own_floats, threads - 1, &others) &&
		dbert_add_size(*floats, others, floats) &&
		dbert_mul_size(*floats, sizeof(float), &bytes);
}

void
dbert_scratch_place(const DbertConfig *config, size_t n_tokens, size_t max_len,
					float *workspace, DbertScratch *scratch)
{
	size_t		total;

	/*
	 * dbert_encoder_workspace has told the caller the size, or that there is
	 * none
	 */
	(void) place_all(config, n_tokens, max_len, workspace, scratch, &total);
}

/* ---- what the parts share ---- */

static size_t
block_work(const DbertModel *model)
{
	const DbertKernels *kernels = model->kernels;

	return model->config.precision == DBERT_PRECISION_INT8 ? kernels->int8->block_work
														   : kernels->block_work;
}

DbertRun
dbert_worker_run(const DbertRun *run, int worker)
{
	DbertRun	mine = *run;
	size_t		at = worker * mine.scratch.own_floats;

	mine.scratch.x += at;
	mine.scratch.y += at;
	mine.scratch.ffn += at;
	mine.scratch.attention += at;
	mine.scratch.int8 += at;
	if (mine.pool != NULL)
		mine.poll = NULL;
	return mine;
}

DbertStatus
dbert_run_loop(const DbertRun *run, int n, size_t madds, DbertWork work, void *ctx)
{
	size_t		share,			/* parts of a worker in a round */
				round;

	if (run->pool == NULL)
		return dbert_parallel_for(NULL, 0, n, work, ctx);
	share = ROUND_BLOCKS * block_work(run->model) / (madds + 1) + 1;
	round = share * dbert_threads_count(run->pool);
	for (int first = 0, end; first < n; first = end)
	{
		end = first + (int) min_size(round, n - first);
		DBERT_TRY(dbert_run_poll(run));
		DBERT_TRY(dbert_parallel_for(run->pool, first, end, work, ctx));
	}
	return DBERT_OK;
}

DbertStatus
dbert_run_poll(const DbertRun *run)
{
	if (dbert_stopped(run->poll))
		return dbert_fail(run->err, DBERT_E_CANCELLED, "cancelled");
	return DBERT_OK;
}

int
dbert_block_rows(const DbertModel *model, int threads, int m, int n, int k)
{
	size_t		most = min_size(block_work(model) / ((size_t) n * (size_t) k), DBERT_BLOCK_ROWS);
	int			blocks,
				even;

	if (most <= 1 || m <= 1)
		return 1;
	blocks = (m + (int) most - 1) / (int) most;
	even = (blocks + threads - 1) / threads * threads;
	if (even > m / LEAST_ROWS)
		even = m / LEAST_ROWS;
	if (blocks < even)
		blocks = even;
	return (m + blocks - 1) / blocks;
}

int
dbert_blocks(int rows, int block)
{
	return (rows + block - 1) / block;
}

int
dbert_count_below(const int32_t *rising, int n, int32_t end)
{
	int			low = 0;

	while (low < n)
	{
		int			middle = low + (n - low) / 2;

		if (rising[middle] < end)
			low = middle + 1;
		else
			n = middle;
	}
	return low;
}

const float *
dbert_block_input(const DbertRun *run, const float *x, int m)
{
	if (!run->model->kernels->rows_matter)
		return x;
	return memcpy(run->scratch.x, x, (size_t) m * run->model->config.hidden * sizeof(float));
}

void
dbert_linear(const DbertRun *run, const DbertLinear *layer,
			 float *y, size_t ldy, const float *x, size_t ldx, int m, int act)
{
	const DbertKernels *kernels = run->model->kernels;

	if (layer->w8 != NULL)
		kernels->int8->linear(y, ldy, x, ldx, layer->w8, layer->b, m, layer->n, layer->k, act,
							  run->scratch.int8);
	else
		kernels->linear(y, ldy, x, ldx, layer->w, layer->b, m, layer->n, layer->k, act);
}

int
dbert_panel(const DbertKernels *kernels, const DbertLinear *layer)
{
	return layer->w8 != NULL ? kernels->int8->panel : kernels->panel;
}

DbertLinear
dbert_linear_columns(const DbertKernels *kernels, const DbertLinear *layer, int first, int n)
{
	DbertLinear part = {.b = layer->b ? layer->b + first : NULL, .n = n, .k = layer->k};

	if (layer->w8 != NULL)
		part.w8 = (const char *) layer->w8 + kernels->int8->packed_size(first, layer->k);
	else
		part.w = layer->w + kernels->packed_linear_size(first, layer->k);
	return part;
}

/* ---- embeddings ---- */

/*
 * word + type of a token: the table's own row where that is all, or computed
 * into row[C].
 */
static const float *
word_row(const DbertWeights *w, int32_t id, const float *type, float *row, size_t c)
{
	const size_t at = (size_t) id * c;

	if (w->word8 == NULL && type == NULL)
		return w->word + at;
	for (size_t j = 0; j < c; j++)
	{
		float word = w->word8 != NULL ? w->word8[at + j] * w->word8_scale[id] : w->word[at + j];

		row[j] = type != NULL ? word + type[j] : word;
	}
	return row;
}

/*
 * x[t, C] = norm(word + type + position); positions count from the text's
 * start.  The norm reads the tables' rows itself, the position as its residual.
 */
static void
embed(const DbertModel *model, const int32_t *ids, const uint8_t *types, float *x, int t)
{
	const DbertWeights *w = &model->weights;
	size_t		c = model->config.hidden;

	for (int i = 0; i < t; i++)
	{
		const float *type = w->type ? w->type + types[i] * c : NULL;
		float	   *row = x + i * c;

		model->kernels->layer_norm_rows(row, word_row(w, ids[i], type, row, c), w->position + i * c,
										w->embed_norm.gamma, w->embed_norm.beta,
										1, (int) c, model->config.norm_eps);
	}
}

/* ---- the whole ---- */

static int
longest_text(const DbertRagged *batch)
{
	int			longest = 0;

	for (int b = 0; b < batch->n_texts; b++)
		if (batch->cu[b + 1] - batch->cu[b] > longest)
			longest = batch->cu[b + 1] - batch->cu[b];
	return longest;
}

/* The span that starts with text b. */
static DbertSpan
span_at(const DbertModel *model, const DbertRagged *batch, float *hidden, int b)
{
	DbertSpan	span = {
		.x = hidden + batch->cu[b] * (size_t) model->config.hidden,
		.cu = batch->cu + b,
		.n_texts = 1
	};

	span.out = span.x;
	while (!model->kernels->rows_matter && b + span.n_texts < batch->n_texts &&
		   span.cu[span.n_texts + 1] - span.cu[0] <= DBERT_SPAN_ROWS)
		span.n_texts++;
	return span;
}

static DbertStatus
run_layer(const DbertRun *run, const DbertLayer *layer, const DbertRagged *batch, float *hidden)
{
	for (int b = 0; b < batch->n_texts;)
	{
		DbertSpan	span = span_at(run->model, batch, hidden, b);

		DBERT_TRY(dbert_attention(run, layer, &span));
		DBERT_TRY(dbert_feed_forward(run, layer, span.x, dbert_span_rows(&span)));
		b += span.n_texts;
	}
	return DBERT_OK;
}

/*
 * The last layer for the wanted rows alone.  They move together at the front
 * of hidden: row wanted[i] to row i, which is never behind it and belongs to a
 * text that is done with or its own.  So the feed-forward, most of the work,
 * sees rows of all texts at once, unless rows matter.
 */
static DbertStatus
run_wanted(const DbertRun *run, const DbertLayer *layer, const DbertRagged *batch, float *hidden)
{
	const bool	apart = run->model->kernels->rows_matter;
	size_t		c = run->model->config.hidden;
	int			done = 0;

	for (int b = 0; b < batch->n_texts;)
	{
		DbertSpan	span = span_at(run->model, batch, hidden, b);

		span.wanted = batch->wanted + done;
		span.n_wanted =
			dbert_count_below(span.wanted, batch->n_wanted - done, span.cu[span.n_texts]);
		span.out = hidden + done * c;
		if (span.n_wanted > 0)
			DBERT_TRY(dbert_attention(run, layer, &span));
		if (apart)
			DBERT_TRY(dbert_feed_forward(run, layer, span.out, span.n_wanted));
		done += span.n_wanted;
		b += span.n_texts;
	}
	if (!apart)
		DBERT_TRY(dbert_feed_forward(run, layer, hidden, done));
	for (int i = done - 1; i >= 0; i--)
		memmove(hidden + batch->wanted[i] * c, hidden + i * c, c * sizeof(float));
	return DBERT_OK;
}

DbertStatus
dbert_encode(const DbertModel *model, const DbertRagged *batch,
			 float *hidden, float *workspace, const DbertPoll *poll,
			 void (*after_layer) (void *ctx, int layer, const float *hidden),
			 void *layer_ctx, DbertError *err)
{
	DbertRun	run = {.model = model, .poll = poll, .err = err};
	size_t		c = model->config.hidden;
	int			longest = longest_text(batch);

	if (longest > model->config.positions)
		return dbert_fail(err, DBERT_E_LIMIT, "text has %d tokens, the model has %d positions",
						  longest, (int) model->config.positions);
	if (!model->kernels->rows_matter)
		run.pool = batch->pool;
	dbert_scratch_place(&model->config, batch->cu[batch->n_texts], longest, workspace,
						&run.scratch);

	for (int b = 0; b < batch->n_texts; b++)
	{
		int32_t		first = batch->cu[b];

		DBERT_TRY(dbert_run_poll(&run));
		embed(model, batch->ids + first, batch->types ? batch->types + first : NULL,
			  hidden + first * c, batch->cu[b + 1] - first);
	}
	if (after_layer != NULL)
		after_layer(layer_ctx, 0, hidden);

	for (int l = 0; l < model->config.layers; l++)
	{
		const DbertLayer *layer = &model->weights.layers[l];

		if (batch->wanted != NULL && l == model->config.layers - 1)
			DBERT_TRY(run_wanted(&run, layer, batch, hidden));
		else
			DBERT_TRY(run_layer(&run, layer, batch, hidden));
		if (after_layer != NULL)
			after_layer(layer_ctx, l + 1, hidden);
	}
	return DBERT_OK;
}
