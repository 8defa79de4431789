/*
 * rotary.c -- see rotary.h.
 *
 * Angles are computed in float32 as transformers computes them, whatever the
 * rest: a place of 8,000 times a frequency that is rounded otherwise is another
 * angle.
 *
 * Source of the stretched ones: bloc97 2023, "NTK-aware scaled RoPE", and its
 * dynamic form, as the families' code has them.
 */
#include "nn/rotary.h"

#include <math.h>

/* Which of the two tables a layer's angles stand in. */
static const float *
table_of(const DbertRun *run, bool local)
{
	const DbertScratch *s = &run->scratch;

	return s->rotary + (local && s->rotary_tables > 1 ? s->rotary_floats : 0);
}

/* Has a text of so many tokens angles of its own? */
static bool
is_stretched(const DbertConfig *config, int t)
{
	return config->rotary == DBERT_ROTARY_DYNAMIC && t > config->rotary_trained;
}

/* The row of a text's first token, which stands at first in the batch. */
static size_t
first_row(const DbertConfig *config, int first, int t)
{
	return is_stretched(config, t) ? (size_t) config->rotary_trained + first : 0;
}

/* Radians from one token to the next, for pair i of columns in texts of t. */
static float
frequency(const DbertConfig *config, float base, int i, int t)
{
	int			d = config->hidden / config->heads;
	double		s = config->rotary_factor,
				theta = base;
	float		frequency;

	if (config->rotary == DBERT_ROTARY_NTK)
		theta *= s;
	if (is_stretched(config, t))
		theta *= pow(s * t / config->rotary_trained - (s - 1), d / (d - 2.0));
	frequency = 1 / (float) pow((float) theta, (float) (2 * i) / (float) d);
	return config->rotary == DBERT_ROTARY_NTK ? frequency / (float) pow(s, 2.0 / d) : frequency;
}

/* rows[t, D]: the cosines of all pairs, then their sines. */
static DbertStatus
fill_rows(const DbertRun *run, float base, int length, int t, float *rows)
{
	const DbertConfig *config = &run->model->config;
	size_t		d = config->hidden / config->heads,
				half = d / 2;

	for (size_t i = 0; i < half; i++)
	{
		float		step = frequency(config, base, (int) i, length);

		DBERT_TRY(dbert_run_poll(run));
		for (int p = 0; p < t; p++)
		{
			float		angle = (float) p * step;

			rows[p * d + i] = (float) cos(angle);
			rows[p * d + half + i] = (float) sin(angle);
		}
	}
	return DBERT_OK;
}

static DbertStatus
fill_table(const DbertRun *run, float base, const int32_t *cu, int n_texts, float *table)
{
	const DbertConfig *config = &run->model->config;
	size_t		d = config->hidden / config->heads;
	int			longest = 0;

	for (int b = 0; b < n_texts; b++)
	{
		int			t = cu[b + 1] - cu[b];

		if (is_stretched(config, t))
			DBERT_TRY(fill_rows(run, base, t, t, table + first_row(config, cu[b], t) * d));
		else if (t > longest)
			longest = t;
	}
	return fill_rows(run, base, longest, longest, table);
}

DbertStatus
dbert_rotary_fill(const DbertRun *run, const int32_t *cu, int n_texts)
{
	const DbertConfig *config = &run->model->config;
	const DbertScratch *s = &run->scratch;

	if (s->rotary_tables > 0)
		DBERT_TRY(fill_table(run, config->rotary_base, cu, n_texts, s->rotary));
	if (s->rotary_tables > 1)
		DBERT_TRY(fill_table(run, config->rotary_local_base, cu, n_texts,
							 s->rotary + s->rotary_floats));
	return DBERT_OK;
}

/* One head of one token. */
static void
rotate_head(float *x, const float *row, int half)
{
	for (int i = 0; i < half; i++)
	{
		float		low = x[i],
					high = x[half + i];

		x[i] = low * row[i] - high * row[half + i];
		x[half + i] = high * row[i] + low * row[half + i];
	}
}

void
dbert_rotate(const DbertRun *run, bool local, const int32_t *cu, int n_texts,
			 const int32_t *picked, int first, int m, float *x, size_t ld, int heads)
{
	const DbertConfig *config = &run->model->config;
	const float *table = table_of(run, local);
	int			d = config->hidden / config->heads,
				b = 0;

	for (int i = first; i < first + m; i++, x += ld)
	{
		int			token = picked != NULL ? picked[i] : cu[0] + i;
		const float *row;

		if (token >= cu[b + 1])
			b += dbert_count_below(cu + b + 1, n_texts - b, token + 1);
		row = table + (first_row(config, cu[b], cu[b + 1] - cu[b]) + token - cu[b]) * d;
		for (int h = 0; h < heads; h++)
			rotate_head(x + h * d, row, d / 2);
	}
}
