/*
 * rotary.c -- see rotary.h.
 */
#include "nn/rotary.h"

#include "model/angles.h"

/* Which of the two tables a layer's angles stand in. */
static const float *
table_of(const DbertRun *run, bool local)
{
	const DbertScratch *s = &run->scratch;

	return s->rotary + (local && s->rotary_tables > 1 ? s->rotary_floats : 0);
}

/* The row of a text's first token, which stands at first in the batch. */
static size_t
first_row(const DbertConfig *config, int first, int t)
{
	return dbert_rotary_stretched(config, t) ? (size_t) config->rotary_trained + first : 0;
}

/* rows[t, D] of a text of so many tokens, or of all that are no longer. */
static DbertStatus
fill_rows(const DbertRun *run, float base, int t, float *rows)
{
	const DbertConfig *config = &run->model->config;

	for (int i = 0; i < config->hidden / config->heads / 2; i++)
	{
		DBERT_TRY(dbert_run_poll(run));
		dbert_rotary_pair(config, base, i, t, t, rows);
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

		if (dbert_rotary_stretched(config, t))
			DBERT_TRY(fill_rows(run, base, t, table + first_row(config, cu[b], t) * d));
		else if (t > longest)
			longest = t;
	}
	return fill_rows(run, base, longest, table);
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
			dbert_rotate_head(x + h * d, row, d / 2, 1);
	}
}
