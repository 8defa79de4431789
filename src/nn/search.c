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
 * Source: transformers 5.24, generation/utils.py (_beam_search); Wu et al. 2016
 * (arXiv:1609.08144), section 7, for penalties of length.
 */
#include "nn/search.h"

#include "base/topk.h"

#include <math.h>
#include <string.h>

/* A continuation of hypothesis parent. */
typedef struct Candidate
{
	float		score;
	int32_t		parent;
	int32_t		token;
} Candidate;

void
dbert_search_begin(DbertSearch *s, const DbertGeneration *how, int vocab, int32_t *room)
{
	memset(s, 0, sizeof(*s));
	s->how = how;
	s->vocab = vocab;
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

/*
 * What is to be taken from a row's logits for log probabilities: the logarithm
 * of the sum of exponentials.
 */
static float
log_sum(const float *logits, int n)
{
	float		most = -INFINITY;
	double		sum = 0;

	for (int i = 0; i < n; i++)
		if (logits[i] > most)
			most = logits[i];
	for (int i = 0; i < n; i++)
		sum += expf(logits[i] - most);
	return most + (float) log(sum);
}

static void
forbid(const DbertSearch *s, float *logits)
{
	for (int i = 0; i < s->how->n_forbidden; i++)
		logits[s->how->forbidden[i]] = -INFINITY;
}

static bool
is_finite(const float *logits, int n)
{
	float		sum = 0;

	for (int i = 0; i < n; i++)
		sum += logits[i] * 0;
	return sum == 0;
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

static void
step_best(DbertSearch *s, float *logits)
{
	int			best = 0;

	forbid(s, logits);
	for (int i = 1; i < s->vocab; i++)
		if (logits[i] > logits[best])
			best = i;
	if (is_forced(s))
		best = s->how->end;
	s->tokens[0][s->length++] = best;
	s->now[0] = (DbertHypothesis) {.last = best};
	if (best != s->how->end && s->length < s->how->max_length)
		return;
	s->done = true;
	end_at(s, s->tokens[0], s->length, 0, 0);
}

/* ---- several ---- */

/* The best continuations of one hypothesis, at out: how many. */
static int
continue_one(const DbertSearch *s, int parent, float *logits, int most, Candidate *out)
{
	int			top[2 * DBERT_MAX_BEAMS];
	float		score = s->now[parent].score,
				all = 0;
	int			n;

	if (is_forced(s))
	{
		out[0] = (Candidate) {score, parent, s->how->end};
		return 1;
	}
	if (!s->how->renormalize)
		all = log_sum(logits, s->vocab);
	forbid(s, logits);
	if (s->how->renormalize)
		all = log_sum(logits, s->vocab);
	n = dbert_top_k(logits, s->vocab, most, top);
	for (int i = 0; i < n; i++)
		out[i] = (Candidate) {logits[top[i]] - all + score, parent, top[i]};
	return n;
}

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

static void
step_beams(DbertSearch *s, float *logits)
{
	Candidate	best[2 * DBERT_MAX_BEAMS],
				some[2 * DBERT_MAX_BEAMS];
	int			beams = s->how->beams,
				n = 0,
				going = 0;
	bool		last = s->length + 1 >= s->how->max_length;

	for (int i = 0; i < s->n; i++)
	{
		int			found = continue_one(s, i, logits + (size_t) i * s->vocab, 2 * beams, some);

		for (int j = 0; j < found; j++)
			n = insert(best, n, 2 * beams, some[j]);
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
}

bool
dbert_search_step(DbertSearch *s, float *logits)
{
	if (!is_finite(logits, s->n * s->vocab))
		return false;
	if (s->how->beams == 1)
		step_best(s, logits);
	else
		step_beams(s, logits);
	return true;
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
