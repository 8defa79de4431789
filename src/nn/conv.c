/*
 * conv.c -- see conv.h.
 *
 * A token and its neighbours are gathered into a row, number by number as the
 * checkpoint's weight has them, and the weight is a linear layer over it.
 * Beyond its text a token has neighbours of zeros.
 */
#include "nn/conv.h"

#include <string.h>

typedef struct Conv
{
	const DbertRun *run;
	const DbertSpan *span;
	int			block;
} Conv;

/* out[C, width]: number c of the tokens around row i of a text [first, end). */
static void
gather(const DbertSpan *span, int i, int first, int end, int c, int width, float *out)
{
	for (int t = 0; t < width; t++)
	{
		int			row = i + t - width / 2;
		const float *x = row >= first && row < end ? span->x + (size_t) row * c : NULL;

		for (int j = 0; j < c; j++)
			out[j * width + t] = x != NULL ? x[j] : 0;
	}
}

static DbertStatus
conv_block(void *ctx, int i, int worker)
{
	const Conv *conv = ctx;
	const DbertRun run = dbert_worker_run(conv->run, worker);
	const DbertConfig *config = &run.model->config;
	const DbertLinear *linear = &run.model->weights.conv;
	const int32_t *cu = conv->span->cu;
	int			first = i * conv->block,
				rows = dbert_span_rows(conv->span),
				m = rows - first < conv->block ? rows - first : conv->block,
				c = config->hidden,
				text = 0;

	DBERT_TRY(dbert_run_poll(&run));
	for (int r = first; r < first + m; r++)
	{
		while (r >= cu[text + 1] - cu[0])
			text++;
		gather(conv->span, r, cu[text] - cu[0], cu[text + 1] - cu[0], c, config->conv,
			   run.scratch.conv_in + (size_t) (r - first) * linear->k);
	}
	dbert_linear(&run, linear, run.scratch.conv + (size_t) first * c, c, run.scratch.conv_in,
				 linear->k, m, config->conv_act);
	return DBERT_OK;
}

DbertStatus
dbert_conv_begin(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span)
{
	const DbertLinear *linear = &run->model->weights.conv;
	Conv		conv = {.run = run, .span = span};
	int			rows = dbert_span_rows(span);

	if (!dbert_has_conv(run->model, layer))
		return DBERT_OK;
	conv.block = dbert_block_rows(run->model, dbert_threads_count(run->pool), rows, linear->n,
								  linear->k);
	return dbert_run_loop(run, dbert_blocks(rows, conv.block),
						  (size_t) conv.block * linear->n * linear->k, conv_block, &conv);
}

void
dbert_conv_end(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span)
{
	const DbertNorm *norm = &run->model->weights.conv_norm;

	if (dbert_has_conv(run->model, layer))
		run->model->kernels->layer_norm_rows(span->x, run->scratch.conv, span->x, norm->gamma,
											 norm->beta, dbert_span_rows(span),
											 run->model->config.hidden,
											 run->model->config.norm_eps);
}
