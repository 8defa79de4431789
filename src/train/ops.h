/*
 * ops.h -- the layers of a network, each with its derivative.
 *
 * A backward function takes dy, the derivative of the loss by the forward's
 * output, and gives the derivatives by its inputs.  It writes gradients of
 * parameters instead of adding to them, since a step reaches each parameter
 * once.  All matrices are row-major without gaps, unless a distance is given.
 *
 * Rows are worked on in parts whose size depends on the shapes alone, so no bit
 * depends on the threads.  Between parts, every few milliseconds, the poll is
 * asked (E_CANCELLED).
 */
#ifndef DBERT_TRAIN_OPS_H
#define DBERT_TRAIN_OPS_H

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "kernel/kernel.h"
#include "kernel/trainkernels.h"
#include "model/config.h"
#include "model/weights.h"
#include "train/random.h"

#include <string.h>

typedef struct DbertTrainRun
{
	const DbertKernels *kernels;
	float	   *packed;			/* DBERT_PRODUCT_SCRATCH floats for products */
	DbertThreads  *pool;			/* or NULL */
	const DbertPoll *poll;
	DbertError *err;
} DbertTrainRun;

extern DbertStatus dbert_train_poll(const DbertTrainRun *run);

/*
 * work(ctx, i, worker) for parts 0 .. n-1.  Each thread does between parts, a
 * few milliseconds' work, from one poll to the next.
 */
extern DbertStatus dbert_train_parallel(const DbertTrainRun *run, int n, int between,
										DbertWork work, void *ctx);

/* How many parts of count make n. */
static inline int
dbert_train_parts(int n, int count)
{
	return (n + count - 1) / count;
}

/*
 * A product is done in blocks of at most so many rows and columns, and so much
 * of its depth.  Blocks are packed first, so the scratch has one size for
 * products of any.
 */
#define DBERT_PRODUCT_LANES 1536
#define DBERT_PRODUCT_DEPTH 768
#define DBERT_PRODUCT_SCRATCH ((size_t) 2 * DBERT_PRODUCT_LANES * DBERT_PRODUCT_DEPTH)

/*
 * c[M,N] = op(a) op(b) + bias[N], and plus c where beta is 1 (else it is 0).
 * bias NULL: none.  op transposes where ta or tb is set: a is [M,K] or [K,M],
 * b is [K,N] or [N,K].
 */
typedef struct DbertProduct
{
	bool		ta,
				tb;
	int			m,
				n,
				k;
	const float *a,
			   *b;
	size_t		lda,
				ldb;
	const float *bias;
	float		beta;
	float	   *c;
	size_t		ldc;
	float	   *sums;			/* [M] the sum of each row of op(a); NULL: not wanted */
} DbertProduct;

extern DbertStatus dbert_product(const DbertTrainRun *run, const DbertProduct *p);

/* y[M,N] = x[M,K] W' + b */
extern DbertStatus dbert_linear_forward(const DbertTrainRun *run, const DbertLinear *w,
										const float *x, int m, float *y);

/*
 * dW = dy' x, db = sum of dy's rows (g NULL: not wanted); dx = dy W + beta dx
 * (dx NULL: not wanted)
 */
extern DbertStatus dbert_linear_backward(const DbertTrainRun *run, const DbertLinear *w,
										 const DbertLinear *g, const float *x, const float *dy,
										 int m, float *dx, float beta);

/*
 * y[M,C] = xhat gamma + beta with xhat = (x - mean) rstd; xhat and rstd[M] are
 * kept for the backward; xhat may be x.
 */
extern DbertStatus dbert_norm_forward(const DbertTrainRun *run, const DbertNorm *w, const float *x,
									  int m, int c, float eps, float *xhat, float *rstd, float *y);

/* dx (may be dy), dgamma and dbeta to g (NULL: not wanted). */
extern DbertStatus dbert_norm_backward(const DbertTrainRun *run, const DbertNorm *w,
									   const DbertNorm *g, const float *xhat, const float *rstd,
									   const float *dy, int m, int c, float *dx);

/* y[M,C] = xhat gamma + beta: the forward's output once more */
extern DbertStatus dbert_norm_output(const DbertTrainRun *run, const DbertNorm *w,
									 const float *xhat, int m, int c, float *y);

/* y[M,N] = x + r; y may be either */
extern DbertStatus dbert_sum_rows(const DbertTrainRun *run, const float *x, const float *r, int m,
								  int n, float *y);

/* y[M,N] = act(a) b, of rows u[M,2N]: a, then b */
extern DbertStatus dbert_gate_forward(const DbertTrainRun *run, int act, const float *u, int m,
									  int n, float *y);

/* u becomes the derivative by it; dy is lost, scratch is [M,N] */
extern DbertStatus dbert_gate_backward(const DbertTrainRun *run, int act, float *u, float *dy,
									   float *scratch, int m, int n);

/* y[M,N] = act(x); y may be x */
extern DbertStatus dbert_act_forward(const DbertTrainRun *run, int act, const float *x, int m,
									 int n, float *y);

/*
 * dx = dy act'(x), x and y being the forward's input and output; dx may be dy
 */
extern DbertStatus dbert_act_backward(const DbertTrainRun *run, int act, const float *x,
									  const float *y, const float *dy, int m, int n, float *dx);

/*
 * y[M,N] = x mask / (1 - p), element by element: its own backward.  An element
 * is counted in the mask by its place in y.  y may be x.
 */
extern DbertStatus dbert_dropout_apply(const DbertTrainRun *run, const DbertDropout *d,
									   const float *x, int m, int n, float *y);

/*
 * y = norm(s), s = x dropped out + r, r[M,C] being a residual.  xhat is that of
 * s; it may be x or r.  d NULL: nothing is dropped.
 */
extern DbertStatus dbert_residual_norm_forward(const DbertTrainRun *run, const DbertNorm *w,
											   const DbertDropout *d, const float *x,
											   const float *r, int m, int c, float eps, float *xhat,
											   float *rstd, float *y);

/*
 * ds, the derivative by s and so by r, and dx, the same where dropout kept the
 * element (NULL: not wanted).  ds may be dy.
 */
extern DbertStatus dbert_residual_norm_backward(const DbertTrainRun *run, const DbertNorm *w,
												const DbertNorm *g, const DbertDropout *d,
												const float *xhat, const float *rstd,
												const float *dy, int m, int c, float *ds,
												float *dx);

/*
 * exp(x) for x <= 0, within 2 ulp; NaN of NaN.  It has no branches, so that
 * compilers make vectors of it: 2^n e^r, n the integer nearest to x / ln 2
 * (Cody and Waite 1980).  The rounded number's last bits are n, which spares a
 * conversion that NaN does not have.
 */
static inline float
dbert_exp_negative(float x)
{
	float		at = x < -87 ? -87 : x,
				shifted = at * 1.44269504f + 12582912.0f,	/* 1.5 * 2^23: rounds */
				n = shifted - 12582912.0f,
				r = at - n * 0.693359375f + n * 2.12194440e-4f,
				p = 1.9875691500e-4f,
				power;
	uint32_t	bits;

	memcpy(&bits, &shifted, sizeof(bits));
	bits = (bits - 0x4b400000u + 127) << 23;	/* 1.5 * 2^23 has these bits */
	p = p * r + 1.3981999507e-3f;
	p = p * r + 8.3334519073e-3f;
	p = p * r + 4.1665795894e-2f;
	p = p * r + 1.6666665459e-1f;
	p = p * r + 5.0000001201e-1f;
	memcpy(&power, &bits, sizeof(power));
	return (p * r * r + r + 1) * power;
}

/* y[M,N] = 0 */
extern DbertStatus dbert_zero_rows(const DbertTrainRun *run, float *y, int m, int n);

/* Multi-head self-attention of texts without padding. */
typedef struct DbertSelfAttention
{
	const int32_t *cu;			/* [B+1] */
	int			n_texts;
	int			hidden;			/* C */
	int			heads;			/* H */
	int			window;			/* a token sees keys no further away; 0: all of its text */
	const int32_t *queries;		/* [R] the tokens of the batch that look, rising; NULL: all N */
	int			n_queries;		/* R */
	const float *q;				/* [R, C], rows ldq apart */
	const float *kv;			/* [N, 2C] keys and values, rows ldkv apart */
	size_t		ldq,
				ldkv;
	DbertDropout dropout;		/* of the probabilities */
	const float *bias;			/* [., H] of scores by distance (model/distances.h), or NULL */
	float	   *dbias;			/* [B, H, DBERT_BIAS_ROWS] its derivatives, of each part apart */
	float	   *scratch;		/* of each thread: dbert_self_attention_scratch */
	size_t		scratch_floats;
} DbertSelfAttention;

/*
 * Floats of one thread's scratch for texts of up to t tokens and heads of d
 * columns: three [T, T], two packed operands, biases by distance.
 */
static inline size_t
dbert_self_attention_scratch(size_t t, size_t d)
{
	return 3 * t * t + 2 * (t + d + 64) * (t > d ? t : d) + 2 * t;
}

/*
 * context[R, C]: of each head softmax(q k' / sqrt(D)) v, probabilities dropped
 * out
 */
extern DbertStatus dbert_self_attention_forward(const DbertTrainRun *run,
												const DbertSelfAttention *s, float *context);

/* dq and dkv, laid out like q and kv, and s->dbias, from dcontext[R, C] */
extern DbertStatus dbert_self_attention_backward(const DbertTrainRun *run,
												 const DbertSelfAttention *s, const float *dcontext,
												 float *dq, float *dkv);

/* Scores q k' / sqrt(D) against a teacher's, of all heads of all tokens. */
typedef struct DbertScoreMatch
{
	const float *queries_keys;	/* [N, 2C'] the teacher's, of as many heads */
	int			hidden;			/* C' */
	double		share;			/* of a squared difference in the loss */
	double	   *sums;			/* [B, H] the loss of each text's heads */
	float	   *dq,				/* to which derivatives are added, or NULL: not wanted */
			   *dkv;
} DbertScoreMatch;

/*
 * s->queries is NULL: all tokens look.  The scratch is for the wider ones of
 * the student's and the teacher's heads.
 */
extern DbertStatus dbert_self_attention_match(const DbertTrainRun *run, const DbertSelfAttention *s,
											  const DbertScoreMatch *match);

/*
 * Where the dropout mask of the probabilities has the one with which token i
 * (of the batch) looks at token j (of its text).
 */
static inline uint64_t
dbert_probability_index(int i, int head, int heads, int j)
{
	return ((uint64_t) i * heads + head) << 20 | (uint64_t) j;
}

#endif
