/*
 * selfattention.c -- multi-head self-attention over texts without padding,
 * forward and backward.
 *
 * A part is one head of one text; each has rows and columns of its own.  The
 * probabilities are not stored: the backward computes them again, which costs
 * one of three products and saves T x T floats for every head.
 *
 * Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
 */
#include "train/ops.h"

#include "model/distances.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Multiply-adds between two polls, and how many of them an element of a softmax
 * and its dropout is worth.
 */
#define HEADS_WORK ((size_t) 20 * 1000 * 1000)
#define EXP_WORK 16

typedef struct HeadLoop
{
	const DbertTrainRun *run;
	const DbertSelfAttention *s;
	float	   *context;
	const float *dcontext;
	float	   *dq,
			   *dkv;
} HeadLoop;

/* One head of one text: M queries, T keys and values. */
typedef struct Head
{
	int			number;
	int			first_query;	/* among R */
	int			first_key;		/* among N */
	int			m;
	int			t;
	int			d;
	size_t		at_q,			/* of its first elements in q and kv */
				at_k;
	const float *q,
			   *k,
			   *v;
	float	   *p;				/* [M, T] each: probabilities, */
	float	   *dropped;		/* those that are left, */
	float	   *dp;				/* derivatives */
	float	   *left,			/* packed operands */
			   *right;
	float	   *bias;			/* [2T - 1] by distance, 0 in the middle */
} Head;

/* How many of the queries are tokens before this one. */
static int
queries_before(const DbertSelfAttention *s, int token)
{
	int			low = 0,
				high = s->n_queries;

	if (s->queries == NULL)
		return token;
	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (s->queries[middle] < token)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static Head
head_of_part(const DbertSelfAttention *s, int part, int worker)
{
	int			text = part / s->heads,
				first = s->cu[text];
	Head h = { .number = part % s->heads,
			   .first_query = queries_before(s, first),
			   .first_key = first,
			   .t = s->cu[text + 1] - first,
			   .d = s->hidden / s->heads };
	size_t		square = (size_t) h.t * h.t;

	h.m = queries_before(s, s->cu[text + 1]) - h.first_query;
	h.at_q = h.first_query * s->ldq + (size_t) h.number * h.d;
	h.at_k = first * s->ldkv + (size_t) h.number * h.d;
	h.q = s->q + h.at_q;
	h.k = s->kv + h.at_k;
	h.v = h.k + s->hidden;
	h.p = s->scratch + worker * s->scratch_floats;
	h.dropped = h.p + square;
	h.dp = h.dropped + square;
	h.left = h.dp + square;
	h.right = h.left + (size_t) (h.t + h.d + 64) * (h.t > h.d ? h.t : h.d);
	h.bias = h.right + (h.right - h.left);
	return h;
}

static float
scale(const Head *h)
{
	return 1 / sqrtf((float) h->d);
}

/*
 * An operand of a product: a[i, p] is x[i ld + p] or, transposed, x[p ld + i].
 */
typedef struct Operand
{
	const float *x;
	size_t		ld;
	bool		transposed;
} Operand;

/* c[M, N] = a[M, K] b'[N, K], plus c if add is set */
static void
head_product(const DbertTrainRun *run, const Head *h, Operand a, Operand b, int m, int n, int k,
			 float *c, size_t ldc, bool add)
{
	const DbertTrainKernels *kernels = run->kernels->train;

	kernels->pack_left(h->left, a.x, a.ld, a.transposed, m, k);
	kernels->pack_right(h->right, b.x, b.ld, b.transposed, n, k);
	kernels->multiply(c, ldc, h->left, h->right, NULL, add, m, n, k);
}

/* The mask of query i, or NULL. */
static const DbertDropRow *
drop_of_row(const DbertSelfAttention *s, const Head *h, int i, DbertDropRow *row)
{
	int			token = h->first_query + i;

	if (s->dropout.threshold == 0)
		return NULL;
	if (s->queries != NULL)
		token = s->queries[token];
	*row = dbert_dropout_row(&s->dropout, dbert_probability_index(token, h->number, s->heads, 0));
	return row;
}

/* Which token of the text query i is. */
static int
place_of(const DbertSelfAttention *s, const Head *h, int i)
{
	if (s->queries == NULL)
		return i;
	return s->queries[h->first_query + i] - h->first_key;
}

/* Scores that query i does not see weigh nothing. */
static void
hide_far_keys(const DbertSelfAttention *s, const Head *h, int i, float *scores)
{
	int			place = place_of(s, h, i);

	for (int j = 0; j < h->t; j++)
		if (abs(j - place) > s->window)
			scores[j] = -INFINITY;
}

/* Where in h->bias the distances of query i to its keys begin. */
static float *
biases_of_row(const DbertSelfAttention *s, const Head *h, int i)
{
	return h->bias + h->t - 1 - place_of(s, h, i);
}

/* h->p += what makes the bias out of it, by the scale that follows */
static void
add_biases(const DbertSelfAttention *s, const Head *h)
{
	float		by = 1 / scale(h);

	for (int i = 0; i < 2 * h->t - 1; i++)
		h->bias[i] = by * s->bias[(size_t) dbert_bias_row(i - h->t + 1) * s->heads + h->number];
	for (int i = 0; i < h->m; i++)
	{
		const float *bias = biases_of_row(s, h, i);

		for (int j = 0; j < h->t; j++)
			h->p[(size_t) i * h->t + j] += bias[j];
	}
}

/*
 * h->p = softmax(q k' / sqrt(D) + bias), h->dropped = what dropout leaves of it
 */
static void
probabilities(const DbertTrainRun *run, const DbertSelfAttention *s, const Head *h)
{
	Operand		q = {h->q, s->ldq, false},
				k = {h->k, s->ldkv, false};

	head_product(run, h, q, k, h->m, h->t, h->d, h->p, h->t, false);
	if (s->bias != NULL)
		add_biases(s, h);
	for (int i = 0; i < h->m; i++)
	{
		size_t		at = (size_t) i * h->t;
		DbertDropRow drop;

		if (s->window > 0)
			hide_far_keys(s, h, i, h->p + at);
		run->kernels->train->softmax(h->p + at, h->dropped + at, h->t, scale(h),
									 drop_of_row(s, h, i, &drop));
	}
}

/* What multiplies the values. */
static Operand
left_over(const DbertSelfAttention *s, const Head *h, bool transposed)
{
	Operand		a = {s->dropout.threshold == 0 ? h->p : h->dropped, h->t, transposed};

	return a;
}

/* Where the head's part of the rows of context begins. */
static size_t
at_context(const DbertSelfAttention *s, const Head *h)
{
	return (size_t) h->first_query * s->hidden + (size_t) h->number * h->d;
}

static DbertStatus
forward_part(void *ctx, int part, int worker)
{
	const HeadLoop *loop = ctx;
	const DbertSelfAttention *s = loop->s;
	Head		h = head_of_part(s, part, worker);
	Operand		v = {h.v, s->ldkv, true};

	if (h.m == 0)
		return DBERT_OK;
	probabilities(loop->run, s, &h);
	head_product(loop->run, &h, left_over(s, &h, false), v, h.m, h.d, h.t,
				 loop->context + at_context(s, &h), s->hidden, false);
	return DBERT_OK;
}

/* Heads that take a few milliseconds. */
static int
heads_between(const DbertSelfAttention *s)
{
	size_t		t = 1,
				between;

	for (int b = 0; b < s->n_texts; b++)
		if ((size_t) (s->cu[b + 1] - s->cu[b]) > t)
			t = s->cu[b + 1] - s->cu[b];
	between = HEADS_WORK / (t * t * (s->hidden / s->heads + EXP_WORK));
	return between < 1 ? 1 : (int) between;
}

DbertStatus
dbert_self_attention_forward(const DbertTrainRun *run, const DbertSelfAttention *s, float *context)
{
	HeadLoop	loop = {.run = run,.s = s,.context = context};

	return dbert_train_parallel(run, s->n_texts * s->heads, heads_between(s), forward_part, &loop);
}

/* h->dp holds the derivative by dropped, then that by q k' */
static void
softmax_backward(const DbertTrainRun *run, const DbertSelfAttention *s, const Head *h)
{
	for (int i = 0; i < h->m; i++)
	{
		size_t		at = (size_t) i * h->t;
		DbertDropRow drop;

		run->kernels->train->softmax_backward(h->dp + at, h->p + at, h->t, scale(h),
											  drop_of_row(s, h, i, &drop));
	}
}

/*
 * The part's derivatives by the table's rows, from those by q k': first summed
 * up by distance.
 */
static void
bias_backward(const DbertSelfAttention *s, const Head *h, int part)
{
	float	   *rows = s->dbias + (size_t) part * DBERT_BIAS_ROWS,
				by = 1 / scale(h);

	memset(h->bias, 0, (2 * h->t - 1) * sizeof(float));
	for (int i = 0; i < h->m; i++)
	{
		float	   *sums = biases_of_row(s, h, i);

		for (int j = 0; j < h->t; j++)
			sums[j] += h->dp[(size_t) i * h->t + j];
	}
	memset(rows, 0, DBERT_BIAS_ROWS * sizeof(float));
	for (int i = 0; i < 2 * h->t - 1; i++)
		rows[dbert_bias_row(i - h->t + 1)] += by * h->bias[i];
}

/* Nobody looked at this text. */
static void
no_queries(const DbertSelfAttention *s, const Head *h, float *dk, float *dv)
{
	for (int i = 0; i < h->t; i++)
	{
		memset(dk + i * s->ldkv, 0, h->d * sizeof(float));
		memset(dv + i * s->ldkv, 0, h->d * sizeof(float));
	}
}

/*
 * of p = softmax(q k' / sqrt(D) + bias), out = dropped v: dv = dropped' dout,
 * ddropped = dout v', and with dx, the derivative by q k', dq = dx k, dk = dx'
 * q
 */
static DbertStatus
backward_part(void *ctx, int part, int worker)
{
	const HeadLoop *loop = ctx;
	const DbertTrainRun *run = loop->run;
	const DbertSelfAttention *s = loop->s;
	Head		h = head_of_part(s, part, worker);
	const float *dout = loop->dcontext + at_context(s, &h);
	float	   *dk = loop->dkv + h.at_k,
			   *dv = dk + s->hidden;
	Operand		out_rows = {dout, s->hidden, false},
				out_columns = {dout, s->hidden, true},
				v = {h.v, s->ldkv, false},
				k = {h.k, s->ldkv, true},
				q = {h.q, s->ldq, true},
				dx = {h.dp, h.t, false},
				dx_transposed = {h.dp, h.t, true};

	if (h.m == 0)
	{
		if (s->bias != NULL)
			memset(s->dbias + (size_t) part * DBERT_BIAS_ROWS, 0, DBERT_BIAS_ROWS * sizeof(float));
		no_queries(s, &h, dk, dv);
		return DBERT_OK;
	}
	probabilities(run, s, &h);
	head_product(run, &h, left_over(s, &h, true), out_columns, h.t, h.d, h.m, dv, s->ldkv, false);
	head_product(run, &h, out_rows, v, h.m, h.t, h.d, h.dp, h.t, false);
	softmax_backward(run, s, &h);
	if (s->bias != NULL)
		bias_backward(s, &h, part);
	head_product(run, &h, dx, k, h.m, h.d, h.t, loop->dq + h.at_q, s->ldq, false);
	head_product(run, &h, dx_transposed, q, h.t, h.d, h.m, dk, s->ldkv, false);
	return DBERT_OK;
}

DbertStatus
dbert_self_attention_backward(const DbertTrainRun *run, const DbertSelfAttention *s,
							  const float *dcontext, float *dq, float *dkv)
{
	HeadLoop	loop = {.run = run,.s = s,.dcontext = dcontext,.dq = dq,.dkv = dkv};

	return dbert_train_parallel(run, s->n_texts * s->heads, heads_between(s), backward_part, &loop);
}

/* ---- a teacher's scores ---- */

typedef struct MatchLoop
{
	const DbertTrainRun *run;
	const DbertSelfAttention *s;
	const DbertScoreMatch *match;
} MatchLoop;

/* h->p = q k', and h->dropped = the teacher's, whose heads have d columns */
static void
both_scores(const MatchLoop *loop, const Head *h, int first, int d)
{
	const DbertSelfAttention *s = loop->s;
	size_t		ld = 2 * (size_t) loop->match->hidden;
	const float *teacher = loop->match->queries_keys + first * ld + (size_t) h->number * d;
	Operand		q = {h->q, s->ldq, false},
				k = {h->k, s->ldkv, false},
				tq = {teacher, ld, false},
				tk = {teacher + loop->match->hidden, ld, false};
	Head		wide = *h;

	head_product(loop->run, h, q, k, h->t, h->t, h->d, h->p, h->t, false);
	wide.right = wide.left + (size_t) (h->t + d + 64) * (h->t > d ? h->t : d);
	head_product(loop->run, &wide, tq, tk, h->t, h->t, d, h->dropped, h->t, false);
}

/*
 * of x = q k' / sqrt(D): share (x - y)^2 summed up; with dx = 2 share (x - y) /
 * sqrt(D), dq += dx k, dk += dx' q
 */
static DbertStatus
match_part(void *ctx, int part, int worker)
{
	const MatchLoop *loop = ctx;
	const DbertSelfAttention *s = loop->s;
	const DbertScoreMatch *match = loop->match;
	Head		h = head_of_part(s, part, worker);
	int			d = match->hidden / s->heads;
	double		sum = 0,
				other = 1 / sqrt((double) d);
	Operand		k = {h.k, s->ldkv, true},
				q = {h.q, s->ldq, true},
				dx = {h.dp, h.t, false},
				dx_transposed = {h.dp, h.t, true};

	both_scores(loop, &h, s->cu[part / s->heads], d);
	for (size_t i = 0; i < (size_t) h.t * h.t; i++)
	{
		double		e = (double) h.p[i] * scale(&h) - h.dropped[i] * other;

		sum += match->share * e * e;
		h.dp[i] = (float) (2 * match->share * e * scale(&h));
	}
	match->sums[part] = sum;
	if (match->dq == NULL)
		return DBERT_OK;
	head_product(loop->run, &h, dx, k, h.t, h.d, h.t, match->dq + h.at_q, s->ldq, true);
	head_product(loop->run, &h, dx_transposed, q, h.t, h.d, h.t, match->dkv + h.at_k, s->ldkv,
				 true);
	return DBERT_OK;
}

DbertStatus
dbert_self_attention_match(const DbertTrainRun *run, const DbertSelfAttention *s,
						   const DbertScoreMatch *match)
{
	MatchLoop	loop = {.run = run,.s = s,.match = match};

	return dbert_train_parallel(run, s->n_texts * s->heads, heads_between(s), match_part, &loop);
}
