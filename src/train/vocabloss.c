/*
 * vocabloss.c -- the decoder of masked tokens and its loss, in blocks of rows.
 *
 * Each masked row has a distribution over the whole vocabulary, so the logits
 * would be the largest array of the training, and they take most of the head's
 * time.  They are never whole: blocks of DBERT_VOCAB_BLOCK rows have their
 * logits, loss, derivatives and products one after the other, in the loss.
 *
 * A block lies with the vocabulary downwards, [V, BLOCK]: the products write
 * and read it as it stands, sums of a softmax run over the rows of many
 * columns at once, and its parts are ranges of columns.  The softmax is not
 * divided by its sum there: that factor is put on the smaller matrices.
 *
 * A teacher's answer for a row is log q of some tokens, the top, and of all
 * others together, the rest.  With p the softmax of the logits at the
 * temperature T, and p_r its sum over the rest:
 *
 * soft = T^2 (sum over the top q (log q - log p) + q_r (log q_r - log p_r)),
 * its derivative T (p - q) in the top, T p (1 - q_r / p_r) in the rest.
 *
 * p_r is summed without the top, which is taken out of the block for that: as
 * a difference it would be nothing but rounding where it is small.
 */
#include "train/vocabloss.h"

#include <math.h>

/* Columns of a block that a part takes: four cache lines of each row. */
#define PART_COLUMNS 64

/* Rows of the vocabulary that a part takes. */
#define PART_ROWS 1024

/* ---- a block ---- */

typedef struct Block
{
	const DbertTrainer *trainer;
	const DbertTrainRun *run;
	int			first;			/* its first row of R */
	int			m;				/* its rows: columns of x */
	int			vocab;
	const int32_t *classes;		/* [m] */
	float *x; /* [V, m] logits; then exp(logit - greatest), less the sum at the class */
	const float *bias;			/* [V] */
	bool		differentiate;
	double		hard;			/* shares of a row's losses in the whole */
	double		soft;
	const float *answers;		/* [m, top + 1] of the teacher, if soft > 0 */
	const int32_t *answer_ids;	/* [m, top] */
	int			top;
	double		temperature;
	double		losses[DBERT_VOCAB_BLOCK];
	float		scale[DBERT_VOCAB_BLOCK];	/* by this x is the derivative */
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
 * The loss of columns, log sum exp(x) - x[class], and x = exp(x - max) -
 * [class] sum: scale times that is the derivative of the mean.  A NaN among the
 * logits reaches the sum, and so the loss.
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
		b->losses[first + j] = b->hard * (log(sum[j]) - b->margins[first + j]);
		b->scale[first + j] = (float) (b->hard / sum[j]);
		b->x[(size_t) b->classes[first + j] * b->m + first + j] -= (float) sum[j];
	}
	return DBERT_OK;
}

/* ---- a block with a teacher ---- */

/* As PART_COLUMNS, fewer: each element has four exponentials instead of one. */
#define SOFT_COLUMNS 16

/* Columns of a block, n of them from first. */
typedef struct Columns
{
	Block	   *block;
	int			first;
	int			n;
	float		max[SOFT_COLUMNS];
	float		top[SOFT_COLUMNS][DBERT_DISTILL_TOP];	/* their logits less max */
	double		sum[SOFT_COLUMNS];	/* of exp(logit - max), */
	double		soft_sum[SOFT_COLUMNS]; /* exp((logit - max) / T) */
	double		rest[SOFT_COLUMNS]; /* and the same without the top */
	float		rest_share[SOFT_COLUMNS];	/* of the latter's exponentials in the derivative */
} Columns;

/* A logit that counts for nothing. */
#define TAKEN_OUT -1e30f

static float *
logit_of(const Columns *c, int j, int32_t id)
{
	return c->block->x + (size_t) id * c->block->m + c->first + j;
}

static void
take_out_top(Columns *c, int j)
{
	const Block *b = c->block;
	const int32_t *ids = b->answer_ids + (size_t) (c->first + j) * b->top;

	for (int k = 0; k < b->top; k++)
	{
		float	   *x = logit_of(c, j, ids[k]);

		c->top[j][k] = *x - c->max[j];
		*x = TAKEN_OUT;
	}
}

/* Sums over the rest at both temperatures, and with the top, in double. */
static void
sum_columns(Columns *c)
{
	const Block *b = c->block;
	float		cold = (float) (1 / b->temperature);

	for (int v = 0; v < b->vocab; v++)
	{
		const float *x = b->x + (size_t) v * b->m + c->first;

		for (int j = 0; j < c->n; j++)
			c->sum[j] += dbert_exp_negative(x[j] - c->max[j]);
		for (int j = 0; j < c->n; j++)
			c->rest[j] += dbert_exp_negative((x[j] - c->max[j]) * cold);
	}
	for (int j = 0; j < c->n; j++)
	{
		c->soft_sum[j] = c->rest[j];
		for (int k = 0; k < b->top; k++)
		{
			c->sum[j] += exp(c->top[j][k]);
			c->soft_sum[j] += exp(c->top[j][k] / b->temperature);
		}
	}
}

/* Of column j.  A rest too small for a float counts as the smallest one. */
static double
soft_loss(Columns *c, int j)
{
	const Block *b = c->block;
	const float *log_q = b->answers + (size_t) (c->first + j) * (b->top + 1);
	double		log_sum = log(c->soft_sum[j]),
				rest = fmax(c->rest[j] / c->soft_sum[j], 1e-37),
				q_rest = exp(log_q[b->top]),
				loss = q_rest > 0 ? q_rest * (log_q[b->top] - log(rest)) : 0;

	for (int k = 0; k < b->top; k++)
		loss += exp(log_q[k]) * (log_q[k] - (c->top[j][k] / b->temperature - log_sum));
	c->rest_share[j] = (float) (b->soft * b->temperature * (1 - q_rest / rest) / c->soft_sum[j]);
	return b->temperature * b->temperature * loss;
}

/* The logits of the rest become the derivative. */
static void
rest_derivative(const Columns *c)
{
	const Block *b = c->block;
	float		cold = (float) (1 / b->temperature),
				share[SOFT_COLUMNS];

	for (int j = 0; j < c->n; j++)
		share[j] = (float) (b->hard / c->sum[j]);
	for (int v = 0; v < b->vocab; v++)
	{
		float	   *x = b->x + (size_t) v * b->m + c->first;

		for (int j = 0; j < c->n; j++)
			x[j] = share[j] * dbert_exp_negative(x[j] - c->max[j]) +
				c->rest_share[j] * dbert_exp_negative((x[j] - c->max[j]) * cold);
	}
}

/* And those of the top of column j. */
static void
top_derivative(const Columns *c, int j)
{
	const Block *b = c->block;
	const int32_t *ids = b->answer_ids + (size_t) (c->first + j) * b->top;
	const float *log_q = b->answers + (size_t) (c->first + j) * (b->top + 1);

	for (int k = 0; k < b->top; k++)
		*logit_of(c, j, ids[k]) =
			(float) (b->hard * exp(c->top[j][k]) / c->sum[j] +
					 b->soft * b->temperature *
						 (exp(c->top[j][k] / b->temperature) / c->soft_sum[j] - exp(log_q[k])));
}

/*
 * As columns_part, with the soft loss; x becomes the derivative itself, its
 * scale is 1.
 */
static DbertStatus
soft_columns_part(void *ctx, int part, int worker)
{
	Block	   *b = ctx;
	Columns		c = {.block = b,.first = part * SOFT_COLUMNS};

	c.n = b->m - c.first < SOFT_COLUMNS ? b->m - c.first : SOFT_COLUMNS;
	add_bias(b, c.first, c.n, c.max);
	for (int j = 0; j < c.n; j++)
	{
		b->margins[c.first + j] = *logit_of(&c, j, b->classes[c.first + j]) - c.max[j];
		take_out_top(&c, j);
	}
	sum_columns(&c);
	for (int j = 0; j < c.n; j++)
	{
		b->losses[c.first + j] =
			b->soft * soft_loss(&c, j) + b->hard * (log(c.sum[j]) - b->margins[c.first + j]);
		b->scale[c.first + j] = 1;
	}
	if (!b->differentiate)
		return DBERT_OK;
	rest_derivative(&c);
	for (int j = 0; j < c.n; j++)
	{
		top_derivative(&c, j);
		*logit_of(&c, j, b->classes[c.first + j]) -= (float) b->hard;
	}
	return DBERT_OK;
}

/* ---- all blocks ---- */

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
		b->dbias[v] =
			(b->more ? b->dbias[v] : 0) + scaled_sum(b->x + (size_t) v * b->m, b->scale, b->m);
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
	return dbert_train_parallel(b->run, dbert_train_parts(b->vocab, PART_ROWS), 4, bias_part,
								(void *) b);
}

/* dd[m, C] = dlogits' W, the scale afterwards */
static DbertStatus
input_gradient(const Block *b, float *dd)
{
	const DbertLinear *w = &b->trainer->params.w.head_out;
	DbertProduct p = { .ta = true,
					   .m = b->m,
					   .n = w->k,
					   .k = b->vocab,
					   .a = b->x,
					   .lda = b->m,
					   .b = w->w,
					   .ldb = w->k,
					   .c = dd,
					   .ldc = w->k };

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
	DbertProduct p = { .tb = true,
					   .m = b->vocab,
					   .n = b->m,
					   .k = w->k,
					   .a = w->w,
					   .lda = w->k,
					   .b = d,
					   .ldb = w->k,
					   .c = b->x,
					   .ldc = b->m };

	DBERT_TRY(dbert_product(b->run, &p));
	DBERT_TRY(b->soft > 0 ? dbert_train_parallel(b->run, dbert_train_parts(b->m, SOFT_COLUMNS), 1,
												 soft_columns_part, b)
						  : dbert_train_parallel(b->run, dbert_train_parts(b->m, PART_COLUMNS), 1,
												 columns_part, b));
	if (!b->differentiate)
		return DBERT_OK;
	scale_rows(d, b->scale, b->m, w->k, scaled);
	DBERT_TRY(decoder_gradient(b, scaled));
	return input_gradient(b, a->dd + (size_t) b->first * w->k);
}

/* What block b has of the batch, its m rows from first. */
static void
begin_block(Block *b, const DbertPass *pass)
{
	const DbertTrainBatch *batch = pass->batch;

	b->classes = batch->classes + b->first;
	b->margins = pass->trainer->acts.logits + b->first;
	b->more = b->first > 0;
	if (b->soft <= 0)
		return;
	b->answers = batch->soft + (size_t) b->first * (b->top + 1);
	b->answer_ids = batch->soft_ids + (size_t) b->first * b->top;
}

DbertStatus
dbert_vocab_loss(const DbertPass *pass, double soft, double hard, bool differentiate, double *loss)
{
	const DbertTrainer *t = pass->trainer;
	const DbertDistill *d = t->options.distill;
	Block b = { .trainer = t,
				.run = &pass->run,
				.vocab = t->config.vocab,
				.x = t->acts.block,
				.bias = t->params.w.head_out.b,
				.differentiate = differentiate,
				.hard = hard,
				.soft = soft,
				.dbias = (float *) t->params.g.head_out.b,
				.top = d != NULL ? d->top : 0,
				.temperature = d != NULL ? d->temperature : 1 };
	int			rows = pass->batch->n_masked,
				blocks = dbert_train_parts(rows, DBERT_VOCAB_BLOCK),
				size = dbert_train_parts(rows, blocks);

	for (b.first = 0; b.first < rows; b.first += size)
	{
		b.m = rows - b.first < size ? rows - b.first : size;
		begin_block(&b, pass);
		DBERT_TRY(run_block(&b));
		for (int i = 0; i < b.m; i++)
			*loss += b.losses[i];
	}
	return DBERT_OK;
}
