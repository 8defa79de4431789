/*
 * answer.c -- the parts of a context that answer a question.
 *
 * As transformers' QuestionAnsweringPipeline (the last is of version 4):
 *   1. In each window of the context: softmax of the start logits and of the
 *      end logits over the context's tokens and [CLS]; a span of tokens scores
 *      the product of the two, and the best 2 top_k + 10 spans are candidates.
 *      [CLS] for both is the window's belief that there is no answer.
 *   2. A candidate is widened to whole words.
 *   3. Candidates of the same text, in whatever case and window, are one answer:
 *      the first of them, with the sum of their scores.
 *   4. The best top_k; "no answer" is one of them, if wanted, with the smallest
 *      belief of all windows.
 * Candidates of score 0, which the pipeline may use to fill up top_k, are none.
 * Texts are compared in lower case by Unicode, the Greek final sigma as the other.
 *
 * Source: Chen et al. 2017 (arXiv:1704.00051), DrQA; Devlin et al. 2018.
 */
#include "nn/batch.h"
#include "task/topk.h"
#include "text/chartype.h"
#include "text/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Tokens of a window, and of two neighbours' overlap, at most: the pipeline's. */
#define MAX_WINDOW	384
#define MAX_OVERLAP	128

typedef struct Candidate
{
	double		score;
	size_t		order;			/* of being found */
	uint64_t	hash;			/* of the text in lower case */
	const uint8_t *text;		/* into the context; NULL: no answer */
	size_t		len;
	int32_t		start,			/* characters of the context */
				end;
} Candidate;

/* The work on one context. */
typedef struct Search
{
	const DbertAnswerOptions *options;
	const DbertAllocator *alloc;
	DbertError *err;

	const uint8_t *begin,		/* the context */
			   *end;
	const uint8_t *at;			/* a place in it, to find others from */
	int32_t		chars;			/* before at */

	Candidate  *found;
	size_t		n_found,
				capacity;
	float		no_answer;		/* the smallest belief so far */
} Search;

/* One window: a question and a part of the context, or all of it. */
typedef struct Window
{
	const DbertToken *tokens;
	int			n;
	int			first,			/* tokens of the context: first .. last-1 */
				last;
	float	   *starts,			/* [n], probabilities */
			   *ends;
} Window;

/* ---- step 1: scores of spans ---- */

/* May token i be part of an answer, or stand for none? */
static bool
counts(const Window *w, int i)
{
	return i == 0 || (i >= w->first && i < w->last);
}

/* out[n]: softmax of every second logit over the tokens that count. */
static void
softmax(const Window *w, const float *logits, float *out)
{
	float		max = logits[0];
	double		sum = 0;

	for (int i = 0; i < w->n; i++)
		if (counts(w, i) && logits[2 * i] > max)
			max = logits[2 * i];
	for (int i = 0; i < w->n; i++)
		if (counts(w, i))
			sum += exp((double) logits[2 * i] - max);
	for (int i = 0; i < w->n; i++)
		out[i] = counts(w, i) ? (float) (exp((double) logits[2 * i] - max) / sum) : 0;
}

/* scores[last - first][width]: of the spans from a token to the next ones. */
static void
score_spans(const Window *w, int width, float *scores)
{
	for (int s = w->first; s < w->last; s++)
		for (int e = s; e < s + width; e++)
			*scores++ = e < w->last ? w->starts[s] * w->ends[e] : 0;
}

/* ---- step 2: from tokens to text ---- */

/* The place of a character of the context. */
static const uint8_t *
place_of(Search *search, int32_t target)
{
	for (; search->chars < target && search->at < search->end; search->chars++)
		do
			search->at++;
		while (search->at < search->end && dbert_utf8_is_tail(*search->at));
	for (; search->chars > target && search->at > search->begin; search->chars--)
		do
			search->at--;
		while (search->at > search->begin && dbert_utf8_is_tail(*search->at));
	return search->at;
}

/* Reads a character in lower case; *p moves on. */
static uint64_t
next_lower(const uint8_t **p, const uint8_t *end)
{
	uint32_t	cp,
				lower[2] = {0, 0};
	int			len = dbert_utf8_decode(*p, end, &cp);

	*p += len > 0 ? len : 1;
	if (len == 0)
		return 0;
	if (dbert_char_lower(cp, lower) == 1)
		lower[1] = 0;
	if (lower[0] == 0x3c2)		/* final sigma */
		lower[0] = 0x3c3;
	return lower[0] | (uint64_t) lower[1] << 32;
}

/* FNV-1a */
static uint64_t
hash_lower(const uint8_t *text, size_t len)
{
	const uint8_t *end = text + len;
	uint64_t	hash = UINT64_C(0xcbf29ce484222325);

	while (text < end)
		hash = (hash ^ next_lower(&text, end)) * UINT64_C(0x100000001b3);
	return hash;
}

static DbertStatus
add_candidate(Search *search, const Window *w, int s, int e, float score)
{
	Candidate  *c;

	if (!dbert_grow(search->alloc, &search->found, &search->capacity, search->n_found,
					search->n_found + 1, sizeof(Candidate)))
		return dbert_fail(search->err, DBERT_E_NOMEM, "out of memory");
	while (s > w->first && w->tokens[s - 1].word == w->tokens[s].word)
		s--;
	while (e + 1 < w->last && w->tokens[e + 1].word == w->tokens[e].word)
		e++;
	c = &search->found[search->n_found];
	*c = (Candidate)
	{
		.score = score,.order = search->n_found,.start = w->tokens[s].start,.end = w->tokens[e].end
	};
	c->text = place_of(search, c->start);
	c->len = place_of(search, c->end) - c->text;
	c->hash = hash_lower(c->text, c->len);
	search->n_found++;
	return DBERT_OK;
}

/* ---- a window ---- */

static void
find_context(Window *w)
{
	for (w->first = 0; w->first < w->n; w->first++)
		if (w->tokens[w->first].type == 1 && !w->tokens[w->first].special)
			break;
	for (w->last = w->first; w->last < w->n && !w->tokens[w->last].special;)
		w->last++;
}

/* The best spans of the window; scores and top are scratch for all of them. */
static DbertStatus
add_best(Search *search, const Window *w, int width, float *scores, int *top)
{
	int			spans = (w->last - w->first) * width,
				wanted = search->options->top_k < spans / 2 ? search->options->top_k * 2 + 10 : spans;
	int			count;

	score_spans(w, width, scores);
	count = dbert_top_k(scores, spans, wanted, top);
	for (int i = 0; i < count && scores[top[i]] > 0; i++)
	{
		int			s = w->first + top[i] / width;

		DBERT_TRY(add_candidate(search, w, s, s + top[i] % width, scores[top[i]]));
	}
	return DBERT_OK;
}

static DbertStatus
search_window(Search *search, const DbertToken *tokens, int n, const float *logits)
{
	Window		w = {.tokens = tokens,.n = n};
	int			width;
	size_t		spans;
	float	   *floats;
	int		   *top;
	DbertStatus status;

	find_context(&w);
	width = w.last - w.first;
	if (width > search->options->max_tokens)
		width = search->options->max_tokens;
	spans = (size_t) (w.last - w.first) * width;
	if (spans > INT32_MAX)
		return dbert_fail(search->err, DBERT_E_LIMIT, "answers of %d tokens are too many to compare", width);
	floats = dbert_alloc_array(search->alloc, 2 * (size_t) n + spans, sizeof(float));
	top = dbert_alloc_array(search->alloc, spans, sizeof(int));
	if (floats == NULL || top == NULL)
		status = dbert_fail(search->err, DBERT_E_NOMEM, "out of memory");
	else
	{
		w.starts = floats;
		w.ends = floats + n;
		softmax(&w, logits, w.starts);
		softmax(&w, logits + 1, w.ends);
		if (w.starts[0] * w.ends[0] < search->no_answer)
			search->no_answer = w.starts[0] * w.ends[0];
		status = add_best(search, &w, width, floats + 2 * (size_t) n, top);
	}
	dbert_free(search->alloc, floats);
	dbert_free(search->alloc, top);
	return status;
}

/* ---- steps 3 and 4: answers ---- */

static int
compare_lower(const Candidate *a, const Candidate *b)
{
	const uint8_t *p = a->text,
			   *q = b->text;

	while (p < a->text + a->len && q < b->text + b->len)
	{
		uint64_t	x = next_lower(&p, a->text + a->len),
					y = next_lower(&q, b->text + b->len);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (p < a->text + a->len) - (q < b->text + b->len);
}

/* Equal texts side by side; all that matters is that equal ones are. */
static int
compare_texts(const void *x, const void *y)
{
	const Candidate *a = x,
			   *b = y;

	return a->hash != b->hash ? (a->hash < b->hash ? -1 : 1) : compare_lower(a, b);
}

static int
compare_texts_then_order(const void *x, const void *y)
{
	const Candidate *a = x,
			   *b = y;
	int			order = compare_texts(a, b);

	return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

/* The best first, of equals the one that was found first. */
static int
compare_scores(const void *x, const void *y)
{
	const Candidate *a = x,
			   *b = y;

	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return (a->order > b->order) - (a->order < b->order);
}

static void
merge_equal_texts(Search *search)
{
	Candidate  *found = search->found;
	size_t		n = 0;

	if (search->n_found == 0)
		return;
	qsort(found, search->n_found, sizeof(*found), compare_texts_then_order);
	for (size_t i = 1; i < search->n_found; i++)
	{
		if (compare_texts(&found[n], &found[i]) == 0)
			found[n].score += found[i].score;
		else
			found[++n] = found[i];
	}
	search->n_found = n + 1;
}

static DbertStatus
finish(Search *search, DbertAnswer **answers, int *count)
{
	size_t		n;

	merge_equal_texts(search);
	if (!dbert_grow(search->alloc, &search->found, &search->capacity, search->n_found,
					search->n_found + 1, sizeof(Candidate)))
		return dbert_fail(search->err, DBERT_E_NOMEM, "out of memory");
	if (search->options->no_answer)
		search->found[search->n_found++] = (Candidate)
	{
		.score = search->no_answer,.order = SIZE_MAX,.start = -1,.end = -1
	};
	qsort(search->found, search->n_found, sizeof(Candidate), compare_scores);

	n = search->n_found < (size_t) search->options->top_k ? search->n_found : (size_t) search->options->top_k;
	*answers = dbert_alloc_array(search->alloc, n, sizeof(**answers));
	if (*answers == NULL)
		return dbert_fail(search->err, DBERT_E_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
	{
		const Candidate *c = &search->found[i];

		(*answers)[i] = (DbertAnswer) {(float) c->score, c->start, c->end};
	}
	*count = (int) n;
	return DBERT_OK;
}

/* ---- one window, or many ---- */

static DbertStatus
open_search(Search *search, const DbertBatch *batch, const char *context, size_t len,
			const DbertAnswerOptions *options, DbertError *err)
{
	*search = (Search)
	{
		.options = options,.alloc = batch->alloc,.err = err,.no_answer = 1
	};
	search->begin = search->at = (const uint8_t *) context;
	search->end = search->begin + len;
	if (batch->model->config.head != DBERT_HEAD_SPAN)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "the model does not answer questions");
	if (options->top_k < 1 || options->max_tokens < 1)
		return dbert_fail(err, DBERT_E_INVALID, "less than one answer, or token of an answer, is asked for");
	return DBERT_OK;
}

/* All texts of a batch that has run. */
static DbertStatus
search_batch(Search *search, const DbertBatch *batch, int first, int last)
{
	for (int i = first; i < last; i++)
	{
		int			n,
					rows;
		const DbertToken *tokens = dbert_batch_text_tokens(batch, i, &n);
		const float *logits = dbert_batch_logits(batch, i, &rows);

		if (logits == NULL)
			return dbert_fail(search->err, DBERT_E_INVALID, "the batch has no logits");
		DBERT_TRY(search_window(search, tokens, n, logits));
	}
	return DBERT_OK;
}

DbertStatus
dbert_batch_answers(const DbertBatch *batch, int i, const char *context, size_t len,
					const DbertAnswerOptions *options,
					DbertAnswer **answers, int *count, DbertError *err)
{
	Search		search;
	DbertStatus status;

	DBERT_TRY(open_search(&search, batch, context, len, options, err));
	status = search_batch(&search, batch, i, i + 1);
	if (status == DBERT_OK)
		status = finish(&search, answers, count);
	dbert_free(batch->alloc, search.found);
	return status;
}

/* Tokens of a window, special ones included. */
static int32_t
window_size(const DbertModel *model)
{
	return model->config.max_tokens < MAX_WINDOW ? model->config.max_tokens : MAX_WINDOW;
}

bool
dbert_answer_takes_windows(const DbertBatch *batch, int i)
{
	return dbert_batch_truncated(batch, i) || dbert_batch_text_count(batch, i) > window_size(batch->model);
}

/*
 * How a question of n tokens and the windows of a context share the room.  The
 * pipeline fails where the question leaves no more than the overlap; here it is
 * cut to a quarter of the window.
 */
static void
share_window(int32_t size, int32_t *n, int32_t *room, int32_t *overlap)
{
	*overlap = size / 2 < MAX_OVERLAP ? size / 2 : MAX_OVERLAP;
	if (size - 3 - *n <= *overlap)
		*n = *n < size / 4 ? *n : size / 4;
	*room = size - 3 - *n;
	if (*room <= *overlap)
		*overlap = *room / 2;
}

/* Run what is in the batch, read it and empty it. */
static DbertStatus
run_windows(Search *search, DbertBatch *batch, const DbertPoll *poll)
{
	DBERT_TRY(dbert_batch_run(batch, poll, search->err));
	DBERT_TRY(search_batch(search, batch, 0, dbert_batch_count(batch)));
	dbert_batch_reset(batch);
	return DBERT_OK;
}

/* question and context as tokenised, with [CLS] and [SEP]. */
static DbertStatus
search_windows(Search *search, DbertBatch *batch, size_t batch_tokens,
			   const DbertTokenList *question, const DbertTokenList *context, const DbertPoll *poll)
{
	int32_t		n_question = (int32_t) question->count - 2,
				room,
				overlap;
	size_t		n = context->count - 2,
				start = 0;
	bool		last;

	share_window(window_size(batch->model), &n_question, &room, &overlap);
	do
	{
		last = n - start <= (size_t) room;
		DBERT_TRY(dbert_batch_add_slices(batch, question->items + 1, n_question, context->items + 1 + start,
										 last ? (int32_t) (n - start) : room, search->err));
		if (last || dbert_batch_tokens(batch) >= batch_tokens)
			DBERT_TRY(run_windows(search, batch, poll));
		start += room - overlap;
	} while (!last);
	return DBERT_OK;
}

DbertStatus
dbert_answer_windows(DbertBatch *batch, size_t batch_tokens,
					 const char *question, size_t question_len, const char *context, size_t len,
					 const DbertAnswerOptions *options, const DbertPoll *poll,
					 DbertAnswer **answers, int *count, DbertError *err)
{
	const DbertTokenizer *t = &batch->model->tokenizer;
	int32_t		size = window_size(batch->model);
	DbertTokenList asked = {NULL, 0, 0},
				read = {NULL, 0, 0};
	bool		cut;
	Search		search;
	DbertStatus status;

	DBERT_TRY(open_search(&search, batch, context, len, options, err));
	if (size < 8)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "windows of %d tokens are too small", (int) size);
	status = dbert_tokenize(t, question, question_len, NULL, 0, size, batch->alloc, poll, &asked, &cut, err);
	if (status == DBERT_OK)
		status = dbert_tokenize(t, context, len, NULL, 0, DBERT_NO_LIMIT, batch->alloc, poll, &read, &cut, err);
	if (status == DBERT_OK)
		status = search_windows(&search, batch, batch_tokens, &asked, &read, poll);
	if (status == DBERT_OK)
		status = finish(&search, answers, count);
	dbert_token_list_free(&asked, batch->alloc);
	dbert_token_list_free(&read, batch->alloc);
	dbert_free(batch->alloc, search.found);
	return status;
}
