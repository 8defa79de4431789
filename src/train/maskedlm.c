/*
 * maskedlm.c -- an objective: the tokens that were there before they were masked.
 *
 * Over each masked row stands a distribution over the vocabulary, so the
 * logits are the largest array of the training and most of the head's time.
 * They are never whole: blocks of BLOCK rows have their logits, loss,
 * derivatives and products one after the other, in the loss.  What it leaves to
 * the backward is the derivative by the decoder's input.
 *
 * A block lies with the vocabulary downwards, [V, BLOCK]: the products write
 * and read it as it stands, sums of a softmax run over the rows of many
 * columns at once, and its parts are ranges of columns.  The softmax is not
 * divided by its sum there: that factor is put on the smaller matrices.
 *
 * Source: Devlin et al. 2018 (arXiv:1810.04805), section 3.1, task 1;
 * transformers' BertLMPredictionHead.
 */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

/* Masked rows of a block at most; each block packs the decoder anew for its products. */
#define BLOCK 384

/* Columns of a block that a part takes: four cache lines of each row. */
#define PART_COLUMNS 64

/* Rows of the vocabulary that a part takes. */
#define PART_ROWS 1024

static void
place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows)
{
	size_t		c = t->config.hidden;

	a->z = dbert_layout_floats(l, rows, c);
	a->head_xhat = dbert_layout_floats(l, rows, c);
	a->head_rstd = dbert_layout_floats(l, rows, 1);
	a->d = dbert_layout_floats(l, rows, c);
	a->dd = dbert_layout_floats(l, rows, c);
	a->logits = dbert_layout_floats(l, rows, 1);
	a->block = dbert_layout_floats(l, t->config.vocab, BLOCK);
}

/* d = norm(act(dense(hidden))) */
static DbertStatus
forward(const DbertPass *pass)
{
	DbertTrainer *t = pass->trainer;
	const DbertWeights *w = &t->params.w;
	const DbertActs *a = &t->acts;
	const DbertTrainRun *run = &pass->run;
	int			c = t->config.hidden;

	DBERT_TRY(dbert_linear_forward(run, &w->head_dense, a->hidden, pass->rows, a->z));
	DBERT_TRY(dbert_act_forward(run, w->head_act, a->z, pass->rows, c, a->head_xhat));
	return dbert_norm_forward(run, &w->head_norm, a->head_xhat, pass->rows, c, t->config.norm_eps, a->head_xhat,
							  a->head_rstd, a->d);
}

/* dx from dd; hidden, in whose memory it may lie, is read before */
static DbertStatus
backward(const DbertPass *pass, float *dx)
{
	DbertTrainer *t = pass->trainer;
	const DbertWeights *w = &t->params.w,
			   *g = &t->params.g;
	const DbertActs *a = &t->acts;
	const DbertTrainRun *run = &pass->run;
	int			c = t->config.hidden;

	DBERT_TRY(dbert_norm_backward(run, &w->head_norm, &g->head_norm, a->head_xhat, a->head_rstd, a->dd, pass->rows, c,
								  a->dd));
	DBERT_TRY(dbert_act_forward(run, w->head_act, a->z, pass->rows, c, a->head_xhat));
	DBERT_TRY(dbert_act_backward(run, w->head_act, a->z, a->head_xhat, a->dd, pass->rows, c, a->z));
	return dbert_linear_backward(run, &w->head_dense, &g->head_dense, a->hidden, a->z, pass->rows, dx, 0);
}

/* ---- a block ---- */

typedef struct Block
{
	const DbertTrainer *trainer;
	const DbertTrainRun *run;
	int			first;			/* its first row of R */
	int			m;				/* its rows: columns of x */
	int			vocab;
	const int32_t *classes;		/* [m] */
	float	   *x;				/* [V, m] logits; then exp(logit - greatest), less the sum at the class */
	const float *bias;			/* [V] */
	bool		differentiate;
	double		share;			/* 1 / R */
	double		losses[BLOCK];
	float		scale[BLOCK];	/* share / sum: by this x is the derivative */
	float	   *margins;		/* [m] */
	float	   *dbias;			/* [V] */
	bool		more;			/* gradients of the blocks before are there */
} Block;

/* x += bias; max[n] of the columns from first */
static void
add_bias(const Block *b, int first, int n, float *max)
{
	for (int j = 0; j < n; j++)
		max[j] = -INFINITY;
	for (int v = 0; v < b->vocab; v++)
	{
		float	   *x = b->x + (size_t) v * b->m + first,
					bias = b->bias[v];

		for (int j = 0; j < n; j++)
		{
			x[j] += bias;
			max[j] = x[j] > max[j] ? x[j] : max[j];
		}
	}
}

/* x = exp(x - max), and its sums */
static void
exponentials(const Block *b, int first, int n, const float *max, double *sum)
{
	for (int v = 0; v < b->vocab; v++)
	{
		float	   *x = b->x + (size_t) v * b->m + first;

		for (int j = 0; j < n; j++)
			x[j] = dbert_exp_negative(x[j] - max[j]);
		for (int j = 0; j < n; j++)
			sum[j] += x[j];
	}
}

/*
 * log sum exp(x) - x[class]; the derivative of the mean, scale (exp(x - max) -
 * [class] sum).  A NaN among the logits reaches the sum.
 */
static DbertStatus
columns_part(void *ctx, int part, int worker)
{
	Block	   *b = ctx;
	int			first = part * PART_COLUMNS,
				n = b->m - first < PART_COLUMNS ? b->m - first : PART_COLUMNS;
	float		max[PART_COLUMNS];
	double		sum[PART_COLUMNS] = {0};

	add_bias(b, first, n, max);
	for (int j = 0; j < n; j++)
		b->margins[first + j] = b->x[(size_t) b->classes[first + j] * b->m + first + j] - max[j];
	exponentials(b, first, n, max, sum);
	for (int j = 0; j < n; j++)
	{
		b->losses[first + j] = log(sum[j]) - b->margins[first + j];
		b->scale[first + j] = (float) (b->share / sum[j]);
		b->x[(size_t) b->classes[first + j] * b->m + first + j] -= (float) sum[j];
	}
	return DBERT_OK;
}

/* sum of x[n] scale[n], in 16 sums that make vectors */
static float
scaled_sum(const float *x, const float *scale, int n)
{
	float		sums[16] = {0},
				sum = 0;
	int			i = 0;

	for (; i + 16 <= n; i += 16)
		for (int j = 0; j < 16; j++)
			sums[j] += x[i + j] * scale[i + j];
	for (; i < n; i++)
		sum += x[i] * scale[i];
	for (int j = 0; j < 16; j++)
		sum += sums[j];
	return sum;
}

/* db = sum of the derivatives of each token's logits */
static DbertStatus
bias_part(void *ctx, int part, int worker)
{
	const Block *b = ctx;
	int			first = part * PART_ROWS,
				end = first + PART_ROWS < b->vocab ? first + PART_ROWS : b->vocab;

	for (int v = first; v < end; v++)
		b->dbias[v] = (b->more ? b->dbias[v] : 0) + scaled_sum(b->x + (size_t) v * b->m, b->scale, b->m);
	return DBERT_OK;
}

/* Rows of [m, C] times scale. */
static void
scale_rows(const float *x, const float *scale, int m, int c, float *y)
{
	for (int i = 0; i < m; i++)
		for (int j = 0; j < c; j++)
			y[(size_t) i * c + j] = x[(size_t) i * c + j] * scale[i];
}

/* dW = dlogits d, with the scale in d */
static DbertStatus
decoder_gradient(const Block *b, const float *scaled)
{
	const DbertLinear *g = &b->trainer->params.g.head_out;
	DbertProduct p = {
		.m = b->vocab,.n = g->k,.k = b->m,.a = b->x,.lda = b->m,.b = scaled,.ldb = g->k,
		.beta = b->more ? 1 : 0,.c = (float *) g->w,.ldc = g->k
	};

	DBERT_TRY(dbert_product(b->run, &p));
	return dbert_train_loop(b->run, dbert_train_parts(b->vocab, PART_ROWS), 4, bias_part, (void *) b);
}

/* dd[m, C] = dlogits' W, the scale afterwards */
static DbertStatus
input_gradient(const Block *b, float *dd)
{
	const DbertLinear *w = &b->trainer->params.w.head_out;
	DbertProduct p = {
		.ta = true,.m = b->m,.n = w->k,.k = b->vocab,.a = b->x,.lda = b->m,.b = w->w,.ldb = w->k,.c = dd,.ldc = w->k
	};

	DBERT_TRY(dbert_product(b->run, &p));
	scale_rows(dd, b->scale, b->m, w->k, dd);
	return DBERT_OK;
}

/* Losses and margins of a block's rows, and what the backward needs of them. */
static DbertStatus
run_block(Block *b)
{
	const DbertActs *a = &b->trainer->acts;
	const DbertLinear *w = &b->trainer->params.w.head_out;
	float	   *d = a->d + (size_t) b->first * w->k,
			   *scaled = a->t;
	DbertProduct p = {
		.tb = true,.m = b->vocab,.n = b->m,.k = w->k,.a = w->w,.lda = w->k,.b = d,.ldb = w->k,.c = b->x,.ldc = b->m
	};

	DBERT_TRY(dbert_product(b->run, &p));
	DBERT_TRY(dbert_train_loop(b->run, dbert_train_parts(b->m, PART_COLUMNS), 1, columns_part, b));
	if (!b->differentiate)
		return DBERT_OK;
	scale_rows(d, b->scale, b->m, w->k, scaled);
	DBERT_TRY(decoder_gradient(b, scaled));
	return input_gradient(b, a->dd + (size_t) b->first * w->k);
}

static DbertStatus
loss_of_blocks(const DbertPass *pass, bool differentiate, double *loss, double *weight)
{
	const DbertTrainer *t = pass->trainer;
	Block		b = {
		.trainer = t,.run = &pass->run,.vocab = t->config.vocab,.x = t->acts.block,.bias = t->params.w.head_out.b,
		.differentiate = differentiate,.share = 1.0 / pass->rows,.dbias = (float *) t->params.g.head_out.b
	};
	int			blocks = dbert_train_parts(pass->rows, BLOCK),
				size = dbert_train_parts(pass->rows, blocks);
	double		sum = 0;

	for (b.first = 0; b.first < pass->rows; b.first += size)
	{
		b.m = pass->rows - b.first < size ? pass->rows - b.first : size;
		b.classes = pass->batch->classes + b.first;
		b.margins = t->acts.logits + b.first;
		b.more = b.first > 0;
		DBERT_TRY(run_block(&b));
		for (int i = 0; i < b.m; i++)
			sum += b.losses[i];
	}
	*weight = pass->rows;
	*loss = sum * b.share;
	return dbert_pass_check_loss(pass, *loss);
}

const DbertObjective dbert_masked_lm = {place, forward, loss_of_blocks, backward, NULL, NULL};
