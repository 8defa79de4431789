/*
 * batch.c -- collecting texts, running them, handing out results.
 *
 * Phases: add tokenises, appends to one list of tokens and cuts long texts into
 * windows; run sizes one piece of memory for all floats (hidden states and
 * workspace of a group of windows, embeddings, logits), and takes one group
 * after another through encoder and head; the results stay in that memory
 * until the next add or reset.  Everything belongs to the batch and comes from
 * its allocator.
 *
 * A text of several windows has, of a head that reads the first token, the
 * mean of their logits by tokens; of others the logits of each token from the
 * window whose own it is, or, of a head that keeps windows apart, those of all
 * windows; as embedding the mean of theirs by tokens (or the maximum), before
 * it is normalised.
 */
#include "nn/batch.h"

#include "model/family.h"
#include "nn/encoder.h"
#include "nn/logits.h"
#include "nn/pool.h"

#include <string.h>

/*
 * So many tokens are encoded together, or one window: enough for the kernels'
 * best speed and two or more threads, and for a text of any length the same
 * memory.
 */
#define GROUP_TOKENS 8192

/* Windows overlap by the capacity over this. */
#define OVERLAP_SHARE 8

/*
 * Questions and contexts: the limits of transformers' question-answering
 * pipeline.
 */
#define SPAN_WINDOW 384
#define SPAN_STRIDE 128

static const DbertHeadTraits *
traits_of(const DbertBatch *batch)
{
	return dbert_head_traits(batch->model->config.head);
}

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

/* ---- prompts ---- */

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
 * both.
 */
static DbertStatus
join_prompt(DbertBatch *batch, const char **text, size_t *len, DbertError *err)
{
	const char *prompt = dbert_prompt(batch->model, batch->want);
	size_t		prompt_len = strlen(prompt),
				joined;

	if (prompt_len == 0)
		return DBERT_OK;
	if (!dbert_add_size(prompt_len, *len, &joined) ||
		!dbert_grow(batch->alloc, &batch->joined, &batch->joined_capacity, 0, joined, 1))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	memcpy(batch->joined, prompt, prompt_len);
	memcpy(batch->joined + prompt_len, *text, *len);
	*text = batch->joined;
	*len = joined;
	return DBERT_OK;
}

/*
 * Tokens of the prompt at the beginning of a text's tokens[n], [CLS] included.
 */
static int32_t
prompt_tokens(const DbertBatch *batch, const DbertToken *tokens, int32_t n)
{
	int32_t		chars = 0,
				count = 1;

	for (const char *p = dbert_prompt(batch->model, batch->want); *p != '\0'; p++)
		chars += (*p & 0xc0) != 0x80;
	while (count < n - 1 && tokens[count].start < chars)
		count++;
	return count;
}

/* How many of the tokens that begin each sequence of a text are not pooled. */
static int32_t
unpooled_tokens(const DbertBatch *batch, const DbertBatchText *text)
{
	return batch->model->config.skip_prompt && text->cut.head > 1 ? text->cut.head : 0;
}

/* ---- adding ---- */

/*
 * E_TOO_LONG for a text that has been found too long, with the number it has.
 */
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
	return dbert_fail(err, DBERT_E_TOO_LONG, "text has %lld tokens, the model takes %d",
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

/* How the context of a question is read. */
static bool
spans_in_pair(const DbertBatch *batch, bool pair)
{
	return pair && traits_of(batch)->windows_apart;
}

/* How long a window may be. */
static int32_t
window_limit(const DbertBatch *batch, bool pair)
{
	int32_t		max = batch->model->config.max_tokens;

	return spans_in_pair(batch, pair) && max > SPAN_WINDOW ? SPAN_WINDOW : max;
}

/*
 * The cut of a text whose tokens[n] may be too many.  Of a pair the second text
 * gives way to a question; else the longer of the two.
 */
static DbertWindowCut
choose_cut(const DbertBatch *batch, const DbertToken *tokens, int32_t n, bool pair)
{
	int32_t		max = window_limit(batch, pair);
	int32_t		second = n - 1; /* index of the pair's first token */
	DbertWindowCut cut = {.head = prompt_tokens(batch, tokens, n),.tail = 1};

	while (second > 0 && tokens[second - 1].type == 1)
		second--;
	if (spans_in_pair(batch, pair) || (pair && second - 2 <= n - 1 - second))
		cut.head = second;
	else if (pair)
		cut.tail = n - second + 1;
	cut.capacity = max - cut.head - cut.tail;
	cut.fixed = spans_in_pair(batch, pair);
	cut.overlap = cut.capacity / OVERLAP_SHARE;
	if (cut.fixed)
		cut.overlap = max / 2 < SPAN_STRIDE ? max / 2 : SPAN_STRIDE;
	return cut;
}

/* Append the windows of the last text, which has n tokens. */
static DbertStatus
append_windows(DbertBatch *batch, DbertBatchText *text, int32_t n, DbertError *err)
{
	DbertBatchWindow *windows;

	text->first_window = (int32_t) batch->n_windows;
	text->n_windows = dbert_windows_count(&text->cut, n);
	if (!dbert_grow(batch->alloc, &batch->windows, &batch->windows_capacity, batch->n_windows,
					batch->n_windows + text->n_windows, sizeof(*batch->windows)))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	windows = batch->windows + batch->n_windows;
	dbert_windows_cut(&text->cut, batch->tokens.items + text->first, n, windows);
	batch->n_windows += text->n_windows;
	for (int32_t w = 0; w < text->n_windows; w++)
		batch->n_encoded += dbert_window_length(&text->cut, &windows[w]);
	return DBERT_OK;
}

/* How many tokens of a text need be read. */
static int32_t
token_limit(const DbertConfig *config, bool pair, DbertLongText long_text)
{
	if (long_text == DBERT_LONG_WINDOW)
		return DBERT_MAX_TEXT_TOKENS;

	/* so many that a second text which fits is not cut, longest first */
	if (pair && long_text == DBERT_LONG_TRUNCATE_FIRST)
		return 2 * config->max_tokens + 3;
	return config->max_tokens;
}

/*
 * Take from the end of the first text what the pair in the list from first on
 * has too much.
 */
static DbertStatus
cut_first_text(DbertBatch *batch, size_t first, bool *truncated, DbertError *err)
{
	int32_t		max = batch->model->config.max_tokens;
	size_t		excess = batch->tokens.count - first - max;
	DbertToken *items = batch->tokens.items;
	size_t		end = first + 1;

	if (batch->tokens.count - first <= (size_t) max)
		return DBERT_OK;
	while (!items[end].special)
		end++;
	if (end - first - 1 <= excess)
		return dbert_fail(
			err, DBERT_E_LIMIT,
			"second text of a pair leaves no room for the first: the model takes %d tokens",
			(int) max);
	memmove(&items[end - excess], &items[end], (batch->tokens.count - end) * sizeof(*items));
	batch->tokens.count -= excess;
	*truncated = true;
	return DBERT_OK;
}

/* Tokenise onto the end of the list; on failure the caller cuts it again. */
static DbertStatus
append_tokens(DbertBatch *batch, const char *text, size_t len,
			  const char *pair, size_t pair_len, DbertLongText long_text, bool *truncated,
			  const DbertPoll *poll, DbertError *err)
{
	const DbertConfig *config = &batch->model->config;
	int32_t		limit = token_limit(config, pair != NULL, long_text);
	size_t		first = batch->tokens.count;

	if (pair != NULL && (config->max_tokens < 4 || !dbert_config_takes_pairs(config)))
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "the model does not take pairs of texts");
	DBERT_TRY(dbert_tokenize(&batch->model->tokenizer, text, len, pair, pair_len, limit,
							 batch->alloc, poll, &batch->tokens, truncated, err));
	if (*truncated && long_text == DBERT_LONG_WINDOW)
		return dbert_fail(err, DBERT_E_TOO_LONG, "text has more than %d tokens", (int) limit);
	if (*truncated && long_text == DBERT_LONG_ERROR)
		return fail_too_long(batch, text, len, pair, pair_len, poll, err);
	if (pair != NULL && long_text == DBERT_LONG_TRUNCATE_FIRST)
		DBERT_TRY(cut_first_text(batch, first, truncated, err));
	return check_tokens(batch, first, err);
}

/* The cut of the text that was appended; one that fits its model is not cut. */
static DbertStatus
plan_windows(const DbertBatch *batch, bool pair, DbertLongText long_text,
			 DbertBatchText *text, DbertError *err)
{
	int32_t		n = (int32_t) (batch->tokens.count - text->first),
				limit = window_limit(batch, pair);
	DbertWindowCut *cut = &text->cut;

	*cut = choose_cut(batch, batch->tokens.items + text->first, n, pair);
	if (long_text != DBERT_LONG_WINDOW || n <= limit)
		cut->capacity = n;		/* one window */
	else if (!pair && cut->capacity < limit / 4)
		return dbert_fail(err, DBERT_E_LIMIT,
						  "prompt has %d tokens, which leaves no room for the text: "
						  "the model takes %d for both",
						  (int) cut->head - 1, (int) limit);
	else if (cut->capacity <= cut->overlap || cut->capacity < limit / 4)
		return dbert_fail(err, DBERT_E_LIMIT,
						  "%s has %d tokens, which leaves no room for the other: "
						  "the model takes %d for both",
						  cut->fixed ? "question" : "shorter text of a pair",
						  (int) (cut->head + cut->tail - 3), (int) limit);
	return DBERT_OK;
}

static DbertStatus
append_text(DbertBatch *batch, const char *text, size_t len,
			const char *pair, size_t pair_len, DbertLongText long_text,
			const DbertPoll *poll, DbertError *err)
{
	DbertBatchText added = {.first = (int32_t) batch->tokens.count};

	if (!dbert_grow(batch->alloc, &batch->texts, &batch->texts_capacity, batch->n_texts,
					batch->n_texts + 1, sizeof(*batch->texts)))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	DBERT_TRY(join_prompt(batch, &text, &len, err));
	DBERT_TRY(
		append_tokens(batch, text, len, pair, pair_len, long_text, &added.truncated, poll, err));
	DBERT_TRY(plan_windows(batch, pair != NULL, long_text, &added, err));
	DBERT_TRY(append_windows(batch, &added, (int32_t) (batch->tokens.count - added.first), err));
	batch->texts[batch->n_texts++] = added;
	return DBERT_OK;
}

DbertStatus
dbert_batch_add(DbertBatch *batch, const char *text, size_t len,
				const char *pair, size_t pair_len, DbertLongText long_text,
				const DbertPoll *poll, DbertError *err)
{
	size_t		first = batch->tokens.count;
	DbertStatus status = append_text(batch, text, len, pair, pair_len, long_text, poll, err);

	if (status != DBERT_OK)
		batch->tokens.count = first;
	else
		batch->has_run = false;
	return status;
}

/* ---- a group of windows for the encoder ---- */

/*
 * Windows that are encoded together; each belongs to texts[text] or a later
 * one.
 */
typedef struct Group
{
	int32_t		first,			/* windows of the batch */
				count;
	int32_t		text;			/* of the first */
	int32_t		tokens;
	int32_t		longest;
} Group;

/* The text of a window at or behind text b. */
static int32_t
text_of_window(const DbertBatch *batch, int32_t b, int32_t w)
{
	while (w >= batch->texts[b].first_window + batch->texts[b].n_windows)
		b++;
	return b;
}

/* The group behind another one, {0} for the first; false: there is none. */
static bool
next_group(const DbertBatch *batch, Group *g)
{
	int32_t		w = g->first + g->count,
				b = g->text;

	if ((size_t) w >= batch->n_windows)
		return false;
	*g = (Group) {.first = w,.text = text_of_window(batch, b, w)};
	for (b = g->text; (size_t) w < batch->n_windows; w++)
	{
		int32_t		length;

		b = text_of_window(batch, b, w);
		length = dbert_window_length(&batch->texts[b].cut, &batch->windows[w]);
		if (g->count > 0 && g->tokens + length > GROUP_TOKENS)
			break;
		g->count++;
		g->tokens += length;
		g->longest = length > g->longest ? length : g->longest;
	}
	return true;
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

/*
 * Index in its sequence of the first token that is the window's own, and their
 * number.
 */
static int32_t
own_tokens(const DbertBatchText *text, const DbertBatchWindow *w, int32_t *count)
{
	*count = w->own_to - w->own_from;
	return w->own_from < text->cut.head ? w->own_from : w->own_from - w->from + text->cut.head;
}

/*
 * The part of a sequence of this length that the head reads: where it begins,
 * and its length.
 */
static int32_t
head_part(const DbertBatch *batch, const DbertBatchText *text, const DbertBatchWindow *w,
		  int32_t *count)
{
	const DbertHeadTraits *traits = traits_of(batch);

	if (traits->rows != DBERT_ROWS_FIRST && !traits->windows_apart)
		return own_tokens(text, w, count);
	*count = traits->rows == DBERT_ROWS_FIRST ? 1 : dbert_window_length(&text->cut, w);
	return 0;
}

/* Add the rows that are read of the sequence whose row 0 is first. */
static void
want_rows(DbertBatch *batch, const DbertBatchText *text, const DbertBatchWindow *w, int32_t first)
{
	int32_t		n = dbert_window_length(&text->cut, w),
				n_head,
				from = head_part(batch, text, w, &n_head);

	for (int32_t i = 0; i < n; i++)
	{
		bool		pooled = (batch->want & DBERT_WANT_EMBEDDING) &&
			dbert_pool_reads(&batch->model->config, n, unpooled_tokens(batch, text), i);
		bool		in_head = (batch->want & DBERT_WANT_LOGITS) && i >= from && i < from + n_head &&
			dbert_head_wants(batch->model, batch->ids[first + i], i);

		if (pooled || in_head || (batch->want & DBERT_WANT_HIDDEN))
			batch->wanted[batch->n_wanted++] = first + i;
	}
}

/* cu, ids, types and wanted rows of a group. */
static void
lay_out_group(DbertBatch *batch, const Group *g)
{
	int32_t		b = g->text,
				at = 0;

	batch->n_wanted = 0;
	for (int32_t i = 0; i < g->count; i++)
	{
		const DbertBatchWindow *w = &batch->windows[g->first + i];
		const DbertBatchText *text;
		const DbertToken *tokens;

		b = text_of_window(batch, b, g->first + i);
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

/* ---- memory ---- */

/*
 * *total += rows * columns floats, rounded up to 64 bytes; *at = where they
 * start.
 */
static bool
take_floats(size_t rows, size_t columns, size_t *at, size_t *total)
{
	size_t		count;

	*at = *total;
	return dbert_mul_size(rows, columns, &count) &&
		dbert_add_size(count, 15, &count) &&
		dbert_add_size(*total, count & ~(size_t) 15, total);
}

/* Rows of logits of a window. */
static size_t
window_rows(const DbertBatch *batch, const DbertBatchText *text, const DbertBatchWindow *w)
{
	const DbertToken *tokens = batch->tokens.items + text->first;
	int32_t		count;
	size_t		rows = 0;

	(void) head_part(batch, text, w, &count);
	if (traits_of(batch)->rows != DBERT_ROWS_MASKED)
		return count;
	for (int32_t i = w->own_from; i < w->own_to; i++)
		rows += dbert_head_wants(batch->model, tokens[i].id, i);
	return rows;
}

/*
 * A text has its windows' rows one after another; of SEQUENCE they have one in
 * common.
 */
static bool
take_text_logits(DbertBatch *batch, DbertBatchText *text, size_t *total)
{
	bool		common = traits_of(batch)->rows == DBERT_ROWS_FIRST;
	size_t		columns = dbert_head_columns(batch->model),
				rows = 0,
				offset;

	for (int32_t i = 0; i < text->n_windows; i++)
	{
		DbertBatchWindow *w = &batch->windows[text->first_window + i];

		if (!dbert_mul_size(common ? 0 : rows, columns, &offset))
			return false;
		w->logits = *total + offset;
		rows = common ? 1 : rows + window_rows(batch, text, w);
	}
	text->rows = (int) rows;
	return take_floats(rows, columns, &text->logits, total);
}

/*
 * Each text's logits start on a 64-byte boundary; places count from the first
 * one's.
 */
static bool
take_logits(DbertBatch *batch, size_t *count)
{
	*count = 0;
	for (size_t b = 0; b < batch->n_texts; b++)
		if (!take_text_logits(batch, &batch->texts[b], count))
			return false;
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

/* What the largest groups need: windows, tokens, workspace. */
static bool
measure_groups(const DbertBatch *batch, Group *max, size_t *workspace)
{
	Group		g = {0};

	*max = (Group) {0};
	*workspace = 0;
	while (next_group(batch, &g))
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

static DbertStatus
lay_out_memory(DbertBatch *batch, DbertError *err)
{
	const DbertAllocator *alloc = batch->alloc;
	size_t		c = batch->model->config.hidden,
				columns = dbert_head_columns(batch->model),
				workspace,
				n_logits = 0,
				hidden_at,
				workspace_at,
				part_at,
				pooled_at,
				states_at,
				embedding_at,
				logits_at,
				total = 0;
	Group		max;
	float	   *base;

	if (!measure_groups(batch, &max, &workspace) ||
		!dbert_grow(alloc, &batch->cu, &batch->cu_capacity, 0, (size_t) max.count + 1,
					sizeof(*batch->cu)) ||
		!dbert_grow(alloc, &batch->ids, &batch->ids_capacity, 0, max.tokens, sizeof(*batch->ids)) ||
		!dbert_grow(alloc, &batch->types, &batch->types_capacity, 0, max.tokens,
					sizeof(*batch->types)) ||
		!dbert_grow(alloc, &batch->wanted, &batch->wanted_capacity, 0, max.tokens,
					sizeof(*batch->wanted)) ||
		((batch->want & DBERT_WANT_LOGITS) && !take_logits(batch, &n_logits)) ||
		!take_floats(max.tokens, c, &hidden_at, &total) ||
		!take_floats(1, workspace, &workspace_at, &total) ||
		!take_floats(1, c > columns ? c : columns, &part_at, &total) ||
		!take_floats(1, c, &pooled_at, &total) ||
		!take_floats((batch->want & DBERT_WANT_HIDDEN) ? batch->tokens.count : 0, c, &states_at,
					 &total) ||
		!take_floats((batch->want & DBERT_WANT_EMBEDDING) ? batch->n_texts : 0,
					 batch->embedding_stride, &embedding_at, &total) ||
		!take_floats(1, n_logits, &logits_at, &total) || !reserve_floats(batch, total))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory for a batch of %zu tokens",
						  batch->n_encoded);

	base = (float *) (((uintptr_t) batch->floats + 63) & ~(uintptr_t) 63);
	batch->hidden = base + hidden_at;
	batch->workspace = base + workspace_at;
	batch->part = base + part_at;
	batch->pooled = base + pooled_at;
	batch->states = base + states_at;
	batch->embedding = base + embedding_at;
	batch->logits = base + logits_at;
	return DBERT_OK;
}

/* Texts have two tokens at least. */
bool
dbert_batch_memory(const DbertModel *model, int want, size_t tokens, size_t longest,
				   int threads, size_t *bytes)
{
	size_t		c = model->config.hidden,
				group = tokens < GROUP_TOKENS ? tokens : GROUP_TOKENS,
				texts = tokens / 2 + 1,
				per_token = sizeof(DbertToken) + 2 * sizeof(int32_t) + 1 +
				(sizeof(DbertBatchText) + sizeof(DbertBatchWindow)) / 2,
				arrays,
				workspace,
				at,
				total = 0;

	return dbert_encoder_workspace(&model->config, group, longest, threads, &workspace) &&
		   take_floats(group, c, &at, &total) && take_floats(1, workspace, &at, &total) &&
		   take_floats((want & DBERT_WANT_EMBEDDING) ? texts : 0, model->config.embedding + 15, &at,
					   &total) &&
		   take_floats((want & DBERT_WANT_HIDDEN) ? tokens : 0, c, &at, &total) &&
		   take_floats((want & DBERT_WANT_LOGITS) ? texts : 0, dbert_head_columns(model) + 15, &at,
					   &total) &&
		   dbert_mul_size(total, sizeof(float), &total) &&
		   dbert_mul_size(tokens, 2 * per_token, &arrays) && /* they grow by doubling */
		   dbert_add_size(total, arrays, bytes);
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

static DbertStatus
finish_embedding(DbertBatch *batch, const Encoded *e, const DbertPoll *poll, DbertError *err)
{
	const DbertConfig *config = &batch->model->config;
	const DbertBatchText *text = &batch->texts[e->text];
	int32_t		n = dbert_window_length(&text->cut, e->window);

	dbert_pool(config, e->hidden, n, unpooled_tokens(batch, text),
			   e->is_first ? batch->pooled : batch->part);
	if (!e->is_first)
		dbert_pool_more(config, batch->part, e->own, e->seen, batch->pooled);
	if (e->is_last)
		return dbert_pool_finish(batch->model, batch->pooled,
								 batch->embedding + e->text * batch->embedding_stride, poll, err);
	return DBERT_OK;
}

/* The hidden states of the window's own tokens to their places in the text. */
static void
keep_states(DbertBatch *batch, const Encoded *e)
{
	const DbertBatchText *text = &batch->texts[e->text];
	size_t		c = batch->model->config.hidden;
	int32_t		count,
				from = own_tokens(text, e->window, &count);

	memcpy(batch->states + ((size_t) text->first + e->window->own_from) * c, e->hidden + from * c,
		   count * c * sizeof(float));
}

static DbertStatus
finish_logits(DbertBatch *batch, const Encoded *e, const DbertPoll *poll, DbertError *err)
{
	const DbertModel *model = batch->model;
	float	   *out = batch->logits + e->window->logits;
	bool		blend = traits_of(batch)->rows == DBERT_ROWS_FIRST && !e->is_first;
	int32_t		count,
				from = head_part(batch, &batch->texts[e->text], e->window, &count);

	DBERT_TRY(dbert_head_run(model, e->ids + from, count,
							 e->hidden + (size_t) from * model->config.hidden, batch->workspace,
							 blend ? batch->part : out, poll, err));
	if (blend)
		dbert_window_blend(out, batch->part, dbert_head_columns(model), e->own, e->seen);
	return DBERT_OK;
}

/* From the hidden states of a group to what is wanted of its texts. */
static DbertStatus
finish_group(DbertBatch *batch, const Group *g, const DbertPoll *poll, DbertError *err)
{
	int32_t		b = g->text;

	for (int32_t i = 0; i < g->count; i++)
	{
		int32_t		w = g->first + i;
		Encoded		e = {.window = &batch->windows[w],.ids = batch->ids + batch->cu[i]};

		b = text_of_window(batch, b, w);
		e.text = b;
		e.is_first = w == batch->texts[b].first_window;
		e.is_last = w == batch->texts[b].first_window + batch->texts[b].n_windows - 1;
		e.hidden = batch->hidden + (size_t) batch->cu[i] * batch->model->config.hidden;
		e.own = e.window->own_to - e.window->own_from;
		e.seen = e.window->own_from;
		if (batch->want & DBERT_WANT_EMBEDDING)
			DBERT_TRY(finish_embedding(batch, &e, poll, err));
		if (batch->want & DBERT_WANT_HIDDEN)
			keep_states(batch, &e);
		if (batch->want & DBERT_WANT_LOGITS)
			DBERT_TRY(finish_logits(batch, &e, poll, err));
	}
	return DBERT_OK;
}

static DbertStatus
run_group(DbertBatch *batch, const Group *g, const DbertPoll *poll, DbertError *err)
{
	DbertRagged ragged = {.n_texts = g->count,.pool = batch->pool};

	lay_out_group(batch, g);
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
	return finish_group(batch, g, poll, err);
}

DbertStatus
dbert_batch_run(DbertBatch *batch, const DbertPoll *poll, DbertError *err)
{
	Group		g = {0};

	batch->has_run = false;
	DBERT_TRY(lay_out_memory(batch, err));
	while (next_group(batch, &g))
		DBERT_TRY(run_group(batch, &g, poll, err));
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
	if ((batch->want & DBERT_WANT_LOGITS) && !traits_of(batch)->cacheable)
		return dbert_fail(err, DBERT_E_INVALID, "results of this head cannot be recalled");
	if (!dbert_grow(batch->alloc, &batch->texts, &batch->texts_capacity, 0, 1,
					sizeof(*batch->texts)) ||
		!take_floats((batch->want & DBERT_WANT_EMBEDDING) != 0, config->embedding, &embedding_at,
					 &total) ||
		!take_floats((batch->want & DBERT_WANT_LOGITS) != 0, config->n_labels, &logits_at,
					 &total) ||
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

	if (batch->has_run && traits_of(batch)->windows_apart && (batch->want & DBERT_WANT_LOGITS))
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
