/*
 * batch.c -- the life of a batch, and what it answers when it has run.
 *
 * Phases: add tokenises, appends to one list of tokens and cuts long texts into
 * windows (batch_add.c); run sizes one piece of memory for all floats and takes
 * one group of windows after another (batch_group.c) through encoder and head
 * (batch_run.c); the results stay in that memory until the next add or reset.
 * Everything belongs to the batch and comes from its allocator.
 */
#include "nn/batch_inside.h"

#include "model/family.h"

/* ---- life ---- */

DbertStatus
dbert_batch_create(const DbertModel *model, int want, const DbertAllocator *alloc,
				   DbertBatch **batch, DbertError *err)
{
	DbertBatch *b;

	if ((want & DBERT_WANT_LOGITS) &&
		dbert_head_traits(model->config.head)->columns == DBERT_COLUMNS_NONE)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "the model has no head, it gives embeddings only");
	if ((want & DBERT_WANT_HIDDEN) && dbert_family_of(&model->config)->lookup)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "static embeddings know no token in its context");
	b = dbert_alloc_zero(alloc, 1, sizeof(*b));
	if (b == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	b->model = model;
	b->alloc = alloc;
	b->want = want;
	/*
	 * rows of embeddings begin on 64-byte boundaries, as results of products
	 * may need it
	 */
	b->embedding_stride = (model->config.embedding + 15) & ~(size_t) 15;
	*batch = b;
	return DBERT_OK;
}

void
dbert_batch_free(DbertBatch *batch)
{
	const DbertAllocator *alloc;

	if (batch == NULL)
		return;
	alloc = batch->alloc;
	dbert_token_list_free(&batch->tokens, alloc);
	dbert_free(alloc, batch->texts);
	dbert_free(alloc, batch->windows);
	dbert_free(alloc, batch->joined);
	dbert_free(alloc, batch->cu);
	dbert_free(alloc, batch->ids);
	dbert_free(alloc, batch->types);
	dbert_free(alloc, batch->wanted);
	dbert_free(alloc, batch->floats);
	dbert_free(alloc, batch);
}

void
dbert_batch_set_owner(DbertBatch *batch, void *owner)
{
	batch->owner = owner;
}

void *
dbert_batch_owner(const DbertBatch *batch)
{
	return batch->owner;
}

void
dbert_batch_set_threads(DbertBatch *batch, DbertThreads *pool)
{
	batch->pool = pool;
}

void
dbert_batch_reset(DbertBatch *batch)
{
	batch->tokens.count = 0;
	batch->n_texts = 0;
	batch->n_windows = 0;
	batch->n_encoded = 0;
	batch->has_run = false;
}

/* ---- asking ---- */

int
dbert_batch_count(const DbertBatch *batch)
{
	return (int) batch->n_texts;
}

size_t
dbert_batch_tokens(const DbertBatch *batch)
{
	return batch->n_encoded;
}

bool
dbert_batch_truncated(const DbertBatch *batch, int i)
{
	return batch->texts[i].truncated;
}

int
dbert_batch_text_count(const DbertBatch *batch, int i)
{
	size_t end = (size_t) i + 1 < batch->n_texts ? batch->texts[i + 1].first : batch->tokens.count;

	return (int) (end - batch->texts[i].first);
}

const DbertToken *
dbert_batch_text_tokens(const DbertBatch *batch, int i, int *count)
{
	*count = dbert_batch_text_count(batch, i);
	return batch->tokens.items + batch->texts[i].first;
}

int
dbert_batch_windows(const DbertBatch *batch, int i)
{
	return batch->texts[i].n_windows;
}

DbertWindow
dbert_batch_window(const DbertBatch *batch, int i, int number)
{
	const DbertBatchText *text = &batch->texts[i];
	const DbertBatchWindow *w = &batch->windows[text->first_window + number];
	DbertWindow window = {
		.tokens = batch->tokens.items + text->first + w->from,
		.first = text->cut.head,
		.count = w->to - w->from,
		.length = dbert_window_length(&text->cut, w)
	};

	if (batch->has_run && (batch->want & DBERT_WANT_LOGITS) &&
		dbert_batch_traits(batch)->windows_apart)
		window.logits = batch->logits + w->logits;
	return window;
}

const float *
dbert_batch_logits(const DbertBatch *batch, int i, int *rows)
{
	bool		there = batch->has_run && (batch->want & DBERT_WANT_LOGITS);

	*rows = there ? batch->texts[i].rows : 0;
	return there ? batch->logits + batch->texts[i].logits : NULL;
}

const float *
dbert_batch_embedding(const DbertBatch *batch, int i)
{
	bool		there = batch->has_run && (batch->want & DBERT_WANT_EMBEDDING);

	return there ? batch->embedding + i * batch->embedding_stride : NULL;
}

const float *
dbert_batch_hidden(const DbertBatch *batch, int i)
{
	bool		there = batch->has_run && (batch->want & DBERT_WANT_HIDDEN);

	return there ? batch->states + (size_t) batch->texts[i].first * batch->model->config.hidden
				 : NULL;
}

bool
dbert_batch_finite(const DbertBatch *batch, int i)
{
	return batch->has_run && batch->texts[i].finite;
}
