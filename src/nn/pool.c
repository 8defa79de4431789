/*
 * pool.c -- one vector from many, as sentence-transformers' Pooling, Dense and
 * Normalize modules (Reimers and Gurevych 2019, arXiv:1908.10084).
 */
#include "nn/pool.h"

#include "base/numbers.h"
#include "nn/run.h"
#include "nn/window.h"

#include <math.h>
#include <string.h>

/* The sum of the rows from skip on, each times its weight, by divisor. */
static void
sum_rows(float *out, const float *hidden, int t, int c, int skip, bool by_position, double divisor)
{
	for (int j = 0; j < c; j++)
	{
		double		sum = 0;

		for (int i = skip; i < t; i++)
			sum += (by_position ? i + 1 : 1) * (double) hidden[(size_t) i * c + j];
		out[j] = (float) (sum / divisor);
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

DbertStatus
dbert_pool_finish(const DbertModel *model, const float *pooled, float *out,
				  const DbertPoll *poll, DbertError *err)
{
	DbertRun	run = {.model = model,.poll = poll,.err = err};
	const DbertConfig *config = &model->config;
	const DbertLinear *dense = &model->weights.dense;

	if (!config->dense)
		memcpy(out, pooled, config->hidden * sizeof(float));
	else
	{
		DBERT_TRY(dbert_run_poll(&run));
		dbert_linear(&run, dense, out, dense->n, pooled, dense->k, 1, config->dense_act);
	}
	if (config->normalize)
		dbert_normalize(out, config->embedding);
	return DBERT_OK;
}
