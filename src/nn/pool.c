/*
 * pool.c -- mean, first token or maximum, as sentence-transformers' Pooling
 * and Normalize modules (Reimers and Gurevych 2019, arXiv:1908.10084).
 */
#include "nn/pool.h"

#include "nn/window.h"

#include <math.h>
#include <string.h>

static void
mean(float *out, const float *hidden, int t, int c)
{
	for (int j = 0; j < c; j++)
	{
		double		sum = 0;

		for (int i = 0; i < t; i++)
			sum += hidden[(size_t) i * c + j];
		out[j] = (float) (sum / t);
	}
}

static void
maximum(float *out, const float *hidden, int t, int c)
{
	memcpy(out, hidden, c * sizeof(float));
	for (int i = 1; i < t; i++)
		for (int j = 0; j < c; j++)
			if (hidden[(size_t) i * c + j] > out[j])
				out[j] = hidden[(size_t) i * c + j];
}

/* The zero vector stays what it is, as in torch.nn.functional.normalize. */
static void
normalize(float *x, int c)
{
	double		square = 0,
				length;

	for (int j = 0; j < c; j++)
		square += (double) x[j] * x[j];
	length = sqrt(square);
	if (length < 1e-12)
		length = 1e-12;
	for (int j = 0; j < c; j++)
		x[j] = (float) (x[j] / length);
}

bool
dbert_pool_reads(const DbertConfig *config, int i)
{
	return config->pooling != DBERT_POOL_CLS || i == 0;
}

void
dbert_pool(const DbertConfig *config, const float *hidden, int t, float *out)
{
	switch ((DbertPooling) config->pooling)
	{
		case DBERT_POOL_MEAN:
			mean(out, hidden, t, config->hidden);
			break;
		case DBERT_POOL_CLS:
			memcpy(out, hidden, config->hidden * sizeof(float));
			break;
		case DBERT_POOL_MAX:
			maximum(out, hidden, t, config->hidden);
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

void
dbert_pool_finish(const DbertConfig *config, float *x)
{
	if (config->normalize)
		normalize(x, config->hidden);
}
