/*
 * angles.c -- see angles.h.
 *
 * Angles are computed in float32 as transformers computes them, whatever the
 * rest: a place of 8,000 times a frequency that is rounded otherwise is another
 * angle.
 *
 * Source of the stretched ones: bloc97 2023, "NTK-aware scaled RoPE", and its
 * dynamic form, as the families' code has them.
 */
#include "model/angles.h"

#include <math.h>

/* Radians from one token to the next. */
static float
frequency(const DbertConfig *config, float base, int i, int length)
{
	int			d = config->hidden / config->heads;
	double		s = config->rotary_factor,
				theta = base;
	float		result;

	if (config->rotary == DBERT_ROTARY_NTK)
		theta *= s;
	if (dbert_rotary_stretched(config, length))
		theta *= pow(s * length / config->rotary_trained - (s - 1), d / (d - 2.0));
	result = 1 / (float) pow((float) theta, (float) (2 * i) / (float) d);
	return config->rotary == DBERT_ROTARY_NTK ? result / (float) pow(s, 2.0 / d) : result;
}

void
dbert_rotary_pair(const DbertConfig *config, float base, int i, int length, int count, float *rows)
{
	size_t		d = config->hidden / config->heads,
				half = d / 2;
	float		step = frequency(config, base, i, length);

	for (int p = 0; p < count; p++)
	{
		float		angle = (float) p * step;

		rows[p * d + i] = (float) cos(angle);
		rows[p * d + half + i] = (float) sin(angle);
	}
}
