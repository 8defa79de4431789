/*
 * encoder.c -- embeddings, then layer after layer over all texts.
 *
 * The layers are the outer loop: a layer's weights are read once for the whole
 * batch while they are in the cache.  Inside a layer the texts go span by span
 * (see layers.h).  The workspace holds one span's intermediate rows, so its
 * size depends on the longest text, not on the batch; the caller owns it, and
 * nothing is allocated here.
 */
#include "nn/encoder.h"

#include "nn/layers.h"

#include <string.h>

/* ---- workspace ---- */

/* Take count floats, rounded up to 64 bytes, off *total; base NULL: only add up. */
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

static bool
place_all(const DbertConfig *config, size_t n, size_t t, float *base, DbertScratch *s, size_t *total)
{
	size_t		c = config->hidden,
				block = min_size(n, DBERT_BLOCK_ROWS),
				span = t > DBERT_SPAN_ROWS ? t : min_size(n, DBERT_SPAN_ROWS);

	*total = 0;
	return place(base, total, block, c, &s->x) &&
		place(base, total, block, c, &s->y) &&
		place(base, total, block, dbert_ffn_stride(config), &s->ffn) &&
		place(base, total, span, 3 * c, &s->qkv) &&
		place(base, total, span, c, &s->context) &&
		place(base, total, 1, dbert_attention_scratch((int) t, config->hidden / config->heads), &s->attention);
}

bool
dbert_encoder_workspace(const DbertConfig *config, size_t n_tokens, size_t max_len, size_t *floats)
{
	DbertScratch s;
	size_t		bytes;

	return max_len <= INT32_MAX && place_all(config, n_tokens, max_len, NULL, &s, floats) &&
		dbert_mul_size(*floats, sizeof(float), &bytes);
}

void
dbert_scratch_place(const DbertConfig *config, size_t n_tokens, size_t max_len,
					float *workspace, DbertScratch *scratch)
{
	size_t		total;

	/* dbert_encoder_workspace has told the caller the size, or that there is none */
	(void) place_all(config, n_tokens, max_len, workspace, scratch, &total);
}

/* ---- what the parts share ---- */

DbertStatus
dbert_run_poll(const DbertRun *run)
{
	if (dbert_stopped(run->poll))
		return dbert_fail(run->err, DBERT_E_CANCELLED, "cancelled");
	return DBERT_OK;
}

int
dbert_block_rows(const DbertKernels *kernels, int m, int n, int k)
{
	size_t		most = min_size(kernels->block_work / ((size_t) n * (size_t) k), DBERT_BLOCK_ROWS);
	int			blocks;

	if (most <= 1 || m <= 1)
		return 1;
	blocks = (m + (int) most - 1) / (int) most;
	return (m + blocks - 1) / blocks;
}

const float *
dbert_block_input(const DbertRun *run, const float *x, int m)
{
	if (!run->model->kernels->rows_matter)
		return x;
	return memcpy(run->scratch.x, x, (size_t) m * run->model->config.hidden * sizeof(float));
}

void
dbert_linear(const DbertKernels *kernels, const DbertLinear *layer,
			 float *y, size_t ldy, const float *x, size_t ldx, int m, int act)
{
	kernels->linear(y, ldy, x, ldx, layer->w, layer->b, m, layer->n, layer->k, act);
}

/* ---- embeddings ---- */

/* x[t, C] = norm(word + position + type); positions count from the text's start. */
static void
embed(const DbertModel *model, const int32_t *ids, const uint8_t *types, float *x, int t)
{
	const DbertWeights *w = &model->weights;
	size_t		c = model->config.hidden;

	for (int i = 0; i < t; i++)
	{
		const float *word = w->word + (size_t) ids[i] * c;
		const float *position = w->position + (size_t) i * c;
		const float *type = w->type ? w->type + types[i] * c : NULL;
		float	   *row = x + i * c;

		for (size_t j = 0; j < c; j++)
			row[j] = (type ? word[j] + type[j] : word[j]) + position[j];
	}
	model->kernels->layer_norm_rows(x, x, NULL, w->embed_norm.gamma, w->embed_norm.beta,
									t, (int) c, model->config.norm_eps);
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
		DBERT_TRY(dbert_feed_forward(run, layer, &span));
		b += span.n_texts;
	}
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
	dbert_scratch_place(&model->config, batch->cu[batch->n_texts], longest, workspace, &run.scratch);

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
		DBERT_TRY(run_layer(&run, &model->weights.layers[l], batch, hidden));
		if (after_layer != NULL)
			after_layer(layer_ctx, l + 1, hidden);
	}
	return DBERT_OK;
}
