/*
 * ffn.c -- the position-wise feed-forward network.
 *
 * Block by block, so that the F-wide rows between the two products are never
 * more than a block's.
 *
 * Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.3.
 */
#include "nn/layers.h"

DbertStatus
dbert_feed_forward(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span)
{
	const DbertConfig *config = &run->model->config;
	const DbertKernels *kernels = run->model->kernels;
	const DbertScratch *s = &run->scratch;
	const DbertNorm *norm = &layer->ffn_norm;
	size_t		c = config->hidden,
				stride = dbert_ffn_stride(config);
	int			rows = dbert_span_rows(span);
	int			block = dbert_block_rows(kernels, rows, config->ffn, config->hidden);

	for (int i = 0; i < rows; i += block)
	{
		int			m = rows - i < block ? rows - i : block;
		float	   *x = span->x + i * c;

		DBERT_TRY(dbert_run_poll(run));
		dbert_linear(kernels, &layer->ffn_in, s->ffn, stride,
					 dbert_block_input(run, x, m), c, m, config->act);
		DBERT_TRY(dbert_run_poll(run));
		dbert_linear(kernels, &layer->ffn_out, s->y, c, s->ffn, stride, m, DBERT_ACT_NONE);
		kernels->layer_norm_rows(x, s->y, x, norm->gamma, norm->beta,
								 m, (int) c, config->norm_eps);
	}
	return DBERT_OK;
}
