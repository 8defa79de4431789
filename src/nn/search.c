/*
 * search.c -- see search.h.
 *
 * As transformers' generate: of all continuations of all beams the best 2 K are
 * looked at.  Those among the first K that end are kept, scored by their
 * length; the best K of the others go on.  With one beam it is the largest
 * logit alone.
 *
 * Sums of log probabilities are floats there, too.
 *
 * A row of logits is as long as the vocabulary, and there is one for each
 * hypothesis and step: kernels go over it, once for the greatest of each block
 * and, among beams, once for the sum of exponentials.  Blocks tell where the
 * best tokens may be.
 *
 * Source: transformers 5.24, generation/utils.py (_beam_search); Wu et al. 2016
 * (arXiv:1609.08144), section 7, for penalties of length.
 */
#include "nn/search.h"

#include <math.h>
#include <string.h>

#define SUMMED 1024				/* exponentials that are summed as floats */

/* A continuation of hypothesis parent. */
typedef struct Candidate
{
	float		score;
	int32_t		parent;
	int32_t		token;
} Candidate;

void
dbert_search_begin(DbertSearch *s, const DbertGeneration *how, const DbertModel *model,
				   int32_t *room, float *most)
{
	memset(s, 0, sizeof(*s));
	s->kernels = model->kernels->decoding;
	s->most = most;
	s->how = how;
	s->vocab = model->config.vocab;
	for (int i = 0; i < how->beams; i++)
	{
		s->ended[i] = room + (size_t) (3 * i) * how->max_length;
		s->tokens[i] = s->ended[i] + how->max_length;
		s->spare[i] = s->tokens[i] + how->max_length;
	}
	s->n = 1;
	s->length = 1;
	s->now[0].last = s->tokens[0][0] = how->start;
}

/* The step must end. */
static bool
is_forced(const DbertSearch *s)
{
	return s->how->forced_end >= 0 && s->length == s->how->max_length - 1;
}

/* The maximum of a block whose numbers have changed. */
static void
renew_block(DbertSearch *s, const float *logits, int block)
{
	int			first = block * DBERT_MAXIMA_BLOCK;

	s->most[block] = -INFINITY;
	for (int i = first; i < first + DBERT_MAXIMA_BLOCK && i < s->vocab; i++)
		if (logits[i] > s->most[block])
			s->most[block] = logits[i];
}

static void
forbid(DbertSearch *s, float *logits)
{
	for (int i = 0; i < s->how->n_forbidden; i++)
	{
		logits[s->how->forbidden[i]] = -INFINITY;
		renew_block(s, logits, s->how->forbidden[i] / DBERT_MAXIMA_BLOCK);
	}
}

/* The block that has the greatest number; of several the first. */
static int
best_block(const DbertSearch *s)
{
	int			best = 0;

	for (int b = 1; b < dbert_maxima(s->vocab); b++)
		if (s->most[b] > s->most[best])
			best = b;
	return best;
}

/*
 * What is to be taken from a row's logits for log probabilities: the logarithm
 * of the sum of exponentials.
 */
static float
log_sum(const DbertSearch *s, const float *logits)
{
	float		max = s->most[best_block(s)];
	double		sum = 0;

	for (int i = 0; i < s->vocab; i += SUMMED)
		sum += s->kernels->exp_sum(logits + i, s->vocab - i < SUMMED ? s->vocab - i : SUMMED, max);
	return max + (float) log(sum);
}

/* What has ended comes to this place among the best; the last may go. */
static void
end_at(DbertSearch *s, const int32_t *tokens, int length, float score, int at)
{
	int			last = s->n_ended < s->how->beams ? s->n_ended++ : s->how->beams - 1;
	int32_t    *room = s->ended[last];

	for (int i = last; i > at; i--)
	{
		s->ended[i] = s->ended[i - 1];
		s->ended_score[i] = s->ended_score[i - 1];
		s->ended_length[i] = s->ended_length[i - 1];
	}
	s->ended[at] = room;
	s->ended_score[at] = score;
	s->ended_length[at] = length;
	memcpy(room, tokens, length * sizeof(*tokens));
}

/* ---- one beam ---- */

static bool
step_best(DbertSearch *s, float *logits)
{
	int			best;

	if (!s->kernels->maxima(s->most, logits, s->vocab))
		return false;
	forbid(s, logits);
	best = best_block(s) * DBERT_MAXIMA_BLOCK;
	while (best + 1 < s->vocab && logits[best] != s->most[best / DBERT_MAXIMA_BLOCK])
		best++;
	if (is_forced(s))
		best = s->how->end;
	s->tokens[0][s->length++] = best;
	s->now[0] = (DbertHypothesis) {.last = best};
	if (best != s->how->end && s->length < s->how->max_length)
		return true;
	s->done = true;
	end_at(s, s->tokens[0], s->length, 0, 0);
	return true;
}

/* ---- several ---- */

/* Put a continuation among the best[n] of at most so many. */
static int
insert(Candidate *best, int n, int most, Candidate c)
{
	int			at = n;

	if (n == most && !(c.score > best[n - 1].score))
		return n;
	if (n < most)
		n++;
	else
		at--;
	for (; at > 0 && c.score > best[at - 1].score; at--)
		best[at] = best[at - 1];
	best[at] = c;
	return n;
}

/*
 * One hypothesis' continuations go among the best[n] of all; how many these are
 * then.  Blocks whose greatest number is not good enough are passed over.
 */
static int
continue_one(DbertSearch *s, int parent, float *logits, Candidate *best, int n)
{
	const DbertHypothesis *h = &s->now[parent];
	int			most = 2 * s->how->beams;
	float		all = 0;

	if (is_forced(s))
		return insert(best, n, most, (Candidate) {h->score, parent, s->how->end});
	if (!s->how->renormalize)
		all = log_sum(s, logits);
	forbid(s, logits);
	if (s->how->renormalize)
		all = log_sum(s, logits);
	for (int first = 0; first < s->vocab; first += DBERT_MAXIMA_BLOCK)
	{
		float		score = s->most[first / DBERT_MAXIMA_BLOCK] - all + h->score;

		if (n == most && !(score > best[n - 1].score))
			continue;
		for (int i = first; i < first + DBERT_MAXIMA_BLOCK && i < s->vocab; i++)
			n = insert(best, n, most, (Candidate) {logits[i] - all + h->score, parent, i});
	}
	return n;
}

/* The score by length of what has so many tokens behind the start. */
static float
by_length(const DbertSearch *s, float score, int tokens)
{
	return score / (float) pow(tokens, s->how->length_penalty);
}

static void
keep_ended(DbertSearch *s, const Candidate *c)
{
	float		score = by_length(s, c->score, s->length);
	int			at = s->n_ended;

	while (at > 0 && score > s->ended_score[at - 1])
		at--;
	if (at == s->how->beams)
		return;
	s->tokens[c->parent][s->length] = c->token;
	end_at(s, s->tokens[c->parent], s->length + 1, score, at);
}

/* The tokens of those that go on, each behind those of its parent. */
static void
move_tokens(DbertSearch *s)
{
	for (int i = 0; i < s->n; i++)
	{
		memcpy(s->spare[i], s->tokens[s->now[i].parent], s->length * sizeof(int32_t));
		s->spare[i][s->length] = s->now[i].last;
	}
	for (int i = 0; i < s->n; i++)
	{
		int32_t    *tokens = s->tokens[i];

		s->tokens[i] = s->spare[i];
		s->spare[i] = tokens;
	}
}

/* Can none of those that go on be better than those that have ended? */
static bool
is_decided(const DbertSearch *s)
{
	const DbertGeneration *how = s->how;
	int			length = s->length - 1;

	if (s->n == 0)
		return true;
	if (s->n_ended < how->beams)
		return false;
	if (how->early == DBERT_STOP_FULL)
		return true;
	if (how->early == DBERT_STOP_NEVER && how->length_penalty > 0)
		length = how->max_length - 1;
	return !(by_length(s, s->now[0].score, length) > s->ended_score[how->beams - 1]);
}

static bool
step_beams(DbertSearch *s, float *logits)
{
	Candidate	best[2 * DBERT_MAX_BEAMS];
	int			beams = s->how->beams,
				n = 0,
				going = 0;
	bool		last = s->length + 1 >= s->how->max_length;

	for (int i = 0; i < s->n; i++, logits += s->vocab)
	{
		if (!s->kernels->maxima(s->most, logits, s->vocab))
			return false;
		n = continue_one(s, i, logits, best, n);
	}
	for (int i = 0; i < n; i++)
	{
		bool		ends = last || best[i].token == s->how->end;

		if (ends && i < beams)
			keep_ended(s, &best[i]);
		if (!ends && going < beams)
			s->now[going++] = (DbertHypothesis) {best[i].score, best[i].parent, best[i].token};
	}
	s->n = going;
	move_tokens(s);
	s->length++;
	s->done = is_decided(s);
	return true;
}

bool
dbert_search_step(DbertSearch *s, float *logits)
{
	return s->how->beams == 1 ? step_best(s, logits) : step_beams(s, logits);
}

int
dbert_search_result(const DbertSearch *s, const int32_t **tokens)
{
	int			n = s->ended_length[0] - 1;

	*tokens = s->ended[0] + 1;
	return n > 0 && s->ended[0][n] == s->how->end ? n - 1 : n;
}

bool
dbert_search_ended(const DbertSearch *s)
{
	return s->ended[0][s->ended_length[0] - 1] == s->how->end &&
		!(s->how->forced_end >= 0 && s->ended_length[0] == s->how->max_length);
}
