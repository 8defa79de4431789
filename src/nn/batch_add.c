/*
 * batch_add.c -- adding a text: its prompt, its tokens, its windows.
 */
#include "nn/batch_inside.h"

#include "model/family.h"
#include "text/utf8.h"

#include <string.h>

/* Windows overlap by the capacity over this. */
#define OVERLAP_SHARE 8

/*
 * Questions and contexts: the limits of transformers' question-answering
 * pipeline.
 */
#define SPAN_WINDOW 384
#define SPAN_STRIDE 128

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

/* What the tokenizer puts around a text, or around the two of a pair. */
static const DbertTemplate *
template_of(const DbertBatch *batch, bool pair)
{
	const DbertTokenizer *t = &batch->model->tokenizer;

	return pair ? t->pair : t->single;
}

/*
 * What is to be truncated may be cut before it is tokenised, too; bytes of what
 * is left.
 */
static size_t
cut_characters(const DbertBatch *batch, const char *text, size_t len, DbertLongText long_text)
{
	int32_t		left = batch->model->config.max_chars;
	size_t		n = 0;

	if (left == 0 || long_text != DBERT_LONG_TRUNCATE)
		return len;
	for (; n < len && left > 0; left--)
		for (n++; n < len && dbert_utf8_is_tail((uint8_t) text[n]);)
			n++;
	return n;
}

/*
 * Tokens of the prompt at the beginning of a text's tokens[n], those of the
 * template before it included.
 */
static int32_t
prompt_tokens(const DbertBatch *batch, const DbertToken *tokens, int32_t n, bool pair)
{
	const DbertTemplate *around = template_of(batch, pair);
	const char *prompt = dbert_prompt(batch->model, batch->want);
	int32_t		chars = dbert_utf8_count(prompt, strlen(prompt)),
				count = around->head;

	while (count < n - around->tail && tokens[count].start < chars)
		count++;
	return count;
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
				pair_count;

	DBERT_TRY(dbert_count_tokens(t, text, len, batch->alloc, poll, &count, err));
	if (pair != NULL)
	{
		/* both counts are those of single texts */
		DBERT_TRY(dbert_count_tokens(t, pair, pair_len, batch->alloc, poll, &pair_count, err));
		count += pair_count - 2 * dbert_template_size(t->single) + dbert_template_size(t->pair);
	}
	return dbert_fail(err, DBERT_E_TOO_LONG, "text has %lld tokens, the model takes %d",
					  (long long) count, (int) batch->model->config.max_tokens);
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
	return pair && dbert_batch_traits(batch)->windows_apart;
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
	const DbertTemplate *around = template_of(batch, pair);
	int32_t		max = window_limit(batch, pair);
	int32_t		end = n - around->tail,
				second = end;	/* index of the pair's first token */
	DbertWindowCut cut = {.head = prompt_tokens(batch, tokens, n, pair),.tail = around->tail};

	while (pair && second > 0 && tokens[second - 1].text == 1)
		second--;
	if (spans_in_pair(batch, pair) ||
		(pair && second - around->middle - around->head <= end - second))
		cut.head = second;
	else if (pair)
		cut.tail = n - second + around->middle;
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
		return 2 * config->max_tokens + DBERT_TEMPLATE_MAX;
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
	size_t		begin = first + (size_t) template_of(batch, true)->head,
				end = begin;

	if (batch->tokens.count - first <= (size_t) max)
		return DBERT_OK;
	while (end < batch->tokens.count && items[end].text == 0 && !items[end].special)
		end++;
	if (end - begin <= excess)
		return dbert_fail(
			err, DBERT_E_LIMIT,
			"second text of a pair leaves no room for the first: the model takes %d tokens",
			(int) max);
	memmove(&items[end - excess], &items[end], (batch->tokens.count - end) * sizeof(*items));
	batch->tokens.count -= excess;
	*truncated = true;
	return DBERT_OK;
}

/*
 * Mark the tokens of a text that have no space at their beginning or before it:
 * where tokens do not tell by a prefix, transformers' entities take them for
 * the rest of a word.
 */
static void
mark_joined(DbertToken *tokens, size_t n, const char *text, size_t len)
{
	DbertTextPlace place = dbert_text_begin(text, len);

	for (size_t i = 0; i < n; i++)
	{
		const uint8_t *at;

		if (tokens[i].special || tokens[i].start == 0)
			continue;
		at = dbert_text_go(&place, tokens[i].start);
		tokens[i].joined = at[-1] != ' ' && (at == place.end || *at != ' ');
	}
}

/* Does the model find entities by tokens that need to be marked so? */
static bool
needs_joined(const DbertModel *model)
{
	return dbert_head_of_tokens(model->config.head) && dbert_head_has_labels(model->config.head) &&
		   !dbert_tokenizer_has_pieces(&model->tokenizer);
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

	if (pair != NULL &&
		(config->max_tokens <= dbert_template_size(template_of(batch, true)) ||
		 !dbert_config_takes_pairs(config)))
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "the model does not take pairs of texts");
	DBERT_TRY(dbert_tokenize(&batch->model->tokenizer, text, len, pair, pair_len, limit,
							 batch->alloc, poll, &batch->tokens, truncated, err));
	if (*truncated && long_text == DBERT_LONG_WINDOW)
		return dbert_fail(err, DBERT_E_TOO_LONG, "text has more than %d tokens", (int) limit);
	if (*truncated && long_text == DBERT_LONG_ERROR)
		return fail_too_long(batch, text, len, pair, pair_len, poll, err);
	if (pair != NULL && long_text == DBERT_LONG_TRUNCATE_FIRST)
		DBERT_TRY(cut_first_text(batch, first, truncated, err));
	if (pair == NULL && needs_joined(batch->model))
		mark_joined(batch->tokens.items + first, batch->tokens.count - first, text, len);
	return check_tokens(batch, first, err);
}

/* The cut of the text that was appended; one that fits its model is not cut. */
static DbertStatus
plan_windows(const DbertBatch *batch, bool pair, DbertLongText long_text,
			 DbertBatchText *text, DbertError *err)
{
	int32_t		n = (int32_t) (batch->tokens.count - text->first),
				limit = window_limit(batch, pair);
	const DbertTemplate *around = template_of(batch, pair);
	DbertWindowCut *cut = &text->cut;

	*cut = choose_cut(batch, batch->tokens.items + text->first, n, pair);
	if (long_text != DBERT_LONG_WINDOW || n <= limit ||
		dbert_family_of(&batch->model->config)->lookup)
		cut->capacity = n;		/* one window */
	else if (!pair && cut->capacity < limit / 4)
		return dbert_fail(err, DBERT_E_LIMIT,
						  "prompt has %d tokens, which leaves no room for the text: "
						  "the model takes %d for both",
						  (int) (cut->head - around->head), (int) limit);
	else if (cut->capacity <= cut->overlap || cut->capacity < limit / 4)
		return dbert_fail(err, DBERT_E_LIMIT,
						  "%s has %d tokens, which leaves no room for the other: "
						  "the model takes %d for both",
						  cut->fixed ? "question" : "shorter text of a pair",
						  (int) (cut->head + cut->tail - dbert_template_size(around)), (int) limit);
	return DBERT_OK;
}

static DbertStatus
append_text(DbertBatch *batch, const char *text, size_t len,
			const char *pair, size_t pair_len, DbertLongText long_text,
			const DbertPoll *poll, DbertError *err)
{
	DbertBatchText added = {.first = (int32_t) batch->tokens.count};
	size_t		kept;

	if (!dbert_grow(batch->alloc, &batch->texts, &batch->texts_capacity, batch->n_texts,
					batch->n_texts + 1, sizeof(*batch->texts)))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	DBERT_TRY(join_prompt(batch, &text, &len, err));
	kept = cut_characters(batch, text, len, long_text);
	DBERT_TRY(
		append_tokens(batch, text, kept, pair, pair_len, long_text, &added.truncated, poll, err));
	added.truncated |= kept < len;
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
