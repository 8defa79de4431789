/*
 * distancebias.c -- see distancebias.h.
 *
 * All layers and texts read the same rows: their numbers depend on nothing but
 * the distance, so a shorter text reads the middle of a row.
 */
#include "nn/distancebias.h"

#include "model/distances.h"

size_t
dbert_bias_floats(const DbertConfig *config, size_t max_len)
{
	return config->bias_rows > 0 ? 2 * max_len * config->heads : 0;
}

DbertStatus
dbert_bias_fill(const DbertRun *run)
{
	const float *table = run->model->weights.distance_bias;
	int			heads = run->model->config.heads,
				longest = run->scratch.longest;
	float	   *bias = run->scratch.bias;

	for (int distance = -longest; table != NULL && distance < longest; distance++)
	{
		const float *row = table + (size_t) dbert_bias_row(distance) * heads;

		if (distance % DBERT_SPAN_ROWS == 0)
			DBERT_TRY(dbert_run_poll(run));
		for (int h = 0; h < heads; h++)
			bias[(size_t) 2 * longest * h + longest + distance] = row[h];
	}
	return DBERT_OK;
}

const float *
dbert_bias_of_head(const DbertRun *run, int head)
{
	size_t		longest = run->scratch.longest;

	return run->model->weights.distance_bias != NULL
		? run->scratch.bias + 2 * longest * head + longest
		: NULL;
}
