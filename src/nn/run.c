/*
 * run.c -- see run.h.
 *
 * The workspace holds one span's intermediate rows, so its size depends on the
 * longest text and the threads, not on the batch; the caller owns it, and
 * nothing is allocated here.
 */
#include "nn/run.h"

#include "base/layout.h"
#include "kernel/half.h"
#include "model/angles.h"
#include "nn/distancebias.h"

#include <string.h>

/* Fewer rows than a tile or two would read the weights for too little work. */
#define LEAST_ROWS 12

/* Times block_work that each thread does between two polls. */
#define ROUND_BLOCKS 8

static size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- scratch ---- */

/* Tables of the rotation, and their rows: rotary.h. */
static void
place_rotary(const DbertConfig *config, size_t n_tokens, size_t max_len, DbertLayout *l,
			 DbertScratch *s)
{
	size_t		rows = max_len;

	if (config->rotary == DBERT_ROTARY_DYNAMIC && max_len > (size_t) config->rotary_trained)
		rows = config->rotary_trained + n_tokens;
	s->rotary_tables = dbert_rotary_tables(config);
	s->rotary_floats = rows * (config->hidden / config->heads);
	s->rotary = dbert_layout_floats(l, rows, s->rotary_tables * (config->hidden / config->heads));
}

/* What the workers share, then the own parts of the first. */
bool
dbert_scratch_place(const DbertConfig *config, size_t n_tokens, size_t max_len, float *workspace,
					DbertScratch *s, size_t *floats)
{
	size_t		c = config->hidden,
				input = config->embed_width > config->hidden ? config->embed_width : config->hidden,
				widest = config->ffn > (int) input ? config->ffn : input,
				block = min_size(n_tokens, DBERT_BLOCK_ROWS),
				span = max_len > DBERT_SPAN_ROWS ? max_len : min_size(n_tokens, DBERT_SPAN_ROWS),
				shared;
	DbertLayout l = {.base = (char *) workspace};

	if (max_len > INT32_MAX)
		return false;
	s->qkv = dbert_layout_floats(&l, span, dbert_qkv_columns(config));
	s->context = dbert_layout_floats(&l, span, c);
	place_rotary(config, n_tokens, max_len, &l, s);
	s->conv = dbert_layout_floats(&l, config->conv > 0 ? span : 0, c);
	s->bias = dbert_layout_floats(&l, 1, dbert_bias_floats(config, max_len));
	s->longest = (int) max_len;
	shared = l.total;
	s->x = dbert_layout_floats(&l, block, input);
	s->y = dbert_layout_floats(&l, block, input);
	s->ffn = dbert_layout_floats(&l, block, dbert_ffn_stride(config));
	s->attention = dbert_layout_floats(
		&l, 1, dbert_attention_scratch((int) max_len, config->hidden / config->heads));
	s->conv_in = dbert_layout_floats(&l, block, config->conv * c);
	s->int8 = dbert_layout_floats(&l, config->precision != DBERT_PRECISION_FP32,
								  dbert_int8_scratch((int) block, (int) widest));
	s->own_floats = (l.total - shared) / sizeof(float);
	*floats = l.total / sizeof(float);
	return !l.overflow;
}

void
dbert_run_scratch(DbertRun *run, size_t n_tokens, size_t max_len, float *workspace)
{
	size_t		floats;

	/* dbert_encoder_workspace has told whether there is such a size */
	(void) dbert_scratch_place(&run->model->config, n_tokens, max_len, workspace, &run->scratch,
							   &floats);
}

/* ---- embeddings ---- */

void
dbert_word_row(const DbertModel *model, int32_t id, float *row)
{
	const DbertWeights *w = &model->weights;
	size_t		width = model->config.embed_width,
				at = (size_t) id * width;

	if (w->word16.at != NULL)
		model->kernels->half->widen(row, w->word16.at + at, width, w->word16.type);
	else
		for (size_t j = 0; j < width; j++)
			row[j] = w->word8[at + j] * w->word8_scale[id];
}

/* ---- blocks and loops ---- */

size_t
dbert_block_work(const DbertModel *model)
{
	const DbertInt8Kernels *int8 = dbert_int8_of(model->kernels, model->config.precision);

	return int8 != NULL ? int8->block_work : model->kernels->block_work;
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
	mine.scratch.conv_in += at;
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
	share = ROUND_BLOCKS * dbert_block_work(run->model) / (madds + 1) + 1;
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
	size_t		most =
		min_size(dbert_block_work(model) / ((size_t) n * (size_t) k), DBERT_BLOCK_ROWS);
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

/* ---- linear layers ---- */

/*
 * A block's rows x[m, C] as a product may read them.  Rows of the batch may
 * start anywhere (C is not always a multiple of 16): kernels whose rows matter
 * promise nothing about alignment and bits, for them the rows are copied.
 */
static const float *
block_input(const DbertRun *run, const float *x, int m)
{
	if (!run->model->kernels->rows_matter)
		return x;
	return memcpy(run->scratch.x, x, (size_t) m * run->model->config.hidden * sizeof(float));
}

void
dbert_norm_rows(const DbertRun *run, const DbertNorm *norm, float *y, const float *x, int m)
{
	const DbertConfig *config = &run->model->config;
	const DbertKernels *kernels = run->model->kernels;

	if (dbert_family_of(config)->rms_norms)
		kernels->rms_norm_rows(y, x, norm->gamma, m, config->hidden, config->norm_eps);
	else
		kernels->layer_norm_rows(y, x, NULL, norm->gamma, norm->beta, m, config->hidden,
								 config->norm_eps);
}

const float *
dbert_half_input(const DbertRun *run, const DbertNorm *norm, const float *x, int m)
{
	if (!dbert_family_of(&run->model->config)->norms_first || norm->gamma == NULL)
		return block_input(run, x, m);
	dbert_norm_rows(run, norm, run->scratch.x, x, m);
	return run->scratch.x;
}

void
dbert_half_output(const DbertRun *run, const DbertNorm *norm, float *x, const float *y, int m)
{
	const DbertConfig *config = &run->model->config;
	size_t		count = (size_t) m * config->hidden;

	if (!dbert_family_of(config)->norms_first)
		run->model->kernels->layer_norm_rows(x, y, x, norm->gamma, norm->beta, m, config->hidden,
											 config->norm_eps);
	else
		for (size_t i = 0; i < count; i++)
			x[i] += y[i];
}

void
dbert_linear(const DbertRun *run, const DbertLinear *layer,
			 float *y, size_t ldy, const float *x, size_t ldx, int m, int act)
{
	const DbertKernels *kernels = run->model->kernels;

	if (layer->w8 != NULL)
		dbert_int8_of(kernels, run->model->config.precision)
			->linear(y, ldy, x, ldx, layer->w8, layer->b, m, layer->n, layer->k, act,
					 run->scratch.int8);
	else if (layer->w16.at != NULL)
		kernels->half->linear(y, ldy, x, ldx, layer->w16.at, layer->w16.type, layer->b, m, layer->n,
							  layer->k, act);
	else
		kernels->linear(y, ldy, x, ldx, layer->w, layer->b, m, layer->n, layer->k, act);
}

int
dbert_panel(const DbertModel *model, const DbertLinear *layer)
{
	return layer->w8 != NULL ? dbert_int8_of(model->kernels, model->config.precision)->panel
							 : model->kernels->panel;
}

DbertLinear
dbert_linear_columns(const DbertModel *model, const DbertLinear *layer, int first, int n)
{
	DbertLinear part = {.b = layer->b ? layer->b + first : NULL, .n = n, .k = layer->k};

	if (layer->w8 != NULL)
		part.w8 = (const char *) layer->w8 +
			dbert_int8_of(model->kernels, model->config.precision)->packed_size(first, layer->k);
	else if (layer->w16.at != NULL)
		part.w16 = (DbertHalves) {
			layer->w16.at + model->kernels->packed_linear_size(first, layer->k), layer->w16.type
		};
	else
		part.w = layer->w + model->kernels->packed_linear_size(first, layer->k);
	return part;
}
