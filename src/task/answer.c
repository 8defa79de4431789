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

/* ---- step 1: scores of spans ---- */

/*
 * out[count] = softmax of the column logits[2 i] over [CLS], whose share is
 * returned, and the context's tokens.
 */
static float
softmax(const DbertWindow *w, const float *logits, float *out)
{
	const float *own = logits + 2 * (size_t) w->first;
	float		max = logits[0];
	double		sum = 0;

	for (int i = 0; i < w->count; i++)
		max = own[2 * i] > max ? own[2 * i] : max;
	for (int i = 0; i < w->count; i++)
		sum += exp((double) own[2 * i] - max);
	sum += exp((double) logits[0] - max);
	for (int i = 0; i < w->count; i++)
		out[i] = (float) (exp((double) own[2 * i] - max) / sum);
	return (float) (exp((double) logits[0] - max) / sum);
}

/* scores[count][width]: of the spans from a token to the next ones. */
static void
score_spans(const float *starts, const float *ends, int count, int width, float *scores)
{
	for (int s = 0; s < count; s++)
		for (int e = s; e < s + width; e++)
			*scores++ = e < count ? starts[s] * ends[e] : 0;
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
add_candidate(Search *search, const DbertWindow *w, int s, int e, float score)
{
	Candidate  *c;

	if (!dbert_grow(search->alloc, &search->found, &search->capacity, search->n_found,
					search->n_found + 1, sizeof(Candidate)))
		return dbert_fail(search->err, DBERT_E_NOMEM, "out of memory");
	while (s > 0 && w->tokens[s - 1].word == w->tokens[s].word)
		s--;
	while (e + 1 < w->count && w->tokens[e + 1].word == w->tokens[e].word)
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

/* The best of scores[count][width] are candidates; top is scratch for as many. */
static DbertStatus
add_best(Search *search, const DbertWindow *w, int width, const float *scores, int *top)
{
	int			spans = w->count * width,
				wanted = search->options->top_k < spans / 2 ? search->options->top_k * 2 + 10 : spans,
				count = dbert_top_k(scores, spans, wanted, top);

	for (int i = 0; i < count && scores[top[i]] > 0; i++)
	{
		int			s = top[i] / width;

		DBERT_TRY(add_candidate(search, w, s, s + top[i] % width, scores[top[i]]));
	}
	return DBERT_OK;
}

static DbertStatus
search_window(Search *search, const DbertWindow *w)
{
	int			width = w->count < search->options->max_tokens ? w->count : search->options->max_tokens;
	size_t		spans = (size_t) w->count * width;
	float	   *starts,
			   *ends,
			   *scores,
				none;
	int		   *top;
	DbertStatus status;

	if (spans > INT32_MAX)
		return dbert_fail(search->err, DBERT_E_LIMIT, "answers of %d tokens are too many to compare", width);
	starts = dbert_alloc_array(search->alloc, 2 * (size_t) w->count + spans, sizeof(float));
	top = dbert_alloc_array(search->alloc, spans, sizeof(int));
	if (starts == NULL || top == NULL)
		status = dbert_fail(search->err, DBERT_E_NOMEM, "out of memory");
	else
	{
		ends = starts + w->count;
		scores = ends + w->count;
		none = softmax(w, w->logits, starts) * softmax(w, w->logits + 1, ends);
		search->no_answer = none < search->no_answer ? none : search->no_answer;
		score_spans(starts, ends, w->count, width, scores);
		status = add_best(search, w, width, scores, top);
	}
	dbert_free(search->alloc, starts);
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

DbertStatus
dbert_batch_answers(const DbertBatch *batch, int i, const char *context, size_t len,
					const DbertAnswerOptions *options, const DbertPoll *poll,
					DbertAnswer **answers, int *count, DbertError *err)
{
	Search		search = {.options = options,.alloc = batch->alloc,.err = err,.no_answer = 1};
	DbertStatus status = DBERT_OK;

	if (batch->model->config.head != DBERT_HEAD_SPAN)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "the model does not answer questions");
	if (options->top_k < 1 || options->max_tokens < 1)
		return dbert_fail(err, DBERT_E_INVALID, "less than one answer, or token of an answer, is asked for");
	search.begin = search.at = (const uint8_t *) context;
	search.end = search.begin + len;
	for (int w = 0; w < dbert_batch_windows(batch, i) && status == DBERT_OK; w++)
	{
		DbertWindow window = dbert_batch_window(batch, i, w);

		if (dbert_stopped(poll))
			status = dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		else if (window.logits == NULL)
			status = dbert_fail(err, DBERT_E_INVALID, "the batch has no logits");
		else
			status = search_window(&search, &window);
	}
	if (status == DBERT_OK)
		status = finish(&search, answers, count);
	dbert_free(batch->alloc, search.found);
	return status;
}
