/*
 * batch_group.c -- windows that are encoded together, as the encoder takes
 * them.
 *
 * A text of several windows has, of a head that reads the first token, the mean
 * of their logits by tokens; of others the logits of each token from the window
 * whose own it is, or, of a head that keeps windows apart, those of all
 * windows; as embedding the mean of theirs by tokens (or the maximum), before
 * it is normalised, and a head that pools reads that.  Rows of the last layer
 * that none of this reads are not wanted.
 */
#include "nn/batch_inside.h"

#include "model/family.h"
#include "nn/logits.h"
#include "nn/pool.h"

int32_t
dbert_batch_text_of_window(const DbertBatch *batch, int32_t b, int32_t w)
{
	while (w >= batch->texts[b].first_window + batch->texts[b].n_windows)
		b++;
	return b;
}

bool
dbert_batch_next_group(const DbertBatch *batch, DbertBatchGroup *g)
{
	int32_t		w = g->first + g->count,
				b = g->text;

	if ((size_t) w >= batch->n_windows)
		return false;
	*g = (DbertBatchGroup) {.first = w,.text = dbert_batch_text_of_window(batch, b, w)};
	for (b = g->text; (size_t) w < batch->n_windows; w++)
	{
		int32_t		length;

		b = dbert_batch_text_of_window(batch, b, w);
		length = dbert_window_length(&batch->texts[b].cut, &batch->windows[w]);
		if (g->count > 0 && g->tokens + length > DBERT_GROUP_TOKENS)
			break;
		g->count++;
		g->tokens += length;
		g->longest = length > g->longest ? length : g->longest;
	}
	return true;
}

int32_t
dbert_batch_unpooled_tokens(const DbertBatch *batch, const DbertBatchText *text)
{
	return batch->model->config.skip_prompt && text->cut.head > 1 ? text->cut.head : 0;
}

int32_t
dbert_batch_own_tokens(const DbertBatchText *text, const DbertBatchWindow *w, int32_t *count)
{
	*count = w->own_to - w->own_from;
	return w->own_from < text->cut.head ? w->own_from : w->own_from - w->from + text->cut.head;
}

int32_t
dbert_batch_head_part(const DbertBatch *batch, const DbertBatchText *text,
					  const DbertBatchWindow *w, int32_t *count)
{
	const DbertHeadTraits *traits = dbert_batch_traits(batch);

	if (traits->rows != DBERT_ROWS_FIRST && !traits->windows_apart)
		return dbert_batch_own_tokens(text, w, count);
	*count = dbert_window_length(&text->cut, w);
	if (traits->rows == DBERT_ROWS_FIRST && !dbert_head_reads_mean(&batch->model->config))
		*count = 1;
	return 0;
}

/* Add the rows that are read of the sequence whose row 0 is first. */
static void
want_rows(DbertBatch *batch, const DbertBatchText *text, const DbertBatchWindow *w, int32_t first)
{
	int32_t		n = dbert_window_length(&text->cut, w),
				n_head,
				from = dbert_batch_head_part(batch, text, w, &n_head);

	for (int32_t i = 0; i < n; i++)
	{
		bool		pooled = dbert_batch_pools(batch) &&
			dbert_pool_reads(&batch->model->config, n, dbert_batch_unpooled_tokens(batch, text), i);
		bool		in_head = (batch->want & DBERT_WANT_LOGITS) && i >= from && i < from + n_head &&
			dbert_head_wants(batch->model, batch->ids[first + i], i);

		if (pooled || in_head || (batch->want & DBERT_WANT_HIDDEN))
			batch->wanted[batch->n_wanted++] = first + i;
	}
}

static void
copy_tokens(DbertBatch *batch, const DbertToken *tokens, int32_t count, int32_t *at)
{
	for (int32_t i = 0; i < count; i++, (*at)++)
	{
		batch->ids[*at] = tokens[i].id;
		batch->types[*at] = tokens[i].type;
	}
}

void
dbert_batch_lay_out_group(DbertBatch *batch, const DbertBatchGroup *g)
{
	int32_t		b = g->text,
				at = 0;

	batch->n_wanted = 0;
	for (int32_t i = 0; i < g->count; i++)
	{
		const DbertBatchWindow *w = &batch->windows[g->first + i];
		const DbertBatchText *text;
		const DbertToken *tokens;

		b = dbert_batch_text_of_window(batch, b, g->first + i);
		text = &batch->texts[b];
		tokens = batch->tokens.items + text->first;
		batch->cu[i] = at;
		copy_tokens(batch, tokens, text->cut.head, &at);
		copy_tokens(batch, tokens + w->from, w->to - w->from, &at);
		copy_tokens(batch, tokens + dbert_batch_text_count(batch, b) - text->cut.tail,
					text->cut.tail, &at);
		want_rows(batch, text, w, batch->cu[i]);
	}
	batch->cu[g->count] = at;
}
