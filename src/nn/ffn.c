/*
 * ffn.c -- the position-wise feed-forward network.
 *
 * Block by block, so that the F-wide rows between the two products are never
 * more than a block's; blocks know nothing of each other.
 *
 * Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.3; with a gate,
 * Shazeer 2020 (arXiv:2002.05202).
 */
#include "nn/layers.h"

typedef struct FeedForward
{
	const DbertRun *run;
	const DbertLayer *layer;
	float	   *x;
	int			rows;
	int			block;
} FeedForward;

static DbertStatus
run_block(void *ctx, int i, int worker)
{
	const FeedForward *f = ctx;
	const DbertRun run = dbert_worker_run(f->run, worker);
	const DbertConfig *config = &run.model->config;
	const DbertScratch *s = &run.scratch;
	const DbertNorm *norm = &f->layer->ffn_norm;
	DbertGate	gate = dbert_family_of(config)->gate;
	size_t		c = config->hidden,
				stride = dbert_ffn_stride(config);
	int			first = i * f->block,
				m = f->rows - first < f->block ? f->rows - first : f->block;
	float	   *x = f->x + first * c,
			   *activated = s->ffn + (gate == DBERT_GATE_LAST ? config->ffn : 0);

	DBERT_TRY(dbert_run_poll(&run));
	dbert_linear(&run, &f->layer->ffn_in, s->ffn, stride, dbert_half_input(&run, norm, x, m), c, m,
				 gate == DBERT_GATE_NONE ? config->act : DBERT_ACT_NONE);
	if (gate != DBERT_GATE_NONE)
		run.model->kernels->gate_rows(activated, activated,
									  s->ffn + (gate == DBERT_GATE_LAST ? 0 : config->ffn), stride,
									  m, config->ffn, config->act);
	DBERT_TRY(dbert_run_poll(&run));
	dbert_linear(&run, &f->layer->ffn_out, s->y, c, activated, stride, m, DBERT_ACT_NONE);
	dbert_half_output(&run, norm, x, s->y, m);
	return DBERT_OK;
}

DbertStatus
dbert_feed_forward(const DbertRun *run, const DbertLayer *layer, float *x, int rows)
{
	FeedForward f = {.run = run, .layer = layer, .x = x, .rows = rows};

	f.block = dbert_block_rows(run->model, dbert_threads_count(run->pool),
							   rows, layer->ffn_in.n, layer->ffn_in.k);
	return dbert_run_loop(run, dbert_blocks(rows, f.block),
						  2 * (size_t) f.block * layer->ffn_in.n * layer->ffn_in.k, run_block, &f);
}
