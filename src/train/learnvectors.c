/*
 * learnvectors.c -- an objective: embeddings.  The vector of a text is its
 * pooled last hidden states at length 1, so a product of two is their cosine.
 *
 * Without a teacher, texts 2i and 2i + 1 of a batch are pair i.
 *
 * Without numbers the partner is to be nearer than the partners of all others
 * (InfoNCE; sentence-transformers' MultipleNegativesRankingLoss): the softmax
 * over 20 cos(a_i, b_j), j counting pairs, says i.  A pair that shares a text
 * with pair i is none of its others: equal texts would have to be far apart.
 *
 * With numbers cosines are to follow them: in their order alone (CoSENT:
 * log(1 + sum exp(20 (cos_j - cos_i))) over all pairs of pairs where i has the
 * greater number), or as they are (mean squared error).
 *
 * With a teacher there are no pairs: each text's vector is compared with the
 * teacher's, by the cosine of both.
 *
 * Sources: van den Oord et al. 2018 (arXiv:1807.03748); Henderson et al. 2017
 * (arXiv:1705.00652), section 4.4; Reimers and Gurevych 2019
 * (arXiv:1908.10084); Su 2022 (https://kexue.fm/archives/8847), CoSENT.
 */
#include "train/distill.h"
#include "train/pass.h"
#include "train/statematch.h"
#include "train/trainbase.h"

#include <math.h>

/* The factor of a cosine in an exponent. */
#define SCALE 20

/* Rows of the last hidden states, and of the table of cosines, of a part. */
#define PART_TEXTS 64
#define PART_PAIRS 16

#define MIN_LENGTH 1e-12

/* ---- options, batches ---- */

static DbertStatus
check_options(const DbertConfig *base, const DbertTrainOptions *o, DbertError *err)
{
	if (o->head_only)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "embeddings have no head that could learn alone");
	if (base->n_steps > 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "embeddings of a model with Dense or LayerNorm modules "
						  "cannot be trained");
	if (base->pooling != DBERT_POOL_MEAN && base->pooling != DBERT_POOL_CLS)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "embeddings can be trained with mean and cls pooling only");
	if (o->max_texts < 2 && o->distill == NULL)
		return dbert_fail(err, DBERT_E_INVALID, "embeddings are learnt from pairs of texts");
	return DBERT_OK;
}

/* A base that is no sentence encoder becomes one of vectors of length 1. */
static void
configure(DbertTrainer *t)
{
	if (!t->base->sentence)
		t->config.normalize = 1;
}

static DbertStatus
check_batch(const DbertTrainer *t, const DbertTrainBatch *batch, DbertError *err)
{
	if (t->options.distill == NULL && batch->n_texts % 2 != 0)
		return dbert_fail(err, DBERT_E_INVALID, "a text without a partner");
	return DBERT_OK;
}

static DbertRows
pooled(const DbertTrainer *t, const DbertTrainBatch *batch)
{
	return t->config.pooling == DBERT_POOL_CLS ? dbert_rows_first(t, batch)
											   : dbert_rows_all(t, batch);
}

/* ---- vectors ---- */

/* The rows of hidden that make the vector of a text. */
static int
pooled_rows(const DbertPass *pass, int text, const float **first)
{
	const DbertTrainer *t = pass->trainer;
	const int32_t *cu = pass->batch->cu;
	bool		cls = t->config.pooling == DBERT_POOL_CLS;

	*first = t->acts.hidden + (size_t) (pass->picked != NULL ? text : cu[text]) * t->config.hidden;
	return cls ? 1 : cu[text + 1] - cu[text];
}

/* d = the mean of its rows, at length 1; head_rstd = 1 / the length before */
static void
pool_text(const DbertPass *pass, int text)
{
	const DbertTrainer *t = pass->trainer;
	size_t		c = t->config.hidden;
	const float *x;
	int			n = pooled_rows(pass, text, &x);
	float	   *d = t->acts.d + text * c;
	double		square = 0,
				scale;

	memcpy(d, x, c * sizeof(float));
	for (int i = 1; i < n; i++)
		for (size_t j = 0; j < c; j++)
			d[j] += x[i * c + j];
	for (size_t j = 0; j < c; j++)
		square += (double) d[j] * d[j];
	scale = 1 / fmax(sqrt(square), MIN_LENGTH * n);
	for (size_t j = 0; j < c; j++)
		d[j] = (float) (d[j] * scale);
	t->acts.head_rstd[text] = (float) (scale * n);
}

static DbertStatus
pool_part(void *ctx, int part, int worker)
{
	const DbertPass *pass = ctx;
	int			end = (part + 1) * PART_TEXTS;

	for (int text = part * PART_TEXTS; text < end && text < pass->batch->n_texts; text++)
		pool_text(pass, text);
	return DBERT_OK;
}

static DbertStatus
pool(const DbertPass *pass)
{
	return dbert_train_parallel(&pass->run, dbert_train_parts(pass->batch->n_texts, PART_TEXTS), 1,
								pool_part, (void *) pass);
}

/* Each row's share of (dd - (dd d) d) / length */
static void
spread_text(const DbertPass *pass, int text, float *dx)
{
	const DbertTrainer *t = pass->trainer;
	size_t		c = t->config.hidden;
	const float *x,
			   *d = t->acts.d + text * c,
			   *dd = t->acts.dd + text * c;
	int			n = pooled_rows(pass, text, &x);
	double		along = 0;
	float		scale = t->acts.head_rstd[text] / (float) n;

	dx += x - t->acts.hidden;
	for (size_t j = 0; j < c; j++)
		along += (double) dd[j] * d[j];
	for (size_t j = 0; j < c; j++)
		dx[j] = (dd[j] - (float) along * d[j]) * scale;
	for (int i = 1; i < n; i++)
		memcpy(dx + i * c, dx, c * sizeof(float));
}

typedef struct Spread
{
	const DbertPass *pass;
	float	   *dx;
} Spread;

static DbertStatus
spread_part(void *ctx, int part, int worker)
{
	const Spread *s = ctx;
	int			end = (part + 1) * PART_TEXTS;

	for (int text = part * PART_TEXTS; text < end && text < s->pass->batch->n_texts; text++)
		spread_text(s->pass, text, s->dx);
	return DBERT_OK;
}

/* dx of the rows that were pooled, from the derivative by d in dd */
static DbertStatus
spread(const DbertPass *pass, float *dx)
{
	Spread		s = {pass, dx};

	return dbert_train_parallel(&pass->run, dbert_train_parts(pass->batch->n_texts, PART_TEXTS), 1,
								spread_part, &s);
}

/* ---- pairs ---- */

static void
place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows)
{
	size_t		c = t->config.hidden,
				texts = t->options.max_texts;

	a->d = dbert_layout_floats(l, texts, c);
	a->dd = dbert_layout_floats(l, texts, c);
	a->head_rstd = dbert_layout_floats(l, texts, 1);
	a->logits = dbert_layout_floats(l, texts / 2, 1);
	a->block = dbert_layout_floats(l, texts / 2, texts / 2);
	a->terms = dbert_layout_place(l, texts / 2, 3 * sizeof(double), 1);
}

typedef struct Pairs
{
	const DbertPass *pass;
	int			n;
	bool		differentiate;
	const float *numbers;		/* [n], or NULL */
	float *table; /* [n, n] cosines of first and second texts; then the derivative by them */
	float	   *margins;		/* [n] */
	double	   *terms;			/* [n] the loss */
	double	   *up;				/* [n] of CoSENT: exp(SCALE cos), */
	double	   *down;			/* [n] exp(-SCALE cos) */
} Pairs;

static bool
same_text(const DbertTrainBatch *b, int x, int y)
{
	int			n = b->cu[x + 1] - b->cu[x];

	return n == b->cu[y + 1] - b->cu[y] &&
		   memcmp(b->ids + b->cu[x], b->ids + b->cu[y], n * sizeof(*b->ids)) == 0;
}

static bool
share_a_text(const DbertTrainBatch *b, int i, int j)
{
	return same_text(b, 2 * i, 2 * j) || same_text(b, 2 * i + 1, 2 * j + 1) ||
		   same_text(b, 2 * i, 2 * j + 1) || same_text(b, 2 * i + 1, 2 * j);
}

/*
 * -log softmax(SCALE x)[i] of row i, over the pairs that count; x becomes the
 * derivative of the mean.  margins = x[i] less the greatest x.
 */
static void
rank_row(const Pairs *p, int i)
{
	float	   *x = p->table + (size_t) i * p->n,
				greatest;
	double		sum = 0;

	for (int j = 0; j < p->n; j++)
		if (j != i && share_a_text(p->pass->batch, i, j))
			x[j] = -INFINITY;
	greatest = x[i];
	for (int j = 0; j < p->n; j++)
		greatest = x[j] > greatest ? x[j] : greatest;
	for (int j = 0; j < p->n; j++)
		sum += exp(SCALE * ((double) x[j] - greatest));
	p->margins[i] = x[i] - greatest;
	p->terms[i] = log(sum) - SCALE * ((double) x[i] - greatest);
	for (int j = 0; j < p->n && p->differentiate; j++)
		x[j] = (float) (SCALE * (exp(SCALE * ((double) x[j] - greatest)) / sum - (i == j)) / p->n);
}

static DbertStatus
rank_part(void *ctx, int part, int worker)
{
	const Pairs *p = ctx;

	for (int i = part * PART_PAIRS; i < (part + 1) * PART_PAIRS && i < p->n; i++)
		rank_row(p, i);
	return DBERT_OK;
}

/*
 * first and second texts' vectors, or the derivatives by them, as matrices [n,
 * C] with gaps
 */
static DbertStatus
contrastive(Pairs *p, double *loss)
{
	const DbertTrainer *t = p->pass->trainer;
	const DbertTrainRun *run = &p->pass->run;
	int			c = t->config.hidden;
	float	   *d = t->acts.d,
			   *dd = t->acts.dd;
	DbertProduct cosines = { .tb = true,
							 .m = p->n,
							 .n = p->n,
							 .k = c,
							 .a = d,
							 .lda = 2 * c,
							 .b = d + c,
							 .ldb = 2 * c,
							 .c = p->table,
							 .ldc = p->n };
	DbertProduct first = { .m = p->n,
						   .n = c,
						   .k = p->n,
						   .a = p->table,
						   .lda = p->n,
						   .b = d + c,
						   .ldb = 2 * c,
						   .c = dd,
						   .ldc = 2 * c };
	DbertProduct second = { .ta = true,
							.m = p->n,
							.n = c,
							.k = p->n,
							.a = p->table,
							.lda = p->n,
							.b = d,
							.ldb = 2 * c,
							.c = dd + c,
							.ldc = 2 * c };

	DBERT_TRY(dbert_product(run, &cosines));
	DBERT_TRY(dbert_train_parallel(run, dbert_train_parts(p->n, PART_PAIRS), 1, rank_part, p));
	*loss = 0;
	for (int i = 0; i < p->n; i++)
		*loss += p->terms[i] / p->n;
	if (!p->differentiate)
		return DBERT_OK;
	DBERT_TRY(dbert_product(run, &first));
	return dbert_product(run, &second);
}

/*
 * terms = the derivative of the sum of exponentials by each cosine; the sum
 * itself grows by its share
 */
static double
order_pair(const Pairs *p, int i)
{
	double		nearer = 0,		/* of those with smaller numbers, which should be farther */
				farther = 0;

	for (int j = 0; j < p->n; j++)
	{
		nearer += p->numbers[j] < p->numbers[i] ? p->up[j] : 0;
		farther += p->numbers[j] > p->numbers[i] ? p->down[j] : 0;
	}
	p->terms[i] = SCALE * (p->up[i] * farther - p->down[i] * nearer);
	return p->down[i] * nearer;
}

/* Cosines are from -1 to 1, so no exponential overflows. */
static DbertStatus
cosent(Pairs *p, double *loss)
{
	double		sum = 1;

	for (int i = 0; i < p->n; i++)
	{
		p->up[i] = exp(SCALE * (double) p->margins[i]);
		p->down[i] = exp(-SCALE * (double) p->margins[i]);
	}
	for (int i = 0; i < p->n; i++)
	{
		if (i % PART_TEXTS == 0)
			DBERT_TRY(dbert_train_poll(&p->pass->run));
		sum += order_pair(p, i);
	}
	for (int i = 0; i < p->n; i++)
		p->terms[i] /= sum;
	*loss = log(sum);
	return DBERT_OK;
}

static DbertStatus
squared_error(Pairs *p, double *loss)
{
	*loss = 0;
	for (int i = 0; i < p->n; i++)
	{
		double		x = (double) p->margins[i] - p->numbers[i];

		*loss += x * x / p->n;
		p->terms[i] = 2 * x / p->n;
	}
	return DBERT_OK;
}

/*
 * margins = the pairs' cosines; each vector's derivative is the other one of
 * the pair times that of the cosine
 */
static DbertStatus
similarity(Pairs *p, double *loss)
{
	const DbertTrainer *t = p->pass->trainer;
	size_t		c = t->config.hidden;

	for (int i = 0; i < p->n; i++)
	{
		const float *d = t->acts.d + 2 * i * c;
		double		sum = 0;

		for (size_t j = 0; j < c; j++)
			sum += (double) d[j] * d[c + j];
		p->margins[i] = (float) sum;
	}
	DBERT_TRY(t->options.embedding_loss == DBERT_LOSS_COSINE ? squared_error(p, loss)
															 : cosent(p, loss));
	for (int i = 0; i < p->n && p->differentiate; i++)
	{
		const float *d = t->acts.d + 2 * i * c;
		float	   *dd = t->acts.dd + 2 * i * c;

		for (size_t j = 0; j < c; j++)
		{
			dd[j] = (float) p->terms[i] * d[c + j];
			dd[c + j] = (float) p->terms[i] * d[j];
		}
	}
	return DBERT_OK;
}

static DbertStatus
loss_of_pairs(const DbertPass *pass, bool differentiate, double *loss, double *weight)
{
	const DbertTrainer *t = pass->trainer;
	int			n = pass->batch->n_texts / 2;
	Pairs p = { .pass = pass,
				.n = n,
				.differentiate = differentiate,
				.numbers = pass->batch->targets,
				.table = t->acts.block,
				.margins = t->acts.logits,
				.terms = t->acts.terms,
				.up = t->acts.terms + n,
				.down = t->acts.terms + 2 * n };

	*weight = n;
	DBERT_TRY(p.numbers != NULL ? similarity(&p, loss) : contrastive(&p, loss));
	return dbert_pass_check_loss(pass, *loss);
}

static const DbertSteps alone = {
	.place = place,.forward = pool,.loss = loss_of_pairs,.backward = spread
};

/* ---- from a teacher ---- */

static void
lesson_place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows)
{
	size_t		texts = t->options.max_texts;

	a->d = dbert_layout_floats(l, texts, t->config.hidden);
	a->dd = dbert_layout_floats(l, texts, t->config.hidden);
	a->head_rstd = dbert_layout_floats(l, texts, 1);
	a->logits = dbert_layout_floats(l, texts, 1);
}

static DbertStatus
lesson_forward(const DbertPass *pass, const float *input)
{
	return pool(pass);
}

static double
lesson_weight(const DbertPass *pass)
{
	return pass->batch->n_texts;
}

static double
share_of_text(const DbertPass *pass)
{
	const DbertDistill *d = pass->trainer->options.distill;

	return dbert_distill_share(d, d->soft, pass->batch->n_texts);
}

/* logits[B] = cosines of the vectors with the teacher's */
static DbertStatus
lesson_loss(const DbertPass *pass, bool differentiate, double *loss)
{
	const DbertActs *a = &pass->trainer->acts;
	int			n = pass->batch->n_texts;
	DbertStateShares whole = {.cosine = 1};

	DBERT_TRY(dbert_states_compare(pass, a->d, n, pass->batch->soft, whole, NULL));
	for (int i = 0; i < n; i++)
	{
		a->logits[i] = (float) (1 - a->row_sums[i]);
		*loss += share_of_text(pass) * a->row_sums[i];
	}
	return DBERT_OK;
}

/* dd, the matrix's gradient with it, and what both make of the rows. */
static DbertStatus
lesson_backward(const DbertPass *pass, const float *input, float *dx)
{
	const DbertTrainer *t = pass->trainer;
	const DbertActs *a = &t->acts;
	int			n = pass->batch->n_texts;
	float	   *dy = t->config.n_steps > 0 ? a->dprojected : a->dd;
	DbertStateShares shares = {.cosine = share_of_text(pass)};

	if (dbert_distill_reads_tokens(t->options.distill))	/* not all rows may be pooled */
		memset(dx, 0, (size_t) pass->n * t->config.hidden * sizeof(float));
	DBERT_TRY(dbert_states_compare(pass, a->d, n, pass->batch->soft, shares, dy));
	if (t->config.n_steps > 0)
		DBERT_TRY(dbert_states_project_backward(pass, a->d, dy, n, false, a->dd, 0));
	return spread(pass, dx);
}

static const DbertLesson taught = { .place = lesson_place,
									.forward = lesson_forward,
									.loss = lesson_loss,
									.weight = lesson_weight,
									.backward = lesson_backward,
									.pools = true };

const DbertObjective dbert_learn_vectors = { .name = "embeddings",
											 .check_options = check_options,
											 .configure = configure,
											 .check_batch = check_batch,
											 .rows = pooled,
											 .rows_most = dbert_rows_all_most,
											 .alone = &alone,
											 .taught = &taught };
