/*
 * selfattention.c -- multi-head self-attention over texts without padding,
 * forward and backward.
 *
 * A part is one head of one text, and every part has its own rows and columns.
 * The probabilities are not stored: the backward computes them again, which
 * costs one product of three and saves T x T floats for every head.
 *
 * Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
 */
#include "train/ops.h"

#include <math.h>

/* Multiply-adds between two polls, and how many of them an element of a softmax and its dropout is worth. */
#define HEADS_WORK ((size_t) 20 * 1000 * 1000)
#define EXP_WORK 64

typedef struct HeadLoop
{
	const DbertTrainRun *run;
	const DbertSelfAttention *s;
	float	   *context;
	const float *dcontext;
	float	   *dqkv;
} HeadLoop;

/* One head of one text. */
typedef struct Head
{
	int			first;			/* its first row */
	int			t;
	int			number;
	int			d;
	size_t		ld;				/* 3C */
	const float *q,
			   *k,
			   *v;
	float	   *p;				/* [T, T] each: probabilities, */
	float	   *dropped;		/* those that are left, */
	float	   *dp;				/* derivatives */
} Head;

static Head
head_of_part(const DbertSelfAttention *s, int part, int worker)
{
	int			text = part / s->heads;
	Head		h = {
		.first = s->cu[text],.t = s->cu[text + 1] - s->cu[text],.number = part % s->heads,
		.d = s->hidden / s->heads,.ld = 3 * (size_t) s->hidden
	};

	h.q = s->qkv + h.first * h.ld + (size_t) h.number * h.d;
	h.k = h.q + s->hidden;
	h.v = h.k + s->hidden;
	h.p = s->scratch + worker * s->scratch_floats;
	h.dropped = h.p + (size_t) h.t * h.t;
	h.dp = h.dropped + (size_t) h.t * h.t;
	return h;
}

static float
scale(const Head *h)
{
	return 1 / sqrtf((float) h->d);
}

/* y[T] = x dropped out, of the row of probabilities of token i of the text; y may be x */
static void
drop_row(const DbertSelfAttention *s, const Head *h, int i, const float *x, float *y)
{
	if (s->dropout.threshold != 0)
		dbert_dropout_run(&s->dropout, dbert_probability_index(h->first + i, h->number, s->heads, 0), x, h->t, y);
	else if (y != x)
		memcpy(y, x, h->t * sizeof(float));
}

/* h->p = softmax(q k' / sqrt(D)), h->dropped = what dropout leaves of it */
static void
probabilities(const DbertTrainRun *run, const DbertSelfAttention *s, const Head *h)
{
	run->sgemm(false, true, h->t, h->t, h->d, scale(h), h->q, h->ld, h->k, h->ld, 0, h->p, h->t);
	run->kernels->train->softmax_rows(h->p, h->t, h->t);
	for (int i = 0; i < h->t; i++)
		drop_row(s, h, i, h->p + (size_t) i * h->t, h->dropped + (size_t) i * h->t);
}

static DbertStatus
forward_part(void *ctx, int part, int worker)
{
	const HeadLoop *loop = ctx;
	const DbertSelfAttention *s = loop->s;
	Head		h = head_of_part(s, part, worker);
	float	   *out = loop->context + (size_t) h.first * s->hidden + (size_t) h.number * h.d;

	probabilities(loop->run, s, &h);
	loop->run->sgemm(false, false, h.t, h.d, h.t, 1, h.dropped, h.t, h.v, h.ld, 0, out, s->hidden);
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

	return dbert_train_loop(run, s->n_texts * s->heads, heads_between(s), forward_part, &loop);
}

/*
 * of p = softmax(x), dropped = p mask: with dp = ddropped mask,
 * dx = p (dp - sum(dp p)), row by row; h->dp holds ddropped, then dx
 */
static void
softmax_backward(const DbertTrainRun *run, const DbertSelfAttention *s, const Head *h)
{
	for (int i = 0; i < h->t; i++)
		drop_row(s, h, i, h->dp + (size_t) i * h->t, h->dp + (size_t) i * h->t);
	run->kernels->train->softmax_backward_rows(h->dp, h->p, h->t, h->t);
}

/*
 * of x = q k' / sqrt(D), out = dropped v:
 * dv = dropped' dout, ddropped = dout v', dq = dx k / sqrt(D), dk = dx' q / sqrt(D)
 */
static DbertStatus
backward_part(void *ctx, int part, int worker)
{
	const HeadLoop *loop = ctx;
	const DbertSelfAttention *s = loop->s;
	DbertSgemm	sgemm = loop->run->sgemm;
	Head		h = head_of_part(s, part, worker);
	const float *dout = loop->dcontext + (size_t) h.first * s->hidden + (size_t) h.number * h.d;
	float	   *dq = loop->dqkv + (h.q - s->qkv),
			   *dk = dq + s->hidden,
			   *dv = dk + s->hidden;

	probabilities(loop->run, s, &h);
	sgemm(true, false, h.t, h.d, h.t, 1, h.dropped, h.t, dout, s->hidden, 0, dv, h.ld);
	sgemm(false, true, h.t, h.t, h.d, 1, dout, s->hidden, h.v, h.ld, 0, h.dp, h.t);
	softmax_backward(loop->run, s, &h);
	sgemm(false, false, h.t, h.d, h.t, scale(&h), h.dp, h.t, h.k, h.ld, 0, dq, h.ld);
	sgemm(true, false, h.t, h.d, h.t, scale(&h), h.dp, h.t, h.q, h.ld, 0, dk, h.ld);
	return DBERT_OK;
}

DbertStatus
dbert_self_attention_backward(const DbertTrainRun *run, const DbertSelfAttention *s,
							  const float *dcontext, float *dqkv)
{
	HeadLoop	loop = {.run = run,.s = s,.dcontext = dcontext,.dqkv = dqkv};

	return dbert_train_loop(run, s->n_texts * s->heads, heads_between(s), backward_part, &loop);
}
