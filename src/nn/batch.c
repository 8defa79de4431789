/*
 * batch.c -- collecting texts, running them, handing out results.
 *
 * Phases: add tokenises and appends to one list of tokens; run lays out ids,
 * types and borders for the encoder, sizes one piece of memory for all floats
 * (hidden states, workspace, embeddings, logits), runs encoder and head; the
 * results stay in that memory until the next add or reset.  Everything
 * belongs to the batch and comes from its allocator.
 */
#include "nn/batch.h"

#include "nn/encoder.h"
#include "nn/head.h"
#include "nn/pool.h"

#include <string.h>

/* ---- life ---- */

DbertStatus
dbert_batch_create(const DbertModel *model, int want, const DbertAllocator *alloc,
				   DbertBatch **batch, DbertError *err)
{
	DbertBatch *b;

	if ((want & DBERT_WANT_LOGITS) && model->config.head == DBERT_HEAD_NONE)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "the model has no head, it gives embeddings only");
	b = dbert_alloc_zero(alloc, 1, sizeof(*b));
	if (b == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	b->model = model;
	b->alloc = alloc;
	b->want = want;
	/* rows of embeddings begin on 64-byte boundaries, as results of products may need it */
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
	dbert_free(alloc, batch->joined);
	dbert_free(alloc, batch->cu);
	dbert_free(alloc, batch->ids);
	dbert_free(alloc, batch->types);
	dbert_free(alloc, batch->wanted);
	dbert_free(alloc, batch->floats);
	dbert_free(alloc, batch);
}

void
dbert_batch_set_pool(DbertBatch *batch, DbertPool *pool)
{
	batch->pool = pool;
}

void
dbert_batch_reset(DbertBatch *batch)
{
	batch->tokens.count = 0;
	batch->n_texts = 0;
	batch->has_run = false;
}

/* ---- adding ---- */

/* E_LIMIT for a text that has been found too long, with the number it has. */
static DbertStatus
fail_too_long(const DbertBatch *batch, const char *text, size_t len,
			  const char *pair, size_t pair_len, const DbertPoll *poll, DbertError *err)
{
	const DbertTokenizer *t = &batch->model->tokenizer;
	int64_t		count,
				pair_count = 1;

	DBERT_TRY(dbert_count_tokens(t, text, len, batch->alloc, poll, &count, err));
	if (pair != NULL)
		DBERT_TRY(dbert_count_tokens(t, pair, pair_len, batch->alloc, poll, &pair_count, err));
	/* both counts have a [CLS], the pair's goes */
	return dbert_fail(err, DBERT_E_LIMIT, "text has %lld tokens, the model takes %d",
					  (long long) (count + pair_count - 1), (int) batch->model->config.max_tokens);
}

/* What dbert_tokenize has appended from first on must be safe to look up. */
static DbertStatus
check_tokens(const DbertBatch *batch, size_t first, DbertError *err)
{
	const DbertTokenList *list = &batch->tokens;
	int32_t		vocab = batch->model->config.vocab;

	if (list->count > INT32_MAX)
		return dbert_fail(err, DBERT_E_LIMIT, "batch has more than %d tokens", INT32_MAX);
	for (size_t i = first; i < list->count; i++)
		if (list->items[i].id < 0 || list->items[i].id >= vocab)
			return dbert_fail(err, DBERT_E_INTERNAL, "token %d is outside the vocabulary of %d",
							  (int) list->items[i].id, (int) vocab);
	return DBERT_OK;
}

/* Tokenise onto the end of the list; on failure the caller cuts it again. */
static DbertStatus
append_tokens(DbertBatch *batch, const char *text, size_t len,
			  const char *pair, size_t pair_len, bool truncate, bool *truncated,
			  const DbertPoll *poll, DbertError *err)
{
	const DbertConfig *config = &batch->model->config;
	size_t		first = batch->tokens.count;

	if (pair != NULL && (config->max_tokens < 4 ||
						 (config->family == DBERT_FAMILY_BERT && config->types < 2)))
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "the model does not take pairs of texts");
	DBERT_TRY(dbert_tokenize(&batch->model->tokenizer, text, len, pair, pair_len,
							 config->max_tokens, batch->alloc, poll,
							 &batch->tokens, truncated, err));
	if (*truncated && !truncate)
		return fail_too_long(batch, text, len, pair, pair_len, poll, err);
	return check_tokens(batch, first, err);
}

const char *
dbert_prompt(const DbertModel *model, int want)
{
	if (want & DBERT_WANT_QUERY)
		return model->prompts[DBERT_PROMPT_QUERY];
	if (want & DBERT_WANT_PASSAGE)
		return model->prompts[DBERT_PROMPT_PASSAGE];
	return want & DBERT_WANT_EMBEDDING ? model->prompts[DBERT_PROMPT_DEFAULT] : "";
}

/*
 * Put the prompt before the text: *text and *len become the batch's copy of
 * both.  *skip = the tokens that are not to be pooled: [CLS] and the prompt's.
 */
static DbertStatus
join_prompt(DbertBatch *batch, const char **text, size_t *len, int32_t *skip,
			const DbertPoll *poll, DbertError *err)
{
	const char *prompt = dbert_prompt(batch->model, batch->want);
	size_t		prompt_len = strlen(prompt),
				joined;
	int64_t		count;

	if (prompt_len == 0)
		return DBERT_OK;
	if (!dbert_add_size(prompt_len, *len, &joined) ||
		!dbert_grow(batch->alloc, &batch->joined, &batch->joined_capacity, 0, joined, 1))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	memcpy(batch->joined, prompt, prompt_len);
	memcpy(batch->joined + prompt_len, *text, *len);
	*text = batch->joined;
	*len = joined;
	if (!batch->model->config.skip_prompt)
		return DBERT_OK;
	DBERT_TRY(dbert_count_tokens(&batch->model->tokenizer, prompt, prompt_len, batch->alloc,
								 poll, &count, err));
	if (count > batch->model->config.max_tokens)
		count = batch->model->config.max_tokens;
	*skip = (int32_t) count - 1;	/* all but [SEP] */
	return DBERT_OK;
}

DbertStatus
dbert_batch_add(DbertBatch *batch, const char *text, size_t len,
				const char *pair, size_t pair_len, bool truncate,
				const DbertPoll *poll, DbertError *err)
{
	size_t		first = batch->tokens.count;
	int32_t		skip = 0;
	bool		truncated = false;
	DbertStatus status;

	if (!dbert_grow(batch->alloc, &batch->texts, &batch->texts_capacity, batch->n_texts,
					batch->n_texts + 1, sizeof(*batch->texts)))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	DBERT_TRY(join_prompt(batch, &text, &len, &skip, poll, err));
	status = append_tokens(batch, text, len, pair, pair_len, truncate, &truncated, poll, err);
	if (status != DBERT_OK)
	{
		batch->tokens.count = first;
		return status;
	}
	batch->texts[batch->n_texts++] = (DbertBatchText)
	{
		.first = (int32_t) first,.skip = skip,.truncated = truncated
	};
	batch->has_run = false;
	return DBERT_OK;
}

/* ---- running ---- */

/* cu, ids and types from the tokens. */
static DbertStatus
lay_out_tokens(DbertBatch *batch, DbertError *err)
{
	const DbertAllocator *alloc = batch->alloc;
	size_t		n = batch->tokens.count;

	if (!dbert_grow(alloc, &batch->cu, &batch->cu_capacity, 0, batch->n_texts + 1, sizeof(*batch->cu)) ||
		!dbert_grow(alloc, &batch->ids, &batch->ids_capacity, 0, n, sizeof(*batch->ids)) ||
		!dbert_grow(alloc, &batch->types, &batch->types_capacity, 0, n, sizeof(*batch->types)))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
	{
		batch->ids[i] = batch->tokens.items[i].id;
		batch->types[i] = batch->tokens.items[i].type;
	}
	for (size_t b = 0; b < batch->n_texts; b++)
		batch->cu[b] = batch->texts[b].first;
	batch->cu[batch->n_texts] = (int32_t) n;
	return DBERT_OK;
}

/* Does anything that is to be computed read the hidden state of token i of text b? */
static bool
row_wanted(const DbertBatch *batch, int b, int t, int i)
{
	const DbertBatchText *text = &batch->texts[b];

	if (batch->want & DBERT_WANT_HIDDEN)
		return true;
	if ((batch->want & DBERT_WANT_EMBEDDING) &&
		dbert_pool_reads(&batch->model->config, t, text->skip, i))
		return true;
	return (batch->want & DBERT_WANT_LOGITS) &&
		dbert_head_wants(batch->model, batch->ids + text->first, i);
}

/* The list of rows that are read, after ids. */
static DbertStatus
lay_out_wanted(DbertBatch *batch, DbertError *err)
{
	if (!dbert_grow(batch->alloc, &batch->wanted, &batch->wanted_capacity, 0,
					batch->tokens.count, sizeof(*batch->wanted)))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	batch->n_wanted = 0;
	for (size_t b = 0; b < batch->n_texts; b++)
	{
		int32_t		first = batch->texts[b].first;
		int			t = dbert_batch_text_count(batch, (int) b);

		for (int i = 0; i < t; i++)
			if (row_wanted(batch, (int) b, t, i))
				batch->wanted[batch->n_wanted++] = first + i;
	}
	return DBERT_OK;
}

/* *total += rows * columns floats, rounded up to 64 bytes; *at = where they start. */
static bool
take_floats(size_t rows, size_t columns, size_t *at, size_t *total)
{
	size_t		count;

	*at = *total;
	return dbert_mul_size(rows, columns, &count) &&
		dbert_add_size(count, 15, &count) &&
		dbert_add_size(*total, count & ~(size_t) 15, total);
}

/* Each text's logits start on a 64-byte boundary, whatever its company. */
static bool
take_logits(DbertBatch *batch, size_t *at, size_t *total)
{
	*at = *total;
	for (size_t b = 0; b < batch->n_texts; b++)
	{
		DbertBatchText *text = &batch->texts[b];
		size_t		start;

		text->rows = dbert_head_rows(batch->model, batch->ids + text->first,
									 dbert_batch_text_count(batch, (int) b));
		if (!take_floats(text->rows, dbert_head_columns(batch->model), &start, total))
			return false;
		text->logits = start - *at;
	}
	return true;
}

/* At least count floats in batch->floats; what was there is lost. */
static bool
reserve_floats(DbertBatch *batch, size_t count)
{
	size_t		bytes;

	if (count <= batch->floats_capacity)
		return true;
	dbert_free(batch->alloc, batch->floats);
	batch->floats = NULL;
	batch->floats_capacity = 0;
	if (!dbert_mul_size(count, sizeof(float), &bytes) || !dbert_add_size(bytes, 63, &bytes))
		return false;
	batch->floats = dbert_alloc(batch->alloc, bytes);
	if (batch->floats == NULL)
		return false;
	batch->floats_capacity = count;
	return true;
}

static DbertStatus
lay_out_floats(DbertBatch *batch, DbertError *err)
{
	const DbertConfig *config = &batch->model->config;
	size_t		c = config->hidden,
				n = batch->tokens.count,
				longest = 0,
				workspace,
				hidden_at,
				workspace_at,
				embedding_at,
				logits_at = 0,
				total = 0;
	float	   *base;

	for (size_t b = 0; b < batch->n_texts; b++)
		if ((size_t) dbert_batch_text_count(batch, (int) b) > longest)
			longest = dbert_batch_text_count(batch, (int) b);
	if (!dbert_encoder_workspace(config, n, longest, dbert_pool_threads(batch->pool), &workspace) ||
		!take_floats(n, c, &hidden_at, &total) ||
		!take_floats(1, workspace, &workspace_at, &total) ||
		!take_floats((batch->want & DBERT_WANT_EMBEDDING) ? batch->n_texts : 0,
					 batch->embedding_stride, &embedding_at, &total) ||
		((batch->want & DBERT_WANT_LOGITS) && !take_logits(batch, &logits_at, &total)) ||
		!reserve_floats(batch, total))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory for a batch of %zu tokens", n);

	base = (float *) (((uintptr_t) batch->floats + 63) & ~(uintptr_t) 63);
	batch->hidden = base + hidden_at;
	batch->workspace = base + workspace_at;
	batch->embedding = base + embedding_at;
	batch->logits = base + logits_at;
	return DBERT_OK;
}

/* From the hidden states of text b to what is wanted of it. */
static DbertStatus
finish_text(DbertBatch *batch, int b, const DbertPoll *poll, DbertError *err)
{
	size_t		c = batch->model->config.hidden;
	const int32_t *ids = batch->ids + batch->texts[b].first;
	const float *hidden = batch->hidden + batch->texts[b].first * c;
	int			t = dbert_batch_text_count(batch, b);

	if (batch->want & DBERT_WANT_EMBEDDING)
		DBERT_TRY(dbert_embed(batch->model, hidden, t, batch->texts[b].skip, batch->workspace,
							  batch->embedding + b * batch->embedding_stride, poll, err));
	if (batch->want & DBERT_WANT_LOGITS)
		DBERT_TRY(dbert_head_run(batch->model, ids, t, hidden, batch->workspace,
								 batch->logits + batch->texts[b].logits, poll, err));
	return DBERT_OK;
}

DbertStatus
dbert_batch_run(DbertBatch *batch, const DbertPoll *poll, DbertError *err)
{
	DbertRagged ragged = {0};

	batch->has_run = false;
	DBERT_TRY(lay_out_tokens(batch, err));
	DBERT_TRY(lay_out_wanted(batch, err));
	DBERT_TRY(lay_out_floats(batch, err));

	ragged.n_texts = (int32_t) batch->n_texts;
	ragged.cu = batch->cu;
	ragged.ids = batch->ids;
	ragged.types = batch->types;
	ragged.pool = batch->pool;
	if (batch->n_wanted < batch->tokens.count)
	{
		ragged.wanted = batch->wanted;
		ragged.n_wanted = (int32_t) batch->n_wanted;
	}
	DBERT_TRY(dbert_encode(batch->model, &ragged, batch->hidden, batch->workspace,
						   poll, NULL, NULL, err));
	for (int b = 0; b < ragged.n_texts; b++)
		DBERT_TRY(finish_text(batch, b, poll, err));
	batch->has_run = true;
	return DBERT_OK;
}

DbertStatus
dbert_batch_recall(DbertBatch *batch, float **logits, float **embedding, DbertError *err)
{
	const DbertConfig *config = &batch->model->config;
	size_t		logits_at,
				embedding_at,
				total = 0;

	dbert_batch_reset(batch);
	if ((batch->want & DBERT_WANT_LOGITS) && config->head != DBERT_HEAD_SEQUENCE)
		return dbert_fail(err, DBERT_E_INVALID, "results of this head cannot be recalled");
	if (!dbert_grow(batch->alloc, &batch->texts, &batch->texts_capacity, 0, 1, sizeof(*batch->texts)) ||
		!take_floats((batch->want & DBERT_WANT_EMBEDDING) != 0, config->embedding, &embedding_at, &total) ||
		!take_floats((batch->want & DBERT_WANT_LOGITS) != 0, config->n_labels, &logits_at, &total) ||
		!reserve_floats(batch, total))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	batch->embedding = (float *) batch->floats + embedding_at;
	batch->logits = (float *) batch->floats + logits_at;
	batch->texts[batch->n_texts++] = (DbertBatchText)
	{
		.rows = 1
	};
	batch->has_run = true;
	*logits = batch->want & DBERT_WANT_LOGITS ? batch->logits : NULL;
	*embedding = batch->want & DBERT_WANT_EMBEDDING ? batch->embedding : NULL;
	return DBERT_OK;
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
	return batch->tokens.count;
}

bool
dbert_batch_truncated(const DbertBatch *batch, int i)
{
	return batch->texts[i].truncated;
}

int
dbert_batch_text_count(const DbertBatch *batch, int i)
{
	size_t		end = (size_t) i + 1 < batch->n_texts ? batch->texts[i + 1].first : batch->tokens.count;

	return (int) (end - batch->texts[i].first);
}

const DbertToken *
dbert_batch_text_tokens(const DbertBatch *batch, int i, int *count)
{
	*count = dbert_batch_text_count(batch, i);
	return batch->tokens.items + batch->texts[i].first;
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

	return there ? batch->hidden + (size_t) batch->texts[i].first * batch->model->config.hidden : NULL;
}
