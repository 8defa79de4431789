/*
 * pool.c -- one vector from many, as sentence-transformers' Pooling, Dense,
 * LayerNorm and Normalize modules (Reimers and Gurevych 2019,
 * arXiv:1908.10084).
 */
#include "nn/pool.h"

#include "base/numbers.h"
#include "nn/run.h"
#include "nn/window.h"

#include <math.h>
#include <string.h>

/* Columns that are summed up at a time: two lines of the cache. */
#define COLUMNS 32

/* The sum of the rows from skip on, each times its weight, by divisor. */
static void
sum_rows(float *out, const float *hidden, int t, int c, int skip, bool by_position, double divisor)
{
	for (int first = 0; first < c; first += COLUMNS)
	{
		double		sums[COLUMNS] = {0};
		int			n = c - first < COLUMNS ? c - first : COLUMNS;

		for (int i = skip; i < t; i++)
		{
			const float *row = hidden + (size_t) i * c + first;
			double		weight = by_position ? i + 1 : 1;

			for (int j = 0; j < n; j++)
				sums[j] += weight * row[j];
		}
		for (int j = 0; j < n; j++)
			out[first + j] = (float) (sums[j] / divisor);
	}
}

/* skip + 1 .. t, added up */
static double
sum_of_positions(int t, int skip)
{
	return ((double) t * (t + 1) - (double) skip * (skip + 1)) / 2;
}

static void
maximum(float *out, const float *hidden, int t, int c, int skip)
{
	memcpy(out, hidden + (size_t) skip * c, c * sizeof(float));
	for (int i = skip + 1; i < t; i++)
		for (int j = 0; j < c; j++)
			if (hidden[(size_t) i * c + j] > out[j])
				out[j] = hidden[(size_t) i * c + j];
}

void
dbert_pool_mean(const float *hidden, int t, int c, float *out)
{
	sum_rows(out, hidden, t, c, 0, false, t);
}

bool
dbert_pool_reads(const DbertConfig *config, int t, int skip, int i)
{
	if (config->pooling == DBERT_POOL_CLS)
		return i == skip;
	if (config->pooling == DBERT_POOL_LAST)
		return i == t - 1;
	return i >= skip;
}

void
dbert_pool(const DbertConfig *config, const float *hidden, int t, int skip, float *out)
{
	int			c = config->hidden;

	switch ((DbertPooling) config->pooling)
	{
		case DBERT_POOL_MEAN:
			sum_rows(out, hidden, t, c, skip, false, t - skip);
			break;
		case DBERT_POOL_MEAN_SQRT_LEN:
			sum_rows(out, hidden, t, c, skip, false, sqrt(t - skip));
			break;
		case DBERT_POOL_WEIGHTED_MEAN:
			sum_rows(out, hidden, t, c, skip, true, sum_of_positions(t, skip));
			break;
		case DBERT_POOL_CLS:
			memcpy(out, hidden + (size_t) skip * c, c * sizeof(float));
			break;
		case DBERT_POOL_LAST:
			memcpy(out, hidden + (size_t) (t - 1) * c, c * sizeof(float));
			break;
		case DBERT_POOL_MAX:
			maximum(out, hidden, t, c, skip);
			break;
	}
}

void
dbert_pool_more(const DbertConfig *config, const float *part, int32_t own, int32_t seen, float *all)
{
	if (config->pooling != DBERT_POOL_MAX)
		dbert_window_blend(all, part, config->hidden, own, seen);
	for (int j = 0; j < config->hidden && config->pooling == DBERT_POOL_MAX; j++)
		if (part[j] > all[j])
			all[j] = part[j];
}

/* ---- the steps behind it ---- */

/* torch.nn.LayerNorm's own. */
#define STEP_NORM_EPS 1e-5f

/* Room for a vector between two steps, on whole cache lines. */
static size_t
steps_width(const DbertConfig *config)
{
	int32_t		width = 0;

	for (int i = 0; i < config->n_steps; i++)
		width = config->steps[i].width > width ? config->steps[i].width : width;
	return ((size_t) width + 15) & ~(size_t) 15;
}

size_t
dbert_steps_scratch(const DbertConfig *config)
{
	return 3 * steps_width(config);
}

/* y += what the residual of x is */
static void
add_residual(const DbertRun *run, int i, const float *x, float *y, float *scratch)
{
	const DbertPooledStep *step = &run->model->config.steps[i];
	const DbertLinear *r = &run->model->weights.steps[i].residual;

	if (step->residual == DBERT_RESIDUAL_PROJECTED)
	{
		dbert_linear(run, r, scratch, r->n, x, r->k, 1, DBERT_ACT_NONE);
		x = scratch;
	}
	for (int j = 0; j < step->width; j++)
		y[j] += x[j];
}

static DbertStatus
run_step(const DbertRun *run, int i, const float *x, float *y, float *scratch)
{
	const DbertPooledStep *step = &run->model->config.steps[i];
	const DbertStepWeights *w = &run->model->weights.steps[i];

	DBERT_TRY(dbert_run_poll(run));
	if (step->kind == DBERT_POOLED_STEP_DENSE)
		dbert_linear(run, &w->dense, y, w->dense.n, x, w->dense.k, 1, step->act);
	else
		run->model->kernels->layer_norm_rows(y, x, NULL, w->norm.gamma, w->norm.beta, 1,
											 step->width, STEP_NORM_EPS);
	if (step->residual != DBERT_RESIDUAL_NONE)
		add_residual(run, i, x, y, scratch);
	return DBERT_OK;
}

DbertStatus
dbert_steps_run(const DbertModel *model, const float *pooled, float *scratch, float *out,
				const DbertPoll *poll, DbertError *err)
{
	DbertRun	run = {.model = model,.poll = poll,.err = err};
	int			n = model->config.n_steps;
	size_t		width = steps_width(&model->config);

	for (int i = 0; i < n; i++)
	{
		float	   *y = i == n - 1 ? out : scratch + (i % 2) * width;

		DBERT_TRY(run_step(&run, i, pooled, y, scratch + 2 * width));
		pooled = y;
	}
	return DBERT_OK;
}

DbertStatus
dbert_pool_finish(const DbertModel *model, const float *pooled, float *scratch, float *out,
				  const DbertPoll *poll, DbertError *err)
{
	const DbertConfig *config = &model->config;

	if (config->n_steps == 0 || config->pooled_head)
		memcpy(out, pooled, config->hidden * sizeof(float));
	else
		DBERT_TRY(dbert_steps_run(model, pooled, scratch, out, poll, err));
	if (config->normalize)
		dbert_normalize(out, config->embedding);
	return DBERT_OK;
}
