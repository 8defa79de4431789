/*
 * batch_run.c -- running a batch: memory for all floats, then group after group
 * through encoder, pooling and head.
 */
#include "nn/batch_inside.h"

#include "base/layout.h"
#include "base/numbers.h"
#include "model/family.h"
#include "nn/encoder.h"
#include "nn/logits.h"
#include "nn/pool.h"

#include <string.h>

/* ---- memory ---- */

/* Rows of logits of a window. */
static size_t
window_rows(const DbertBatch *batch, const DbertBatchText *text, const DbertBatchWindow *w)
{
	const DbertToken *tokens = batch->tokens.items + text->first;
	int32_t		count;
	size_t		rows = 0;

	(void) dbert_batch_head_part(batch, text, w, &count);
	if (dbert_batch_traits(batch)->rows != DBERT_ROWS_MASKED)
		return count;
	for (int32_t i = w->own_from; i < w->own_to; i++)
		rows += dbert_head_wants(batch->model, tokens[i].id, i);
	return rows;
}

/*
 * A text has its windows' rows one after another; of a head that reads the
 * first token they have one in common.  Places are floats from where the first
 * text's begin.
 */
static bool
place_text_logits(DbertBatch *batch, DbertBatchText *text, DbertLayout *l)
{
	bool		common = dbert_batch_traits(batch)->rows == DBERT_ROWS_FIRST;
	size_t		columns = dbert_head_columns(batch->model),
				rows = 0,
				offset;

	text->logits = l->total / sizeof(float);
	for (int32_t i = 0; i < text->n_windows; i++)
	{
		DbertBatchWindow *w = &batch->windows[text->first_window + i];

		if (!dbert_mul_size(common ? 0 : rows, columns, &offset))
			return false;
		w->logits = text->logits + offset;
		rows = common ? 1 : rows + window_rows(batch, text, w);
	}
	text->rows = (int) rows;
	(void) dbert_layout_floats(l, rows, columns);
	return !l->overflow;
}

/* *count = floats of all logits, as far as they are wanted. */
static bool
place_logits(DbertBatch *batch, size_t *count)
{
	DbertLayout l = {0};

	*count = 0;
	for (size_t b = 0; b < batch->n_texts && (batch->want & DBERT_WANT_LOGITS); b++)
		if (!place_text_logits(batch, &batch->texts[b], &l))
			return false;
	*count = l.total / sizeof(float);
	return true;
}

bool
dbert_batch_reserve(DbertBatch *batch, DbertLayout *l)
{
	size_t		bytes;

	if (!dbert_layout_bytes(l, &bytes))
		return false;
	if (bytes > batch->floats_capacity)
	{
		dbert_free(batch->alloc, batch->floats);
		batch->floats_capacity = 0;
		batch->floats = dbert_alloc(batch->alloc, bytes);
		if (batch->floats == NULL)
			return false;
		batch->floats_capacity = bytes;
	}
	*l = dbert_layout_in(batch->floats);
	return true;
}

/* What the largest groups need: windows, tokens, workspace. */
static bool
measure_groups(const DbertBatch *batch, DbertBatchGroup *max, size_t *workspace)
{
	DbertBatchGroup g = {0};

	*max = (DbertBatchGroup) {0};
	*workspace = 0;
	while (dbert_batch_next_group(batch, &g))
	{
		size_t		floats;

		if (!dbert_encoder_workspace(&batch->model->config, g.tokens, g.longest,
									 dbert_threads_count(batch->pool), &floats))
			return false;
		*workspace = floats > *workspace ? floats : *workspace;
		max->count = g.count > max->count ? g.count : max->count;
		max->tokens = g.tokens > max->tokens ? g.tokens : max->tokens;
	}
	return true;
}

/* What the encoder takes of the largest group. */
static bool
grow_group(DbertBatch *batch, const DbertBatchGroup *max)
{
	const DbertAllocator *alloc = batch->alloc;
	size_t		n = max->tokens;

	return dbert_grow(alloc, &batch->cu, &batch->cu_capacity, 0, (size_t) max->count + 1,
					  sizeof(*batch->cu)) &&
		   dbert_grow(alloc, &batch->ids, &batch->ids_capacity, 0, n, sizeof(*batch->ids)) &&
		   dbert_grow(alloc, &batch->types, &batch->types_capacity, 0, n, sizeof(*batch->types)) &&
		   dbert_grow(alloc, &batch->wanted, &batch->wanted_capacity, 0, n, sizeof(*batch->wanted));
}

static void
place_floats(DbertBatch *batch, DbertLayout *l, size_t tokens, size_t workspace, size_t logits)
{
	size_t		c = batch->model->config.hidden,
				columns = dbert_head_columns(batch->model);
	bool		states = batch->want & DBERT_WANT_HIDDEN,
				embedding = batch->want & DBERT_WANT_EMBEDDING;

	batch->hidden = dbert_layout_floats(l, tokens, c);
	batch->workspace = dbert_layout_floats(l, 1, workspace);
	batch->part = dbert_layout_floats(l, 1, c > columns ? c : columns);
	batch->pooled = dbert_layout_floats(l, 1, c);
	batch->between = dbert_layout_floats(l, 1, dbert_steps_scratch(&batch->model->config));
	batch->states = dbert_layout_floats(l, states ? batch->tokens.count : 0, c);
	batch->embedding =
		dbert_layout_floats(l, embedding ? batch->n_texts : 0, batch->embedding_stride);
	batch->logits = dbert_layout_floats(l, 1, logits);
}

static DbertStatus
lay_out_memory(DbertBatch *batch, DbertError *err)
{
	DbertBatchGroup max;
	DbertLayout l = {0};
	size_t		workspace,
				logits;
	bool fits = measure_groups(batch, &max, &workspace) && grow_group(batch, &max) &&
				place_logits(batch, &logits);

	if (fits)
	{
		place_floats(batch, &l, max.tokens, workspace, logits);
		fits = dbert_batch_reserve(batch, &l);
	}
	if (!fits)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory for a batch of %zu tokens",
						  batch->n_encoded);
	place_floats(batch, &l, max.tokens, workspace, logits);
	return DBERT_OK;
}

/* Of so many texts, one of which has longest tokens. */
static bool
memory_of(const DbertModel *model, int want, size_t tokens, size_t texts, size_t longest,
		  int threads, size_t *bytes)
{
	size_t		c = model->config.hidden,
				most = longest > DBERT_GROUP_TOKENS ? longest : DBERT_GROUP_TOKENS,
				group = tokens < most ? tokens : most,
				rows = dbert_head_of_tokens(model->config.head) ? tokens : texts,
				per_token = sizeof(DbertToken) + 2 * sizeof(int32_t) + 1,
				per_text = sizeof(DbertBatchText) + sizeof(DbertBatchWindow),
				workspace,
				arrays,
				more;
	DbertLayout l = {0};

	if (dbert_family_of(&model->config)->lookup)
		group = workspace = 0;
	else if (!dbert_encoder_workspace(&model->config, group, longest, threads, &workspace))
		return false;
	(void) dbert_layout_floats(&l, group, c);
	(void) dbert_layout_floats(&l, 1, workspace);
	(void) dbert_layout_floats(&l, 1, dbert_steps_scratch(&model->config));
	(void) dbert_layout_floats(&l, (want & DBERT_WANT_EMBEDDING) ? texts : 0,
							   model->config.embedding + 15);
	(void) dbert_layout_floats(&l, (want & DBERT_WANT_HIDDEN) ? tokens : 0, c);
	(void) dbert_layout_floats(&l, (want & DBERT_WANT_LOGITS) ? rows : 0,
							   dbert_head_columns(model) + 15);
	return !l.overflow && dbert_mul_size(tokens, 2 * per_token, &arrays) && /* they double */
		   dbert_mul_size(texts, 2 * per_text, &more) && dbert_add_size(arrays, more, &arrays) &&
		   dbert_add_size(l.total, arrays, bytes);
}

/*
 * The most that texts of these tokens take: beside one that is as long as may
 * be, or all of them as short as may be, two tokens each.
 */
bool
dbert_batch_memory(const DbertModel *model, int want, size_t tokens, size_t longest,
				   int threads, size_t *bytes)
{
	size_t		others = tokens > longest ? tokens - longest : 0,
				with_short;

	if (!memory_of(model, want, tokens, others / 2 + 1, longest, threads, bytes) ||
		!memory_of(model, want, tokens, tokens / 2 + 1, 2, threads, &with_short))
		return false;
	if (with_short > *bytes)
		*bytes = with_short;
	return true;
}

/* ---- running ---- */

/*
 * A window of text b that has been encoded into the rows from first on; ids are
 * its sequence's.
 */
typedef struct Encoded
{
	int32_t		text;
	bool		is_first,
				is_last;		/* of its text */
	const DbertBatchWindow *window;
	const int32_t *ids;
	const float *hidden;
	int32_t		own,			/* its own tokens, and those of the windows before it */
				seen;
} Encoded;

/* What the pooled vector of a text becomes. */
static DbertStatus
finish_pooled(DbertBatch *batch, const Encoded *e, const DbertPoll *poll, DbertError *err)
{
	const DbertModel *model = batch->model;

	if (batch->want & DBERT_WANT_EMBEDDING)
		DBERT_TRY(dbert_pool_finish(model, batch->pooled, batch->between,
									batch->embedding + e->text * batch->embedding_stride, poll,
									err));
	if ((batch->want & DBERT_WANT_LOGITS) && model->config.pooled_head)
		return dbert_steps_run(model, batch->pooled, batch->between,
							   batch->logits + e->window->logits, poll, err);
	return DBERT_OK;
}

static DbertStatus
pool_window(DbertBatch *batch, const Encoded *e, const DbertPoll *poll, DbertError *err)
{
	const DbertConfig *config = &batch->model->config;
	const DbertBatchText *text = &batch->texts[e->text];
	int32_t		n = dbert_window_length(&text->cut, e->window);

	dbert_pool(config, e->hidden, n, dbert_batch_unpooled_tokens(batch, text),
			   e->is_first ? batch->pooled : batch->part);
	if (!e->is_first)
		dbert_pool_more(config, batch->part, e->own, e->seen, batch->pooled);
	return e->is_last ? finish_pooled(batch, e, poll, err) : DBERT_OK;
}

/* The hidden states of the window's own tokens to their places in the text. */
static void
keep_states(DbertBatch *batch, const Encoded *e)
{
	const DbertBatchText *text = &batch->texts[e->text];
	size_t		c = batch->model->config.hidden;
	int32_t		count,
				from = dbert_batch_own_tokens(text, e->window, &count);

	memcpy(batch->states + ((size_t) text->first + e->window->own_from) * c, e->hidden + from * c,
		   count * c * sizeof(float));
}

static DbertStatus
finish_logits(DbertBatch *batch, const Encoded *e, const DbertPoll *poll, DbertError *err)
{
	const DbertModel *model = batch->model;
	float	   *out = batch->logits + e->window->logits;
	bool		blend = dbert_batch_traits(batch)->rows == DBERT_ROWS_FIRST && !e->is_first;
	int32_t		count,
				from = dbert_batch_head_part(batch, &batch->texts[e->text], e->window, &count);

	DBERT_TRY(dbert_head_run(model, e->ids + from, count,
							 e->hidden + (size_t) from * model->config.hidden, batch->workspace,
							 blend ? batch->part : out, poll, err));
	if (blend)
		dbert_window_blend(out, batch->part, dbert_head_columns(model), e->own, e->seen);
	return DBERT_OK;
}

/* From the hidden states of a group to what is wanted of its texts. */
static DbertStatus
finish_group(DbertBatch *batch, const DbertBatchGroup *g, const DbertPoll *poll, DbertError *err)
{
	int32_t		b = g->text;

	for (int32_t i = 0; i < g->count; i++)
	{
		int32_t		w = g->first + i;
		Encoded		e = {.window = &batch->windows[w],.ids = batch->ids + batch->cu[i]};

		b = dbert_batch_text_of_window(batch, b, w);
		e.text = b;
		e.is_first = w == batch->texts[b].first_window;
		e.is_last = w == batch->texts[b].first_window + batch->texts[b].n_windows - 1;
		e.hidden = batch->hidden + (size_t) batch->cu[i] * batch->model->config.hidden;
		e.own = e.window->own_to - e.window->own_from;
		e.seen = e.window->own_from;
		if (dbert_batch_pools(batch))
			DBERT_TRY(pool_window(batch, &e, poll, err));
		if (batch->want & DBERT_WANT_HIDDEN)
			keep_states(batch, &e);
		if ((batch->want & DBERT_WANT_LOGITS) && !batch->model->config.pooled_head)
			DBERT_TRY(finish_logits(batch, &e, poll, err));
	}
	return DBERT_OK;
}

/* Those rows of a group that head and pooling read. */
static void
check_states(DbertBatch *batch, const DbertBatchGroup *g)
{
	size_t		c = batch->model->config.hidden;
	int32_t		b = g->text,
				window = 0;

	for (size_t i = 0; i < batch->n_wanted; i++)
	{
		int32_t		row = batch->wanted[i];

		while (row >= batch->cu[window + 1])
			window++;
		b = dbert_batch_text_of_window(batch, b, g->first + window);
		batch->texts[b].finite &= dbert_all_finite(batch->hidden + row * c, c);
	}
}

/* What came of them. */
static void
check_results(DbertBatch *batch)
{
	for (size_t b = 0; b < batch->n_texts; b++)
	{
		DbertBatchText *text = &batch->texts[b];

		if (batch->want & DBERT_WANT_LOGITS)
			text->finite &= dbert_all_finite(batch->logits + text->logits,
											 (size_t) text->rows *
											 dbert_head_columns(batch->model));
		if (batch->want & DBERT_WANT_EMBEDDING)
			text->finite &= dbert_all_finite(batch->embedding + b * batch->embedding_stride,
											 batch->model->config.embedding);
	}
}

static DbertStatus
run_group(DbertBatch *batch, const DbertBatchGroup *g, const DbertPoll *poll, DbertError *err)
{
	DbertRagged ragged = {.n_texts = g->count,.pool = batch->pool};

	dbert_batch_lay_out_group(batch, g);
	ragged.cu = batch->cu;
	ragged.ids = batch->ids;
	ragged.types = batch->types;
	if (batch->n_wanted < (size_t) g->tokens)
	{
		ragged.wanted = batch->wanted;
		ragged.n_wanted = (int32_t) batch->n_wanted;
	}
	DBERT_TRY(dbert_encode(batch->model, &ragged, batch->hidden, batch->workspace,
						   poll, NULL, NULL, err));
	check_states(batch, g);
	return finish_group(batch, g, poll, err);
}

DbertStatus
dbert_batch_run(DbertBatch *batch, const DbertPoll *poll, DbertError *err)
{
	DbertBatchGroup g = {0};
	bool		lookup = dbert_family_of(&batch->model->config)->lookup;

	batch->has_run = false;
	for (size_t b = 0; b < batch->n_texts; b++)
		batch->texts[b].finite = true;
	if (lookup)
		DBERT_TRY(dbert_batch_look_up(batch, poll, err));
	else
		DBERT_TRY(lay_out_memory(batch, err));
	while (!lookup && dbert_batch_next_group(batch, &g))
		DBERT_TRY(run_group(batch, &g, poll, err));
	check_results(batch);
	batch->has_run = true;
	return DBERT_OK;
}

DbertStatus
dbert_batch_recall(DbertBatch *batch, float **logits, float **embedding, DbertError *err)
{
	const DbertConfig *config = &batch->model->config;
	bool		wants_logits = batch->want & DBERT_WANT_LOGITS,
				wants_embedding = batch->want & DBERT_WANT_EMBEDDING;
	DbertLayout l = {0};

	dbert_batch_reset(batch);
	if (wants_logits && !dbert_batch_traits(batch)->cacheable)
		return dbert_fail(err, DBERT_E_INVALID, "results of this head cannot be recalled");
	(void) dbert_layout_floats(&l, wants_embedding, config->embedding);
	(void) dbert_layout_floats(&l, wants_logits, config->n_labels);
	if (!dbert_grow(batch->alloc, &batch->texts, &batch->texts_capacity, 0, 1,
					sizeof(*batch->texts)) ||
		!dbert_batch_reserve(batch, &l))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	batch->embedding = dbert_layout_floats(&l, wants_embedding, config->embedding);
	batch->logits = dbert_layout_floats(&l, wants_logits, config->n_labels);
	batch->texts[batch->n_texts++] = (DbertBatchText)
	{
		.rows = 1,
		.finite = true
	};
	batch->has_run = true;
	*logits = wants_logits ? batch->logits : NULL;
	*embedding = wants_embedding ? batch->embedding : NULL;
	return DBERT_OK;
}
