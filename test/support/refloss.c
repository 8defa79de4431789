/*
 * refloss.c -- the losses over refnet.c's network, each by its formula.
 */
#include "test/support/refnet.h"

#include "test/support/testhelp.h"

/* The row's loss times its weight; *weight grows by that. */
static double
ref_row_loss(const Ref *r, int row, const double *x, double *weight)
{
	const DbertTrainOptions *o = &r->pass.trainer->options;
	const DbertTrainBatch *b = r->pass.batch;
	double		loss = 0,
				sum = 0,
				w;

	if (o->head != DBERT_HEAD_SEQUENCE || o->problem == DBERT_PROBLEM_SINGLE)
	{
		if (b->classes[row] < 0)
			return 0;
		w = o->class_weights ? o->class_weights[b->classes[row]] : 1;
		for (int j = 0; j < r->pass.trainer->params.w.head_out.n; j++)
			sum += exp(x[j]);
		*weight += w;
		return -w * log(exp(x[b->classes[row]]) / sum);
	}
	for (int j = 0; j < o->n_labels && !isnan(b->targets[row * o->n_labels]); j++)
	{
		double		y = b->targets[row * o->n_labels + j],
					p = 1 / (1 + exp(-x[j]));

		loss += o->problem == DBERT_PROBLEM_REGRESSION ? (x[j] - y) * (x[j] - y)
													   : -y * log(p) - (1 - y) * log(1 - p);
		*weight += 1;
	}
	return loss;
}

/* ---- embeddings ---- */

#define MAX_TEXTS 8

/* The mean of t rows, or the first, at length 1. */
static void
ref_pool(const Ref *r, int t, double x[REF_T][MEM_C], double *u)
{
	double		square = 0;

	if (r->pass.trainer->config.pooling == DBERT_POOL_CLS)
		t = 1;
	for (int j = 0; j < MEM_C; j++)
	{
		u[j] = 0;
		for (int i = 0; i < t; i++)
			u[j] += x[i][j] / t;
		square += u[j] * u[j];
	}
	for (int j = 0; j < MEM_C; j++)
		u[j] /= sqrt(square);
}

static double
ref_cosine(const double *u, const double *v)
{
	double		sum = 0;

	for (int j = 0; j < MEM_C; j++)
		sum += u[j] * v[j];
	return sum;
}

/* Of the test's batch, pairs 0 and 2 share a text. */
static double
ref_contrastive(double u[MAX_TEXTS][MEM_C], int n)
{
	double		loss = 0;

	for (int i = 0; i < n; i++)
	{
		double		sum = 0;

		for (int j = 0; j < n; j++)
			if (i == j || i + j != 2)
				sum += exp(20 * ref_cosine(u[2 * i], u[2 * j + 1]));
		loss += log(sum) - 20 * ref_cosine(u[2 * i], u[2 * i + 1]);
	}
	return loss / n;
}

static double
ref_similarity(const Ref *r, double u[MAX_TEXTS][MEM_C], int n)
{
	const float *y = r->pass.batch->targets;
	double		cosine[MAX_TEXTS],
				squares = 0,
				sum = 1;

	for (int i = 0; i < n; i++)
	{
		cosine[i] = ref_cosine(u[2 * i], u[2 * i + 1]);
		squares += (cosine[i] - y[i]) * (cosine[i] - y[i]) / n;
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			sum += y[i] > y[j] ? exp(20 * (cosine[j] - cosine[i])) : 0;
	return r->pass.trainer->options.embedding_loss == DBERT_LOSS_COSINE ? squares : log(sum);
}

static double
ref_pairs_loss(const Ref *r)
{
	const DbertTrainBatch *b = r->pass.batch;
	double		u[MAX_TEXTS][MEM_C];

	for (int text = 0; text < b->n_texts; text++)
	{
		int			t = b->cu[text + 1] - b->cu[text];
		double		x[REF_T][MEM_C];

		ref_embed(r, b->cu[text], t, x);
		for (int l = 0; l < r->pass.trainer->config.layers; l++)
			ref_layer(r, l, text, t, x);
		ref_pool(r, t, x, u[text]);
	}
	return b->targets != NULL ? ref_similarity(r, u, b->n_texts / 2)
							  : ref_contrastive(u, b->n_texts / 2);
}

/* ---- a teacher's part in it ---- */

static double
ref_softmax(const float *y, int n, int j, double t)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += exp(y[i] / t);
	return exp(y[j] / t) / sum;
}

/*
 * Kullback and Leibler's divergence of one of n classes, or of a yes and its
 * opposite
 */
static double
ref_soft_loss(const DbertTrainOptions *o, const double *x, const float *y)
{
	double		t = o->distill->temperature,
				sum = 0,
				loss = 0;

	for (int j = 0; j < o->n_labels; j++)
		sum += exp(x[j] / t);
	for (int j = 0; j < o->n_labels; j++)
	{
		double		p = exp(x[j] / t) / sum,
					q = ref_softmax(y, o->n_labels, j, t);

		if (o->head == DBERT_HEAD_SEQUENCE && o->problem == DBERT_PROBLEM_REGRESSION)
			loss += (x[j] - y[j]) * (x[j] - y[j]);
		else if (o->head == DBERT_HEAD_SEQUENCE && o->problem == DBERT_PROBLEM_MULTI)
		{
			p = 1 / (1 + exp(-x[j] / t));
			q = 1 / (1 + exp(-y[j] / t));
			loss += t * t * (q * log(q / p) + (1 - q) * log((1 - q) / (1 - p)));
		}
		else
			loss += t * t * q * log(q / p);
	}
	return loss;
}

/* 1 - cosine, and the mean square of the difference, of a token's state */
static void
ref_compare_state(const Ref *r, const double *x, const float *y, double *cosine, double *square)
{
	const DbertTrainer *tr = r->pass.trainer;
	double		wide[64],
				xy = 0,
				xx = 0,
				yy = 0;
	int			c = tr->config.embedding;

	if (tr->config.n_steps > 0)
		ref_linear(r, &tr->params.w.steps[0].dense, x, wide);
	else
		memcpy(wide, x, c * sizeof(double));
	*square = 0;
	for (int j = 0; j < c; j++)
	{
		xy += wide[j] * y[j];
		xx += wide[j] * wide[j];
		yy += (double) y[j] * y[j];
		*square += (wide[j] - y[j]) * (wide[j] - y[j]) / c;
	}
	*cosine = 1 - xy / sqrt(xx * yy);
}

/*
 * The same over the top of teacher row i and all others together, from all
 * logits.
 */
static double
ref_top_loss(const Ref *r, int i, const double *x)
{
	const DbertDistill *d = r->pass.trainer->options.distill;
	const int32_t *ids = r->pass.batch->soft_ids + i * d->top;
	const float *log_q = r->pass.batch->soft + i * (d->top + 1);
	int			n = r->pass.trainer->config.vocab;
	double		t = d->temperature,
				sum = 0,
				rest = 1,
				loss = 0;

	for (int v = 0; v < n; v++)
		sum += exp(x[v] / t);
	for (int k = 0; k < d->top; k++)
	{
		double		p = exp(x[ids[k]] / t) / sum;

		rest -= p;
		loss += t * t * exp(log_q[k]) * (log_q[k] - log(p));
	}
	if (d->top < n)
		loss += t * t * exp(log_q[d->top]) * (log_q[d->top] - log(rest));
	return loss;
}

/* Sums over the rows; what they are divided by */
typedef struct RefParts
{
	double		soft,
				soft_weight,
				hard,
				hard_weight,
				cosine,
				hidden;
} RefParts;

static void
ref_distill_masked(const Ref *r, int first, int t, double x[REF_T][MEM_C], RefParts *sum)
{
	const DbertTrainBatch *b = r->pass.batch;
	double		logits[MEM_V];

	for (int i = 0; i < t; i++)
	{
		int			row = ref_masked(b, first + i);

		if (row < 0)
			continue;
		ref_head(r, row, x[i], logits);
		sum->hard += ref_row_loss(r, row, logits, &sum->hard_weight);
		sum->soft += ref_top_loss(r, row, logits);
		sum->soft_weight++;
	}
}

/* The same of where an answer starts and ends among the t tokens of a text. */
static void
ref_distill_span(const Ref *r, int first, int t, double x[REF_T][MEM_C], RefParts *sum)
{
	double		temperature = r->pass.trainer->options.distill->temperature,
				logits[REF_T][2];

	for (int i = 0; i < t; i++)
		ref_head(r, first + i, x[i], logits[i]);
	for (int column = 0; column < 2; column++)
	{
		float		teacher[REF_T];
		double		total = 0;

		for (int i = 0; i < t; i++)
		{
			teacher[i] = r->pass.batch->soft[(first + i) * 2 + column];
			total += exp(logits[i][column] / temperature);
		}
		for (int i = 0; i < t; i++)
		{
			double		p = exp(logits[i][column] / temperature) / total,
						q = ref_softmax(teacher, t, i, temperature);

			sum->soft += temperature * temperature * q * log(q / p) / 2;
		}
	}
	sum->soft_weight++;
}

/*
 * A head that reads the mean of a text's states finds it in the first's place.
 */
static void
ref_mean(const Ref *r, int t, double x[REF_T][MEM_C])
{
	const DbertConfig *c = &r->pass.trainer->config;

	for (int j = 0; j < MEM_C && c->head == DBERT_HEAD_SEQUENCE && c->head_mean; j++)
	{
		for (int i = 1; i < t; i++)
			x[0][j] += x[i][j];
		x[0][j] /= t;
	}
}

static void
ref_distill_text(const Ref *r, int text, RefParts *sum)
{
	const DbertTrainer *tr = r->pass.trainer;
	const DbertTrainOptions *o = &tr->options;
	const DbertTrainBatch *b = r->pass.batch;
	bool		tokens = o->head == DBERT_HEAD_TOKEN;
	int			first = b->cu[text],
				t = b->cu[text + 1] - first;
	double		x[REF_T][MEM_C],
				logits[8];

	ref_embed(r, first, t, x);
	for (int l = 0; l < tr->config.layers; l++)
	{
		ref_layer(r, l, text, t, x);
		for (int i = 0; i < t && b->states != NULL && b->states[l] != NULL; i++)
		{
			double		cosine,
						square;

			ref_compare_state(r, x[i], b->states[l] + (first + i) * tr->config.embedding, &cosine,
							  &square);
			sum->cosine += l == tr->config.layers - 1 ? cosine / r->pass.n : 0;
			sum->hidden += square / r->pass.n / tr->config.layers;
		}
	}
	if (o->head == DBERT_HEAD_MASK)
	{
		ref_distill_masked(r, first, t, x, sum);
		return;
	}
	if (o->head == DBERT_HEAD_SPAN)
	{
		ref_distill_span(r, first, t, x, sum);
		return;
	}
	if (o->head == DBERT_HEAD_NONE)
	{
		double		vector[MEM_C],
					cosine,
					square;

		ref_pool(r, t, x, vector);
		ref_compare_state(r, vector, b->soft + text * tr->config.embedding, &cosine, &square);
		sum->soft += cosine;
		sum->soft_weight++;
		return;
	}
	ref_mean(r, t, x);
	for (int i = 0; i < (tokens ? t : 1); i++)
	{
		int			row = tokens ? first + i : text;

		ref_head(r, row, x[i], logits);
		if (o->distill->hard > 0)
			sum->hard += ref_row_loss(r, row, logits, &sum->hard_weight);
		if (tokens && (i == 0 || i == t - 1))
			continue;
		sum->soft += ref_soft_loss(o, logits, b->soft + row * o->n_labels);
		sum->soft_weight += tokens || o->problem == DBERT_PROBLEM_SINGLE ? 1 : o->n_labels;
	}
}

static double
ref_distill_loss(const Ref *ref)
{
	const DbertDistill *d = ref->pass.trainer->options.distill;
	const DbertConfig *config = &ref->pass.trainer->config;
	RefParts	sum = {0};
	double		squares = 0,
				scores = 0,
				attention;
	Ref			with = *ref,
			   *r = &with;

	r->scores = d->attention > 0 ? &squares : NULL;
	for (int text = 0; text < r->pass.batch->n_texts; text++)
	{
		ref_distill_text(r, text, &sum);
		scores += pow(r->pass.batch->cu[text + 1] - r->pass.batch->cu[text], 2) * config->heads *
				  config->layers;
	}
	attention = d->attention * squares / scores;
	return (attention + d->soft * sum.soft / sum.soft_weight +
			(d->hard > 0 ? d->hard * sum.hard / sum.hard_weight : 0) + d->cosine * sum.cosine +
			d->hidden * sum.hidden) /
		   (d->soft + d->hard + d->cosine + d->hidden + d->attention);
}

double
ref_loss(const Ref *r)
{
	const DbertTrainer *tr = r->pass.trainer;
	const DbertTrainBatch *b = r->pass.batch;
	double		loss = 0,
				weight = 0,
				logits[MEM_V];

	if (tr->options.distill != NULL)
		return ref_distill_loss(r);
	if (tr->options.head == DBERT_HEAD_NONE)
		return ref_pairs_loss(r);
	for (int text = 0; text < b->n_texts; text++)
	{
		int			first = b->cu[text],
					t = b->cu[text + 1] - first;
		double		x[REF_T][MEM_C];

		ref_embed(r, first, t, x);
		for (int l = 0; l < tr->config.layers; l++)
			ref_layer(r, l, text, t, x);
		ref_mean(r, t, x);
		for (int i = 0; i < (tr->options.head == DBERT_HEAD_SEQUENCE ? 1 : t); i++)
		{
			int			row = tr->options.head == DBERT_HEAD_SEQUENCE
				? text
				: ref_row(r, tr->config.layers - 1, text, i);

			if (tr->options.head == DBERT_HEAD_MASK && ref_masked(b, first + i) < 0)
				continue;
			ref_head(r, row, x[i], logits);
			loss += ref_row_loss(r, row, logits, &weight);
		}
	}
	return loss / weight;
}
