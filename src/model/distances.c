/*
 * distances.c -- see distances.h.
 *
 * MPNet's buckets are T5's: half of the rows for either side, half of those for
 * a distance each, the others for ranges that grow by the root of 2.
 *
 * DeBERTa's rows are one for each distance up to half of the buckets, then for
 * ranges that grow evenly in the logarithm.  That is computed in floats, as in
 * PyTorch, and both logarithms by one function: at the last distance their
 * quotient must be exactly 1, for it is rounded up.
 *
 * Sources: Raffel et al. 2019 (arXiv:1910.10683); transformers'
 * modeling_mpnet.py, relative_position_bucket; He et al. 2020
 * (arXiv:2006.03654); modeling_deberta_v2.py, make_log_bucket_position.
 */
#include "model/distances.h"

#include <math.h>
#include <stdlib.h>

#define SIDE (DBERT_BIAS_ROWS / 2)
#define EXACT (SIDE / 2)

int
dbert_bias_row(int distance)
{
	int64_t		far = labs((long) distance);
	int			row = (int) far;

	/* range n begins at EXACT 2^(n/2), whose square is a whole number */
	if (far >= EXACT)
		for (row = EXACT; row < SIDE - 1 && far * far >= EXACT * EXACT << (row + 1 - EXACT);)
			row++;
	return distance > 0 ? SIDE + row : row;
}

static int
bucket(const DbertDistances *d, int distance)
{
	int			half = d->buckets / 2,
				far = abs(distance);
	float		share;

	if (d->buckets == 0 || far <= half)
		return distance;
	share = logf((float) far / (float) half) / logf((float) ((double) (d->most - 1) / half));
	far = (int) ceilf(share * (float) (half - 1)) + half;
	return distance < 0 ? -far : far;
}

int
dbert_distance_row(const DbertDistances *d, int distance)
{
	int			row = bucket(d, distance) + d->span;

	return row < 0 ? 0 : row > 2 * d->span - 1 ? 2 * d->span - 1 : row;
}

/*
 * In the middle of a panel of the kernels, whatever its width: short texts need
 * the rows around it only.
 */
int
dbert_distance_zero(const DbertConfig *config)
{
	return (config->positions + 31) / 32 * 32 + 16;
}

int
dbert_distance_rows(const DbertConfig *config)
{
	return dbert_distance_zero(config) + config->positions;
}

size_t
dbert_distance_floats(const DbertConfig *config, const DbertKernels *kernels)
{
	return kernels->packed_linear_size(dbert_distance_rows(config), config->hidden / config->heads);
}
