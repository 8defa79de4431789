/*
 * logits.c -- see logits.h.
 *
 * One path for all heads: the wanted rows are gathered into a block, the block
 * goes through dense, activation and norm, as far as the model has them, and
 * through the last product into the logits.
 */
#include "nn/logits.h"

#include "model/family.h"
#include "nn/pool.h"
#include "nn/run.h"

#include <string.h>

bool
dbert_head_wants(const DbertModel *model, int32_t id, int i)
{
	if (model->config.pooled_head)
		return false;			/* pooling says what is read */
	switch (dbert_head_traits(model->config.head)->rows)
	{
		case DBERT_ROWS_NONE:
			return false;
		case DBERT_ROWS_FIRST:
			return i == 0 || model->config.head_mean;
		case DBERT_ROWS_ALL:
			return true;
		case DBERT_ROWS_MASKED:
			return id == model->tokenizer.mask_id;
	}
	return false;
}

int
dbert_head_columns(const DbertModel *model)
{
	bool		none = dbert_head_traits(model->config.head)->columns == DBERT_COLUMNS_NONE;

	if (model->config.pooled_head)
		return model->config.n_labels;
	return none ? 0 : model->weights.head_out.n;
}

/*
 * Rows of a block through the head; x and y are the scratch blocks, x the
 * input.
 */
static DbertStatus
run_block(const DbertRun *run, float *logits, int m)
{
	const DbertModel *model = run->model;
	const DbertWeights *w = &model->weights;
	const DbertKernels *kernels = model->kernels;
	float	   *x = run->scratch.x;
	int			c = model->config.hidden,
				width = w->head_out.k;

	if (w->head_dense.n > 0)
	{
		DBERT_TRY(dbert_run_poll(run));
		x = run->scratch.y;
		dbert_linear(run, &w->head_dense, x, width, run->scratch.x, c, m, w->head_act);
	}
	if (w->head_norm.gamma != NULL)
		kernels->layer_norm_rows(x, x, NULL, w->head_norm.gamma, w->head_norm.beta,
								 m, width, model->config.norm_eps);
	DBERT_TRY(dbert_run_poll(run));
	dbert_linear(run, &w->head_out, logits, w->head_out.n, x, width, m, DBERT_ACT_NONE);
	return DBERT_OK;
}

DbertStatus
dbert_head_run(const DbertModel *model, const int32_t *ids, int t,
			   const float *hidden, float *workspace, float *logits,
			   const DbertPoll *poll, DbertError *err)
{
	DbertRun	run = {.model = model, .poll = poll, .err = err};
	const DbertLinear *out = &model->weights.head_out;
	const DbertLinear *dense = &model->weights.head_dense;
	size_t		c = model->config.hidden;
	int			widest,
				block,
				m = 0;

	if (dbert_head_columns(model) == 0)
		return DBERT_OK;
	if (dense->n > 0 ? dense->n != out->k || dense->k != (int) c : out->k != (int) c)
		return dbert_fail(err, DBERT_E_INTERNAL, "the head's sizes do not fit the encoder's");
	widest = out->k > (int) c ? out->k : (int) c;
	block = dbert_block_rows(model, 1, t, out->n > widest ? out->n : widest, widest);
	dbert_run_scratch(&run, t, t, workspace);
	if (dbert_head_reads_mean(&model->config))
	{
		dbert_pool_mean(hidden, t, (int) c, run.scratch.x);
		return run_block(&run, logits, 1);
	}

	for (int i = 0; i < t; i++)
	{
		if (dbert_head_wants(model, ids[i], i))
			memcpy(run.scratch.x + m++ * c, hidden + i * c, c * sizeof(float));
		if (m == block || (m > 0 && i == t - 1))
		{
			DBERT_TRY(run_block(&run, logits, m));
			logits += (size_t) m * out->n;
			m = 0;
		}
	}
	return DBERT_OK;
}
