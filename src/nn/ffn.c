/*
 * ffn.c -- the position-wise feed-forward network of one text.
 *
 * Block by block, so that the F-wide rows between the two products are never
 * more than a block's.
 *
 * Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.3.
 */
#include "nn/layers.h"

#include <string.h>

DbertStatus
dbert_feed_forward(const DbertRun *run, const DbertLayer *layer, float *x, int t)
{
	const DbertConfig *config = &run->model->config;
	const DbertKernels *kernels = run->model->kernels;
	const DbertScratch *s = &run->scratch;
	size_t		c = config->hidden;
	int			block = dbert_block_rows(kernels, config->ffn, config->hidden);

	for (int i = 0; i < t; i += block)
	{
		int			m = t - i < block ? t - i : block;
		float	   *rows = x + i * c;

		DBERT_TRY(dbert_run_poll(run));
		memcpy(s->x, rows, m * c * sizeof(float));
		dbert_linear(kernels, &layer->ffn_in, s->ffn, s->x, m);
		DBERT_TRY(dbert_run_poll(run));
		kernels->activate(s->ffn, (size_t) m * config->ffn, config->act);
		DBERT_TRY(dbert_run_poll(run));
		dbert_linear(kernels, &layer->ffn_out, s->y, s->ffn, m);
		kernels->layer_norm_rows(rows, s->y, s->x, layer->ffn_norm.gamma, layer->ffn_norm.beta,
								 m, config->hidden, config->norm_eps);
	}
	return DBERT_OK;
}
