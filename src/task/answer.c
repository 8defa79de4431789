/*
 * answer.c -- the parts of a context that answer a question.
 *
 * As transformers' QuestionAnsweringPipeline (the last is of version 4):
 *   1. In each window of the context: softmax of the start logits and of the
 *      end logits over the context's tokens and [CLS]; a span of tokens scores
 *      the product of the two, and the best 2 top_k + 10 spans are candidates.
 *      [CLS] for both is the window's belief that there is no answer.
 *   2. A candidate is widened to whole words.
 *   3. Candidates of the same text, in whatever case and window, are one
 *      answer: the first of them, with the sum of their scores.
 *   4. The best top_k; "no answer" is one of them, if wanted, with the smallest
 *      belief of all windows.
 * Candidates of score 0, which the pipeline may use to fill up top_k, are none.
 * Texts are compared in lower case by Unicode, the Greek final sigma as the
 * other.
 *
 * Source: Chen et al. 2017 (arXiv:1704.00051), DrQA; Devlin et al. 2018.
 */
#include "task/answer.h"

#include "base/numbers.h"
#include "base/topk.h"
#include "nn/batch_inside.h"
#include "text/chartype.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>

/* Candidates between two polls; each may be as long as a window. */
#define POLL_CANDIDATES 64

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
	const DbertPoll *poll;
	DbertError *err;

	DbertTextPlace place;		/* in the context, to find others from */

	Candidate  *found;			/* of different texts */
	size_t		n_found,
				capacity;
	size_t	   *slots;			/* hash table: index in found + 1, 0: free */
	size_t		n_slots;		/* a power of two, at least twice n_found; or 0 */
	float		no_answer;		/* the smallest belief so far */
} Search;

/* ---- step 1: scores of spans ---- */

/*
 * out[count] = softmax of the column logits[2 i] over the context's tokens and
 * [CLS], whose share is out[count].
 */
static void
softmax_column(const DbertWindow *w, const float *logits, float *out)
{
	for (int i = 0; i < w->count; i++)
		out[i] = logits[2 * (size_t) (w->first + i)];
	out[w->count] = logits[0];
	dbert_softmax(out, w->count + 1, out);
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

/* ---- step 3: equal texts ---- */

static bool
same_lower(const Candidate *a, const Candidate *b)
{
	const uint8_t *p = a->text,
			   *q = b->text;

	if (a->hash != b->hash)
		return false;
	while (p < a->text + a->len && q < b->text + b->len)
		if (next_lower(&p, a->text + a->len) != next_lower(&q, b->text + b->len))
			return false;
	return p == a->text + a->len && q == b->text + b->len;
}

/* The slot of a candidate's text, or the free one where it belongs. */
static size_t *
slot_of(const Search *search, const Candidate *c)
{
	size_t		mask = search->n_slots - 1,
				at = (size_t) c->hash & mask;

	while (search->slots[at] != 0 && !same_lower(&search->found[search->slots[at] - 1], c))
		at = (at + 1) & mask;
	return &search->slots[at];
}

/* Room for one more candidate. */
static bool
make_room(Search *search)
{
	size_t		wanted = search->n_slots == 0 ? 64 : 2 * search->n_slots;

	if (!dbert_grow(search->alloc, &search->found, &search->capacity, search->n_found,
					search->n_found + 1, sizeof(Candidate)))
		return false;
	if (2 * (search->n_found + 1) <= search->n_slots)
		return true;
	dbert_free(search->alloc, search->slots);
	search->slots = dbert_alloc_zero(search->alloc, wanted, sizeof(*search->slots));
	search->n_slots = search->slots ? wanted : 0;
	for (size_t i = 0; search->slots != NULL && i < search->n_found; i++)
	{
		size_t		at = (size_t) search->found[i].hash & (wanted - 1);

		while (search->slots[at] != 0)
			at = (at + 1) & (wanted - 1);
		search->slots[at] = i + 1;
	}
	return search->slots != NULL;
}

/* A new answer, or more for one that was found before. */
static DbertStatus
add_candidate(Search *search, const DbertWindow *w, int s, int e, float score)
{
	Candidate	c = {.score = score,.order = search->n_found};
	size_t	   *slot;

	if (!make_room(search))
		return dbert_fail(search->err, DBERT_E_NOMEM, "out of memory");
	while (s > 0 && w->tokens[s - 1].word == w->tokens[s].word)
		s--;
	while (e + 1 < w->count && w->tokens[e + 1].word == w->tokens[e].word)
		e++;
	c.start = w->tokens[s].start;
	c.end = w->tokens[e].end;
	c.text = dbert_text_go(&search->place, c.start);
	c.len = dbert_text_go(&search->place, c.end) - c.text;
	c.hash = hash_lower(c.text, c.len);
	slot = slot_of(search, &c);
	if (*slot != 0)
		search->found[*slot - 1].score += score;
	else
	{
		search->found[search->n_found++] = c;
		*slot = search->n_found;
	}
	return DBERT_OK;
}

/* ---- a window ---- */

/*
 * The best of scores[count][width] are candidates; top is scratch for as many.
 */
static DbertStatus
add_best(Search *search, const DbertWindow *w, int width, const float *scores, int *top)
{
	int spans = w->count * width,
		wanted = search->options->top_k < spans / 2 ? search->options->top_k * 2 + 10 : spans,
		count = dbert_top_k(scores, spans, wanted, top);

	for (int i = 0; i < count && scores[top[i]] > 0; i++)
	{
		int			s = top[i] / width;

		if (i % POLL_CANDIDATES == 0 && dbert_stopped(search->poll))
			return dbert_fail(search->err, DBERT_E_CANCELLED, "cancelled");
		DBERT_TRY(add_candidate(search, w, s, s + top[i] % width, scores[top[i]]));
	}
	return DBERT_OK;
}

static DbertStatus
search_window(Search *search, const DbertWindow *w)
{
	int width = w->count < search->options->max_tokens ? w->count : search->options->max_tokens;
	size_t		spans = (size_t) w->count * width;
	float	   *starts,
			   *ends,
			   *scores,
				none;
	int		   *top;
	DbertStatus status;

	if (spans > INT32_MAX)
		return dbert_fail(search->err, DBERT_E_LIMIT,
						  "answers of %d tokens are too many to compare", width);
	starts = dbert_alloc_array(search->alloc, 2 * ((size_t) w->count + 1) + spans, sizeof(float));
	top = dbert_alloc_array(search->alloc, spans, sizeof(int));
	if (starts == NULL || top == NULL)
		status = dbert_fail(search->err, DBERT_E_NOMEM, "out of memory");
	else
	{
		ends = starts + w->count + 1;
		scores = ends + w->count + 1;
		softmax_column(w, w->logits, starts);
		softmax_column(w, w->logits + 1, ends);
		none = starts[w->count] * ends[w->count];
		search->no_answer = none < search->no_answer ? none : search->no_answer;
		score_spans(starts, ends, w->count, width, scores);
		status = add_best(search, w, width, scores, top);
	}
	dbert_free(search->alloc, starts);
	dbert_free(search->alloc, top);
	return status;
}

/* ---- step 4: answers ---- */

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

static DbertStatus
finish(Search *search, DbertAnswer **answers, int *count)
{
	size_t		n;

	if (!make_room(search))
		return dbert_fail(search->err, DBERT_E_NOMEM, "out of memory");
	if (search->options->no_answer)
		search->found[search->n_found++] = (Candidate)
	{
		.score = search->no_answer,.order = SIZE_MAX,.start = -1,.end = -1
	};
	qsort(search->found, search->n_found, sizeof(Candidate), compare_scores);

	n = search->n_found < (size_t) search->options->top_k ? search->n_found
														  : (size_t) search->options->top_k;
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
	Search search = {
		.options = options, .alloc = batch->alloc, .poll = poll, .err = err, .no_answer = 1
	};
	DbertStatus status = DBERT_OK;

	if (batch->model->config.head != DBERT_HEAD_SPAN)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "the model does not answer questions");
	if (options->top_k < 1 || options->max_tokens < 1)
		return dbert_fail(err, DBERT_E_INVALID,
						  "less than one answer, or token of an answer, is asked for");
	search.place = dbert_text_begin(context, len);
	for (int w = 0; w < dbert_batch_windows(batch, i) && status == DBERT_OK; w++)
	{
		DbertWindow window = dbert_batch_window(batch, i, w);

		if (window.logits == NULL)
			status = dbert_fail(err, DBERT_E_INVALID, "the batch has no logits");
		else
			status = search_window(&search, &window);
	}
	if (status == DBERT_OK)
		status = finish(&search, answers, count);
	dbert_free(batch->alloc, search.found);
	dbert_free(batch->alloc, search.slots);
	return status;
}
