/*
 * angles.h -- the angles by which rotary positions turn queries and keys: what
 * running and training a model share.
 *
 * Column i of a head turns with column i + D/2 by place times a frequency of
 * the pair's.
 *
 * Source: Su et al. 2021 (arXiv:2104.09864), in the form of GPT-NeoX.
 */
#ifndef DBERT_MODEL_ANGLES_H
#define DBERT_MODEL_ANGLES_H

#include "model/config.h"

/* Has a text of so many tokens angles of its own (DBERT_ROTARY_DYNAMIC)? */
static inline bool
dbert_rotary_stretched(const DbertConfig *config, int length)
{
	return config->rotary == DBERT_ROTARY_DYNAMIC && length > config->rotary_trained;
}

/* Tables that a model's layers need: none, one, or another for local layers. */
static inline int
dbert_rotary_tables(const DbertConfig *config)
{
	if (config->rotary == DBERT_ROTARY_NONE)
		return 0;
	return config->rotary_local_base > 0 && config->rotary_local_base != config->rotary_base ? 2
																							 : 1;
}

/*
 * rows[count, D] for places 0 .. count-1 of texts of length tokens: cosine and,
 * D/2 behind it, sine of pair i.
 */
extern void dbert_rotary_pair(const DbertConfig *config, float base, int i, int length, int count,
							  float *rows);

/* Turn a head x[D] by a row of these; turn -1: back. */
static inline void
dbert_rotate_head(float *x, const float *row, int half, float turn)
{
	for (int i = 0; i < half; i++)
	{
		float		low = x[i],
					high = x[half + i],
					sine = turn * row[half + i];

		x[i] = low * row[i] - high * sine;
		x[half + i] = high * row[i] + low * sine;
	}
}

#endif
