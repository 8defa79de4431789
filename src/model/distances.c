/*
 * distances.c -- see distances.h.
 *
 * MPNet's buckets are T5's: half of the rows for either side, half of those for
 * a distance each, the others for ranges that grow by the root of 2.
 *
 * Source: Raffel et al. 2019 (arXiv:1910.10683); transformers'
 * modeling_mpnet.py, relative_position_bucket.
 */
#include "model/distances.h"

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
