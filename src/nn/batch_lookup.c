/*
 * batch_lookup.c -- embeddings by a table alone: the mean of the tokens' rows.
 *
 * There are no windows and no hidden states; a text of any length is read as a
 * whole.  The template's tokens ([CLS], [SEP]) do not count, nor do unknown
 * ones where the config says so; a text of no others is a vector of zeros.
 * Sums are doubles: they do not tell how long a text is.
 */
#include "nn/batch_inside.h"

#include "nn/pool.h"
#include "nn/run.h"

#include <string.h>

/* Tokens between two polls, of one text or of several. */
#define SOME_TOKENS 4096

/* Add a token's row, which is computed into computed[C] unless it is there. */
static void
add_row(const DbertModel *model, int32_t id, double *restrict sum, float *computed)
{
	size_t		c = model->config.hidden;
	const float *restrict row = computed;

	if (model->weights.word != NULL)
		row = model->weights.word + (size_t) id * c;
	else
		dbert_word_row(model, id, computed);
	for (size_t j = 0; j < c; j++)
		sum[j] += row[j];
}

/* Add the rows of the tokens that count; their number. */
static int
add_rows(const DbertModel *model, const DbertToken *tokens, int n, double *sum, float *computed)
{
	int			count = 0;

	for (int i = 0; i < n; i++)
	{
		if (tokens[i].special ||
			(model->config.skip_unknown && tokens[i].id == model->tokenizer.unk_id))
			continue;
		add_row(model, tokens[i].id, sum, computed);
		count++;
	}
	return count;
}

/* *since: what was looked up since the last poll. */
static DbertStatus
look_up_text(DbertBatch *batch, int b, double *sum, int *since, const DbertPoll *poll,
			 DbertError *err)
{
	const DbertModel *model = batch->model;
	size_t		c = model->config.hidden;
	int			n,
				count = 0;
	const DbertToken *tokens = dbert_batch_text_tokens(batch, b, &n);

	memset(sum, 0, c * sizeof(*sum));
	for (int i = 0; i < n; i += SOME_TOKENS)
	{
		int			some = n - i < SOME_TOKENS ? n - i : SOME_TOKENS;

		if (*since + some >= SOME_TOKENS)
		{
			if (dbert_stopped(poll))
				return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
			*since = 0;
		}
		*since += some;
		count += add_rows(model, tokens + i, some, sum, batch->pooled);
	}
	for (size_t j = 0; j < c; j++)
		batch->pooled[j] = count > 0 ? (float) (sum[j] / count) : 0;
	return dbert_pool_finish(model, batch->pooled, batch->between,
							 batch->embedding + b * batch->embedding_stride, poll, err);
}

/* Memory of a run; the sums are returned. */
static double *
place(DbertBatch *batch, DbertLayout *l)
{
	size_t		c = batch->model->config.hidden;

	batch->pooled = dbert_layout_floats(l, 1, c);
	batch->between = dbert_layout_floats(l, 1, dbert_steps_scratch(&batch->model->config));
	batch->embedding = dbert_layout_floats(l, batch->n_texts, batch->embedding_stride);
	return dbert_layout_place(l, 1, c, sizeof(double));
}

DbertStatus
dbert_batch_look_up(DbertBatch *batch, const DbertPoll *poll, DbertError *err)
{
	DbertLayout l = {0};
	double	   *sum;
	int			since = SOME_TOKENS;

	if (!(batch->want & DBERT_WANT_EMBEDDING))
		return DBERT_OK;
	(void) place(batch, &l);
	if (!dbert_batch_reserve(batch, &l))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory for a batch of %zu texts",
						  batch->n_texts);
	sum = place(batch, &l);
	for (size_t b = 0; b < batch->n_texts; b++)
		DBERT_TRY(look_up_text(batch, (int) b, sum, &since, poll, err));
	return DBERT_OK;
}
