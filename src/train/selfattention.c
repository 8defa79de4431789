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
#define EXP_WORK 16

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
	float	   *left,			/* packed operands */
			   *right;
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
	h.left = h.dp + (size_t) h.t * h.t;
	h.right = h.left + (size_t) (h.t + h.d + 64) * (h.t > h.d ? h.t : h.d);
	return h;
}

static float
scale(const Head *h)
{
	return 1 / sqrtf((float) h->d);
}

/* An operand of a product: a[i, p] is x[i ld + p] or, transposed, x[p ld + i]. */
typedef struct Operand
{
	const float *x;
	size_t		ld;
	bool		transposed;
} Operand;

/* c[M, N] = a[M, K] b'[N, K] */
static void
head_product(const DbertTrainRun *run, const Head *h, Operand a, Operand b, int m, int n, int k, float *c,
			 size_t ldc)
{
	const DbertTrainKernels *kernels = run->kernels->train;

	kernels->pack_left(h->left, a.x, a.ld, a.transposed, m, k);
	kernels->pack_right(h->right, b.x, b.ld, b.transposed, n, k);
	kernels->multiply(c, ldc, h->left, h->right, NULL, false, m, n, k);
}

/* The mask of row i, or NULL. */
static const DbertDropRow *
drop_of_row(const DbertSelfAttention *s, const Head *h, int i, DbertDropRow *row)
{
	if (s->dropout.threshold == 0)
		return NULL;
	*row = dbert_dropout_row(&s->dropout, dbert_probability_index(h->first + i, h->number, s->heads, 0));
	return row;
}

/* h->p = softmax(q k' / sqrt(D)), h->dropped = what dropout leaves of it */
static void
probabilities(const DbertTrainRun *run, const DbertSelfAttention *s, const Head *h)
{
	Operand		q = {h->q, h->ld, false},
				k = {h->k, h->ld, false};

	head_product(run, h, q, k, h->t, h->t, h->d, h->p, h->t);
	for (int i = 0; i < h->t; i++)
	{
		size_t		at = (size_t) i * h->t;
		DbertDropRow drop;

		run->kernels->train->softmax(h->p + at, h->dropped + at, h->t, scale(h), drop_of_row(s, h, i, &drop));
	}
}

/* What multiplies the values. */
static Operand
left_over(const DbertSelfAttention *s, const Head *h, bool transposed)
{
	Operand		a = {s->dropout.threshold == 0 ? h->p : h->dropped, h->t, transposed};

	return a;
}

static DbertStatus
forward_part(void *ctx, int part, int worker)
{
	const HeadLoop *loop = ctx;
	const DbertSelfAttention *s = loop->s;
	Head		h = head_of_part(s, part, worker);
	float	   *out = loop->context + (size_t) h.first * s->hidden + (size_t) h.number * h.d;
	Operand		v = {h.v, h.ld, true};

	probabilities(loop->run, s, &h);
	head_product(loop->run, &h, left_over(s, &h, false), v, h.t, h.d, h.t, out, s->hidden);
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

/* h->dp holds the derivative by dropped, then that by q k' */
static void
softmax_backward(const DbertTrainRun *run, const DbertSelfAttention *s, const Head *h)
{
	for (int i = 0; i < h->t; i++)
	{
		size_t		at = (size_t) i * h->t;
		DbertDropRow drop;

		run->kernels->train->softmax_backward(h->dp + at, h->p + at, h->t, scale(h), drop_of_row(s, h, i, &drop));
	}
}

/*
 * of p = softmax(q k' / sqrt(D)), out = dropped v: dv = dropped' dout,
 * ddropped = dout v', and with dx, the derivative by q k', dq = dx k, dk = dx' q
 */
static DbertStatus
backward_part(void *ctx, int part, int worker)
{
	const HeadLoop *loop = ctx;
	const DbertTrainRun *run = loop->run;
	const DbertSelfAttention *s = loop->s;
	Head		h = head_of_part(s, part, worker);
	const float *dout = loop->dcontext + (size_t) h.first * s->hidden + (size_t) h.number * h.d;
	float	   *dq = loop->dqkv + (h.q - s->qkv),
			   *dk = dq + s->hidden,
			   *dv = dk + s->hidden;
	Operand		out_rows = {dout, s->hidden, false},
				out_columns = {dout, s->hidden, true},
				v = {h.v, h.ld, false},
				k = {h.k, h.ld, true},
				q = {h.q, h.ld, true},
				dx = {h.dp, h.t, false},
				dx_transposed = {h.dp, h.t, true};

	probabilities(run, s, &h);
	head_product(run, &h, left_over(s, &h, true), out_columns, h.t, h.d, h.t, dv, h.ld);
	head_product(run, &h, out_rows, v, h.t, h.t, h.d, h.dp, h.t);
	softmax_backward(run, s, &h);
	head_product(run, &h, dx, k, h.t, h.d, h.t, dq, h.ld);
	head_product(run, &h, dx_transposed, q, h.t, h.d, h.t, dk, h.ld);
	return DBERT_OK;
}

DbertStatus
dbert_self_attention_backward(const DbertTrainRun *run, const DbertSelfAttention *s,
							  const float *dcontext, float *dqkv)
{
	HeadLoop	loop = {.run = run,.s = s,.dcontext = dcontext,.dqkv = dqkv};

	return dbert_train_loop(run, s->n_texts * s->heads, heads_between(s), backward_part, &loop);
}
