/*
 * test_train.c -- training: every gradient against finite differences of a
 * definition in float64, the optimizer against its formulas, the result's files
 * against what was trained.
 *
 * The definition below is the network written once more, text by text, in plain
 * loops; it shares with src/train only where a dropout mask's element stands
 * (random.h, ops.h).  A central difference with a step of 1e-5 is off by
 * about 1e-9 in float64, so what remains is the gradient's own rounding.
 */
#include "test/packhelp.h"
#include "base/bytes.h"
#include "dbert.h"
#include "train/trainbase.h"
#include "train/trainer.h"

/* ---- the definition ---- */

#define MAX_T 8

typedef struct Ref
{
	DbertPass	pass;
	double	   *v;				/* the parameters, laid out like params.values */
	double *scores; /* grows by the squared differences of a teacher's scores; or NULL */
} Ref;

static const double *
value_of(const Ref *r, const float *w)
{
	return r->v + (w - r->pass.trainer->params.values);
}

static double
kept(const Ref *r, DbertDropSite site, int layer, uint64_t i)
{
	DbertDropout d = dbert_pass_dropout(&r->pass, site, layer);

	return dbert_dropout_factor(&d, i) == 0
			   ? 0
			   : 1 / (1 - (double) (r->pass.training ? r->pass.trainer->options.dropout : 0));
}

static void
ref_linear(const Ref *r, const DbertLinear *w, const double *x, double *y)
{
	const double *a = value_of(r, w->w),
			   *b = w->b != NULL ? value_of(r, w->b) : NULL;

	for (int i = 0; i < w->n; i++)
	{
		y[i] = w->b != NULL ? b[i] : 0;
		for (int j = 0; j < w->k; j++)
			y[i] += a[i * w->k + j] * x[j];
	}
}

static void
ref_norm(const Ref *r, const DbertNorm *w, double *x)
{
	const double *gamma = value_of(r, w->gamma),
			   *beta = value_of(r, w->beta);
	double		mean = 0,
				square = 0;
	int			c = MEM_C;

	for (int j = 0; j < c; j++)
		mean += x[j] / c;
	for (int j = 0; j < c; j++)
		square += (x[j] - mean) * (x[j] - mean) / c;
	for (int j = 0; j < c; j++)
		x[j] = (x[j] - mean) / sqrt(square + r->pass.trainer->config.norm_eps) * gamma[j] + beta[j];
}

static double
ref_act(int act, double x)
{
	switch (act)
	{
		case DBERT_ACT_GELU:
			return 0.5 * x * (1 + erf(x / sqrt(2)));
		case DBERT_ACT_GELU_TANH:
			return 0.5 * x *
				   (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
		case DBERT_ACT_RELU:
			return x > 0 ? x : 0;
		case DBERT_ACT_TANH:
			return tanh(x);
	}
	return x;
}

/* softmax over j of q_i k_j / sqrt(D), dropped out, times v */
static void
ref_attention(const Ref *r, int layer, int first, int t, double qkv[MAX_T][3 * MEM_C],
			  double ctx[MAX_T][MEM_C])
{
	int			heads = r->pass.trainer->config.heads,
				d = MEM_C / heads;

	for (int h = 0; h < heads; h++)
		for (int i = 0; i < t; i++)
		{
			double		p[MAX_T],
						sum = 0;

			for (int j = 0; j < t; j++)
			{
				double		dot = 0;

				for (int e = 0; e < d; e++)
					dot += qkv[i][h * d + e] * qkv[j][MEM_C + h * d + e];
				sum += p[j] = exp(dot / sqrt(d));
			}
			for (int e = 0; e < d; e++)
			{
				ctx[i][h * d + e] = 0;
				for (int j = 0; j < t; j++)
					ctx[i][h * d + e] += p[j] / sum * qkv[j][2 * MEM_C + h * d + e] *
										 kept(r, DBERT_DROP_PROBABILITIES, layer,
											  dbert_probability_index(first + i, h, heads, j));
			}
		}
}

/* Which of the masked tokens it is, or -1. */
static int
ref_masked(const DbertTrainBatch *b, int token)
{
	for (int i = 0; i < b->n_masked; i++)
		if (b->masked[i] == token)
			return i;
	return -1;
}

/*
 * Rows behind the last layer's attention are counted as the head counts them;
 * those that it does not read have no dropout to compare.
 */
static int
ref_row(const Ref *r, int layer, int text, int i)
{
	const DbertTrainer *tr = r->pass.trainer;
	int			token = r->pass.batch->cu[text] + i;

	if (layer < tr->config.layers - 1 || r->pass.picked == NULL)
		return token;
	if (tr->options.head == DBERT_HEAD_NONE)
		return text;
	if (tr->options.head == DBERT_HEAD_SEQUENCE)
		return text;
	return ref_masked(r->pass.batch, token) < 0 ? 0 : ref_masked(r->pass.batch, token);
}

/* Scores of all heads against the teacher's. */
static void
ref_match_scores(const Ref *r, int layer, int first, int t, double qkv[MAX_T][3 * MEM_C])
{
	int			heads = r->pass.trainer->config.heads,
				wide = r->pass.trainer->options.distill->teacher_hidden,
				d = MEM_C / heads,
				e = wide / heads;

	for (int h = 0; h < heads; h++)
		for (int i = 0; i < t; i++)
			for (int j = 0; j < t; j++)
			{
				const float *q =
								r->pass.batch->queries_keys[layer] + (first + i) * 2 * wide + h * e,
							*k = r->pass.batch->queries_keys[layer] + (first + j) * 2 * wide +
								 wide + h * e;
				double		own = 0,
							other = 0;

				for (int c = 0; c < d; c++)
					own += qkv[i][h * d + c] * qkv[j][MEM_C + h * d + c];
				for (int c = 0; c < e; c++)
					other += (double) q[c] * k[c];
				*r->scores += pow(own / sqrt(d) - other / sqrt(e), 2);
			}
}

static void
ref_layer(const Ref *r, int layer, int text, int t, double x[MAX_T][MEM_C])
{
	const DbertTrainer *tr = r->pass.trainer;
	int			first = r->pass.batch->cu[text];
	const DbertLayer *w = &tr->params.w.layers[layer];
	bool		bert = tr->config.family == DBERT_FAMILY_BERT;
	double		qkv[MAX_T][3 * MEM_C],
				ctx[MAX_T][MEM_C],
				u[MEM_F],
				y[MEM_C];

	for (int i = 0; i < t; i++)
		ref_linear(r, &w->qkv, x[i], qkv[i]);
	if (r->scores != NULL)
		ref_match_scores(r, layer, first, t, qkv);
	ref_attention(r, layer, first, t, qkv, ctx);
	for (int i = 0; i < t; i++)
	{
		int			row = ref_row(r, layer, text, i);

		ref_linear(r, &w->attn_out, ctx[i], y);
		for (int j = 0; j < MEM_C; j++)
			x[i][j] += y[j] * (bert ? kept(r, DBERT_DROP_ATTENTION, layer, row * MEM_C + j) : 1);
		ref_norm(r, &w->attn_norm, x[i]);
		ref_linear(r, &w->ffn_in, x[i], u);
		for (int j = 0; j < MEM_F; j++)
			u[j] = ref_act(tr->config.act, u[j]);
		ref_linear(r, &w->ffn_out, u, y);
		for (int j = 0; j < MEM_C; j++)
			x[i][j] += y[j] * kept(r, DBERT_DROP_FFN, layer, row * MEM_C + j);
		ref_norm(r, &w->ffn_norm, x[i]);
	}
}

static void
ref_embed(const Ref *r, int first, int t, double x[MAX_T][MEM_C])
{
	const DbertWeights *w = &r->pass.trainer->params.w;
	const DbertTrainBatch *b = r->pass.batch;

	for (int i = 0; i < t; i++)
	{
		for (int j = 0; j < MEM_C; j++)
			x[i][j] =
				value_of(r, w->word)[b->ids[first + i] * MEM_C + j] +
				value_of(r, w->position)[i * MEM_C + j] +
				(w->type ? value_of(r, w->type)[(b->types ? b->types[first + i] : 0) * MEM_C + j]
						 : 0);
		ref_norm(r, &w->embed_norm, x[i]);
		for (int j = 0; j < MEM_C; j++)
			x[i][j] *= kept(r, DBERT_DROP_EMBEDDING, 0, (first + i) * MEM_C + j);
	}
}

/* row: the head's, for its mask */
static void
ref_head(const Ref *r, int row, const double *hidden, double *logits)
{
	const DbertWeights *w = &r->pass.trainer->params.w;
	double		x[MEM_C];

	memcpy(x, hidden, sizeof(x));
	if (w->head_dense.w != NULL)
	{
		ref_linear(r, &w->head_dense, hidden, x);
		for (int j = 0; j < MEM_C; j++)
			x[j] = ref_act(w->head_act, x[j]);
	}
	if (w->head_norm.gamma != NULL)
		ref_norm(r, &w->head_norm, x);
	for (int j = 0; j < MEM_C && w->head_norm.gamma == NULL; j++)
		x[j] *= kept(r, DBERT_DROP_HEAD, 0, row * MEM_C + j);
	ref_linear(r, &w->head_out, x, logits);
}

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
ref_pool(const Ref *r, int t, double x[MAX_T][MEM_C], double *u)
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
		double		x[MAX_T][MEM_C];

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

	if (tr->config.dense)
		ref_linear(r, &tr->params.w.dense, x, wide);
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
ref_distill_masked(const Ref *r, int first, int t, double x[MAX_T][MEM_C], RefParts *sum)
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
ref_distill_span(const Ref *r, int first, int t, double x[MAX_T][MEM_C], RefParts *sum)
{
	double		temperature = r->pass.trainer->options.distill->temperature,
				logits[MAX_T][2];

	for (int i = 0; i < t; i++)
		ref_head(r, first + i, x[i], logits[i]);
	for (int column = 0; column < 2; column++)
	{
		float		teacher[MAX_T];
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

static void
ref_distill_text(const Ref *r, int text, RefParts *sum)
{
	const DbertTrainer *tr = r->pass.trainer;
	const DbertTrainOptions *o = &tr->options;
	const DbertTrainBatch *b = r->pass.batch;
	bool		tokens = o->head == DBERT_HEAD_TOKEN;
	int			first = b->cu[text],
				t = b->cu[text + 1] - first;
	double		x[MAX_T][MEM_C],
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

static double
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
		double		x[MAX_T][MEM_C];

		ref_embed(r, first, t, x);
		for (int l = 0; l < tr->config.layers; l++)
			ref_layer(r, l, text, t, x);
		for (int i = 0; i < (tr->options.head == DBERT_HEAD_SEQUENCE ? 1 : t); i++)
		{
			int			row = ref_row(r, tr->config.layers - 1, text, i);

			if (tr->options.head == DBERT_HEAD_MASK && ref_masked(b, first + i) < 0)
				continue;
			ref_head(r, row, x[i], logits);
			loss += ref_row_loss(r, row, logits, &weight);
		}
	}
	return loss / weight;
}

/* ---- a trainer on a tiny model ---- */

static const char *const abc[] = {"O", "B-X", "I-X"};
static const float weights_abc[] = {1, 3, 0.5f};

/* Three texts of 3, 1 and 5 tokens. */
static const int32_t cu[] = {0, 3, 4, 9};
static const int32_t ids[] = {2, 5, 3, 7, 2, 9, 9, 10, 3};
static const uint8_t types[] = {0, 0, 0, 0, 0, 1, 1, 0, 1};
static const int32_t classes[] = {1, 2, -1, 0, 1, 0, -1, 2, 0};
static const int32_t text_classes[] = {1, 2, 1};
static const int32_t masked[] = {1, 4, 5, 7};	/* none of the second text */
static const int32_t masked_ids[] = {6, 13, 2, 9};
static const float targets[] = {0, 1, 1, 1, 0, 0, 0, 1, 0};

/* Four pairs of texts; the first text of all is the sixth, too. */
static const int32_t pair_cu[] = {0, 3, 4, 9, 12, 14, 17, 20, 22};
static const int32_t pair_ids[] = { 2, 5, 3, 7, 2, 9, 9,  10, 3, 2, 11,
									3, 6, 8, 2, 5, 3, 12, 2,  4, 5, 3 };
static const float pair_numbers[] = {0.2f, 0.9f, 0.9f, 0.5f};
/* What a teacher says of them; the second text has no label. */
#define TEACHER_C 12			/* where its states are wider */
static const int32_t some_classes[] = {1, -1, 1};
static const float some_targets[] = {0, 1, 1, NAN, 0, 0, 0, 1, 0};
static float soft[9 * TEACHER_C];
static float states[MEM_L][9 * TEACHER_C];
static const float *state_rows[MEM_L];
static float queries_keys[MEM_L][9 * 2 * TEACHER_C];
static const float *queries_keys_rows[MEM_L];

/* only_last: of the states */
static void
fill_teacher(bool only_last)
{
	for (int i = 0; i < 9 * TEACHER_C; i++)
		soft[i] = (float) sin(i * 1.7 + 0.3) * 2;
	for (int l = 0; l < MEM_L; l++)
	{
		for (int i = 0; i < 9 * TEACHER_C; i++)
			states[l][i] = (float) sin(i * 0.9 + l);
		state_rows[l] = only_last && l < MEM_L - 1 ? NULL : states[l];
		for (int i = 0; i < 9 * 2 * TEACHER_C; i++)
			queries_keys[l][i] = (float) cos(i * 1.3 + l);
		queries_keys_rows[l] = queries_keys[l];
	}
}

static int32_t top_ids[4 * MEM_V];
static float top_soft[4 * (MEM_V + 1)];

/*
 * A teacher's likeliest tokens of each row, and what is left for all others:
 * none where they are all.
 */
static void
fill_top(int top, int rows)
{
	for (int i = 0; i < rows; i++)
	{
		float	   *log_q = top_soft + i * (top + 1);
		double		sum = top < MEM_V ? 1.5 : 0;

		for (int k = 0; k < top; k++)
			sum += exp(-0.6 * k);
		for (int k = 0; k < top; k++)
		{
			top_ids[i * top + k] = (3 * k + 5 * i) % MEM_V;
			log_q[k] = (float) (-0.6 * k - log(sum));
		}
		log_q[top] = top < MEM_V ? (float) log(1.5 / sum) : -INFINITY;
	}
}

static DbertTrainOptions
options_for(DbertHead head, DbertProblem problem)
{
	static const char *const span[] = {"start", "end"};
	DbertTrainOptions o = {
		.head = head,.problem = problem,.n_labels = head == DBERT_HEAD_SPAN ? 2 : 3,
		.labels = head == DBERT_HEAD_SPAN ? span : abc,.dropout = 0.25f,.seed = 7,
		.learning_rate = 0.01f,.weight_decay = 0.1f,.max_grad_norm = 1,.steps = 10,
		.max_texts = 8,.max_batch_tokens = 24,.max_text_tokens = MAX_T,.threads = 1,
		.kernels = &dbert_kernels_scalar
	};

	return o;
}

static DbertTrainBatch
batch_for(const DbertTrainOptions *o)
{
	DbertTrainBatch b = {.n_texts = 3,.cu = cu,.ids = ids,.types = types};

	if (o->head == DBERT_HEAD_NONE)
		return (DbertTrainBatch) {.n_texts = 8,.cu = pair_cu,.ids = pair_ids};
	if (o->head == DBERT_HEAD_SPAN)
		 /* nothing but a teacher's answers */ ;
	else if (o->head == DBERT_HEAD_MASK)
	{
		b.classes = masked_ids;
		b.masked = masked;
		b.n_masked = 4;
	}
	else if (o->head == DBERT_HEAD_TOKEN)
		b.classes = classes;
	else if (o->problem == DBERT_PROBLEM_SINGLE)
		b.classes = text_classes;
	else
		b.targets = targets;
	if (o->distill == NULL)
		return b;
	b.classes = b.classes == text_classes ? some_classes : b.classes;
	b.targets = b.targets == targets ? some_targets : NULL;
	b.soft = soft;
	b.states = state_rows;
	b.queries_keys = queries_keys_rows;
	if (o->head != DBERT_HEAD_MASK)
		return b;
	fill_top(o->distill->top, b.n_masked);
	b.soft = top_soft;
	b.soft_ids = top_ids;
	return b;
}

typedef struct Rig
{
	MemModel	model;
	DbertSource source;
	DbertTrainBase *base;
	DbertTrainer *trainer;
} Rig;

static bool
begin_rig(Rig *rig, const DbertTrainOptions *o)
{
	DbertError	err = {0};
	DbertStatus status;

	mem_model_save(&rig->model);
	rig->source = mem_source(&rig->model);
	rig->base = NULL;
	rig->trainer = NULL;
	status = dbert_trainbase_open(&rig->source, &dbert_malloc_allocator, NULL, &rig->base, &err);
	if (status == DBERT_OK)
		status =
			dbert_trainer_create(rig->base, o, &dbert_malloc_allocator, NULL, &rig->trainer, &err);
	CHECK_MSG(status == DBERT_OK, "%s", err.msg);
	return status == DBERT_OK;
}

static void
end_rig(Rig *rig)
{
	dbert_trainer_free(rig->trainer);
	dbert_trainbase_close(rig->base);
	mem_free(&rig->model);
}

static DbertPass
pass_of(DbertTrainer *t, const DbertTrainBatch *b, bool training, DbertError *err)
{
	DbertPass	pass;

	CHECK(dbert_pass_begin(t, b, training, NULL, err, &pass) == DBERT_OK);
	return pass;
}

/* ---- gradients ---- */

/*
 * Every element of a slot against the difference; errors are measured by the
 * slot's largest gradient.
 */
static void
check_slot(Ref *r, int number)
{
	const DbertParams *p = &r->pass.trainer->params;
	const DbertSlot *slot = &p->slots.items[number];
	const float *g = p->gradients + p->learning.items[number].offset / sizeof(float);
	double	   *v = r->v + slot->offset / sizeof(float);
	const double h = 1e-5;
	double		largest = 0,
				worst = 0;

	if (p->learning.items[number].bytes == 0)
		return;
	for (int i = 0; i < slot->rows * slot->cols; i++)
	{
		double		at = v[i],
					up,
					slope;

		v[i] = at + h;
		up = ref_loss(r);
		v[i] = at - h;
		slope = (up - ref_loss(r)) / (2 * h);
		v[i] = at;
		largest = fmax(largest, fabs(slope));
		worst = fmax(worst, fabs(slope - g[i]));
	}
	CHECK_MSG(worst <= 2e-5 * largest + 2e-7, "slot %d: largest gradient %g, largest error %g",
			  number, largest, worst);
}

/*
 * Tiny models' weights are far larger than real ones': softmax would be all 0
 * and 1.
 */
static void
soften(DbertTrainer *t)
{
	for (size_t i = 0; i < t->params.slots.bytes / sizeof(float); i++)
		t->params.values[i] *= 0.7f;
}

static void
check_batch_gradients(MemModel *model, const DbertTrainOptions *o, DbertTrainBatch batch)
{
	Rig			rig = {.model = *model};
	DbertError	err = {0};
	Ref			r = {.scores = NULL};
	double		loss,
				weight;

	if (!begin_rig(&rig, o))
		return;
	soften(rig.trainer);
	r.pass = pass_of(rig.trainer, &batch, true, &err);
	r.v = malloc(rig.trainer->params.slots.bytes / sizeof(float) * sizeof(double));
	for (size_t i = 0; i < rig.trainer->params.slots.bytes / sizeof(float); i++)
		r.v[i] = rig.trainer->params.values[i];
	CHECK(dbert_pass_forward(&r.pass) == DBERT_OK);
	CHECK(r.pass.trainer->objective->loss(&r.pass, true, &loss, &weight) == DBERT_OK);
	CHECK_NEAR(loss, ref_loss(&r), 1e-5);
	CHECK(dbert_pass_backward(&r.pass) == DBERT_OK);
	for (int i = 0; i < rig.trainer->params.slots.count; i++)
		check_slot(&r, i);
	free(r.v);
	end_rig(&rig);
}

static void
check_gradients(MemModel *model, const DbertTrainOptions *o)
{
	check_batch_gradients(model, o, batch_for(o));
}

static void
test_gradients_distilbert(void)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_gradients(&m, &o);
	o.class_weights = weights_abc;
	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	mem_edit(&m, "config.json", "\"gelu\"", "\"gelu_new\"");
	check_gradients(&m, &o);
}

static void
test_gradients_bert(void)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_MULTI);
	MemModel	m;

	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	check_gradients(&m, &o);
}

static void
test_gradients_regression(void)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_REGRESSION);
	MemModel	m;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	mem_edit(&m, "config.json", "\"gelu\"", "\"relu\"");
	check_gradients(&m, &o);
}

static void
test_gradients_tokens(void)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_TOKEN, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	o.class_weights = weights_abc;
	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	check_gradients(&m, &o);
	o.class_weights = NULL;
	mem_model_distilbert(&m, "ForTokenClassification", 3);
	check_gradients(&m, &o);
}

/*
 * Decoders that are the word embedding, and such that are not; a head that
 * begins at random.
 */
static void
test_gradients_masked(void)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	o.n_labels = 0;
	mem_model_distilbert(&m, "ForMaskedLM", 0);
	check_gradients(&m, &o);
	mem_model_distilbert(&m, "ForMaskedLM", 0);
	mem_add_tensor(&m, MEM_V, MEM_C, "vocab_projector.weight");
	check_gradients(&m, &o);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	check_gradients(&m, &o);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	mem_add_tensor(&m, MEM_V, MEM_C, "cls.predictions.decoder.weight");
	mem_edit(&m, "config.json", "\"gelu\"", "\"relu\"");
	check_gradients(&m, &o);
	mem_model_bert(&m, "Model", "", 0);
	check_gradients(&m, &o);
}

/* More tokens than a part or a product of the decoder takes. */
#define WIDE_V 9000

static void
widen_vocabulary(MemModel *m)
{
	char		size[32];

	snprintf(size, sizeof(size), "\"vocab_size\":%d", WIDE_V);
	mem_edit(m, "config.json", "\"vocab_size\":14", size);
	for (int i = 0; i < m->n_tensors; i++)
		if (m->tensors[i].shape[0] == MEM_V)
			m->tensors[i].shape[0] = WIDE_V;
}

/* A batch so many times over. */
#define COPIES 110

static DbertTrainBatch
repeat_batch(const DbertTrainBatch *b, int top)
{
	static int32_t many_cu[3 * COPIES + 1],
				many_ids[9 * COPIES],
				many_masked[4 * COPIES],
				many_classes[4 * COPIES],
				many_soft_ids[4 * COPIES * MEM_V];
	static float many_soft[4 * COPIES * (MEM_V + 1)];
	static uint8_t many_types[9 * COPIES];
	DbertTrainBatch many = { .n_texts = b->n_texts * COPIES,
							 .cu = many_cu,
							 .ids = many_ids,
							 .types = many_types,
							 .classes = many_classes,
							 .masked = many_masked,
							 .n_masked = b->n_masked * COPIES,
							 .soft = many_soft,
							 .soft_ids = many_soft_ids };

	for (int i = 0; i < COPIES; i++)
	{
		for (int j = 0; j < b->n_texts; j++)
			many_cu[i * b->n_texts + j + 1] = 9 * i + b->cu[j + 1];
		for (int j = 0; j < b->n_masked; j++)
		{
			many_masked[i * b->n_masked + j] = 9 * i + b->masked[j];
			many_classes[i * b->n_masked + j] = b->classes[j];
		}
		if (top > 0)
		{
			memcpy(many_soft + i * 4 * (top + 1), b->soft, 4 * (top + 1) * sizeof(float));
			memcpy(many_soft_ids + i * 4 * top, b->soft_ids, 4 * top * sizeof(int32_t));
		}
		memcpy(many_ids + 9 * i, b->ids, sizeof(ids));
		memcpy(many_types + 9 * i, b->types, sizeof(types));
	}
	return many;
}

/* Loss, gradients and margins of one batch to a trainer's arrays. */
static void
run_masked(Rig *rig, const DbertTrainBatch *batch, double *loss)
{
	DbertError	err = {0};
	DbertPass	pass = pass_of(rig->trainer, batch, true, &err);
	double		weight;

	CHECK(dbert_pass_forward(&pass) == DBERT_OK);
	CHECK(pass.trainer->objective->loss(&pass, true, loss, &weight) == DBERT_OK);
	CHECK(weight == batch->n_masked);
	CHECK(dbert_pass_backward(&pass) == DBERT_OK);
}

/*
 * The largest difference of two slots' gradients, measured by the largest;
 * those that only the wide one has are 0.
 */
static double
compare_gradients(const Rig *narrow, const Rig *wide, int number)
{
	const DbertParams *p = &narrow->trainer->params,
			   *q = &wide->trainer->params;
	const float *g = p->gradients + p->learning.items[number].offset / sizeof(float),
			   *h = q->gradients + q->learning.items[number].offset / sizeof(float);
	int			n = (int) (p->learning.items[number].bytes / sizeof(float)),
				more = (int) (q->learning.items[number].bytes / sizeof(float));
	double		largest = 1e-6,
				worst = 0;

	for (int i = 0; i < n; i++)
	{
		largest = fmax(largest, fabs(g[i]));
		worst = fmax(worst, fabs((double) g[i] - h[i]));
	}
	for (int i = n; i < more; i++)
		worst = fmax(worst, fabs(h[i]));
	return worst / largest;
}

/*
 * Many rows and a vocabulary of which most tokens have no chance: several
 * blocks, parts and products give the loss and the gradients of the small model
 * and batch, which finite differences have checked.
 */
static void
check_blocks(const char *decoder, const DbertDistill *distill)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	DbertTrainBatch batch,
				many;
	Rig			narrow,
				wide;
	double		loss[2];

	o.dropout = 0;
	o.distill = distill;
	batch = batch_for(&o);
	many = repeat_batch(&batch, distill != NULL ? distill->top : 0);
	o.max_texts = many.n_texts;
	o.max_batch_tokens = many.cu[many.n_texts];
	mem_model_distilbert(&narrow.model, "ForMaskedLM", 0);
	mem_model_distilbert(&wide.model, "ForMaskedLM", 0);
	if (decoder != NULL)
	{
		mem_add_tensor(&narrow.model, MEM_V, MEM_C, "%s", decoder);
		mem_add_tensor(&wide.model, MEM_V, MEM_C, "%s", decoder);
	}
	widen_vocabulary(&wide.model);
	if (!begin_rig(&narrow, &o) || !begin_rig(&wide, &o))
		return;
	soften(narrow.trainer);
	soften(wide.trainer);
	for (int i = MEM_V; i < WIDE_V; i++)
		((float *) wide.trainer->params.w.head_out.b)[i] = -1000;
	run_masked(&narrow, &batch, &loss[0]);
	run_masked(&wide, &many, &loss[1]);
	CHECK_NEAR(loss[1], loss[0], 1e-6);
	for (int i = 0; i < narrow.trainer->params.slots.count; i++)
		CHECK_MSG(compare_gradients(&narrow, &wide, i) < 1e-4, "slot %d is off by %g", i,
				  compare_gradients(&narrow, &wide, i));
	for (int i = 0; i < many.n_masked; i++)
		CHECK_NEAR(wide.trainer->acts.logits[i], narrow.trainer->acts.logits[i % batch.n_masked],
				   1e-5);
	end_rig(&narrow);
	end_rig(&wide);
}

static void
test_masked_blocks(void)
{
	static const DbertDistill soft_part = {
		.temperature = 2, .soft = 5, .hard = 2, .teacher_hidden = MEM_C, .top = 5
	};

	check_blocks(NULL, NULL);
	check_blocks("vocab_projector.weight", NULL);
	check_blocks(NULL, &soft_part);
	check_blocks("vocab_projector.weight", &soft_part);
}

/* What learns has the same gradients; what does not has none. */
static void
test_gradients_frozen(void)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	o.freeze_embeddings = true;
	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_gradients(&m, &o);
	o.head_only = true;
	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	check_gradients(&m, &o);
}

/* Pooling of a model that is sentence-transformers'. */
static void
put_modules(MemModel *m, bool cls, bool normalize)
{
	mem_put(m, "modules.json",
			normalize ? "[{\"type\":\"m.Transformer\",\"path\":\"\"},{\"type\":\"m.Pooling\","
						"\"path\":\"1_Pooling\"},"
						"{\"type\":\"m.Normalize\",\"path\":\"2_Normalize\"}]"
					  : "[{\"type\":\"m.Transformer\",\"path\":\"\"},{\"type\":\"m.Pooling\","
						"\"path\":\"1_Pooling\"}]");
	mem_put(m, "1_Pooling/config.json",
			cls ? "{\"pooling_mode_cls_token\":true}" : "{\"pooling_mode_mean_tokens\":true}");
}

/* Both families, both poolings, all losses. */
static void
test_gradients_embedding(void)
{
	for (int kind = 0; kind < 12; kind++)
	{
		DbertTrainOptions o = options_for(DBERT_HEAD_NONE, DBERT_PROBLEM_SINGLE);
		DbertTrainBatch batch = batch_for(&o);
		MemModel	m;

		o.embedding_loss = kind / 4 == 2 ? DBERT_LOSS_COSINE : DBERT_LOSS_COSENT;
		batch.targets = kind / 4 > 0 ? pair_numbers : NULL;
		if (kind & 1)
			mem_model_bert(&m, "Model", "", 0);
		else
			mem_model_distilbert(&m, "ForSequenceClassification", 3);
		if (kind & 2)
			put_modules(&m, true, kind & 1);
		check_batch_gradients(&m, &o, batch);
	}
}

/* ---- learning from a teacher ---- */

static void
test_gradients_soft(void)
{
	DbertDistill d = {.temperature = 2,.soft = 3,.hard = 1};
	DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	fill_teacher(true);
	o.distill = &d;
	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_gradients(&m, &o);
	o.problem = DBERT_PROBLEM_REGRESSION;
	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	check_gradients(&m, &o);
	o.problem = DBERT_PROBLEM_MULTI;
	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_gradients(&m, &o);
	o.head = DBERT_HEAD_TOKEN;
	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	check_gradients(&m, &o);
	d.hard = 0;					/* and nothing but the teacher */
	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	check_gradients(&m, &o);
}

/*
 * States as wide as the teacher's, and less wide; with the last layer's alone,
 * and with all.
 */
static void
test_gradients_states(void)
{
	static const DbertDistill parts[] = {
		{.temperature = 1,.soft = 1,.cosine = 2},
		{.temperature = 3,.soft = 1,.hard = 1,.cosine = 2,.hidden = 0.5f},
		{.temperature = 1,.soft = 1,.attention = 0.5f},
		{.temperature = 1,.soft = 1,.hidden = 1,.attention = 0.5f}
	};

	for (int i = 0; i < 8; i++)
	{
		DbertDistill d = parts[i % 4];
		DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
		MemModel	m;

		fill_teacher(d.hidden == 0);
		d.teacher_hidden = i < 4 ? MEM_C : TEACHER_C;
		o.distill = &d;
		mem_model_distilbert(&m, "ForSequenceClassification", 3);
		check_gradients(&m, &o);
		o.head = DBERT_HEAD_TOKEN;
		mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
		check_gradients(&m, &o);
	}
}

/*
 * Starts and ends of answers; with states, attention, and without the answers;
 * students less wide.
 */
static void
test_gradients_spans(void)
{
	static const DbertDistill parts[] = {
		{.temperature = 2,.soft = 3},
		{.temperature = 2,.soft = 3,.cosine = 1},
		{.temperature = 1,.soft = 1,.cosine = 1,.hidden = 1,.attention = 0.5f},
		{.temperature = 1,.cosine = 1}
	};

	for (int i = 0; i < 8; i++)
	{
		DbertDistill d = parts[i % 4];
		DbertTrainOptions o = options_for(DBERT_HEAD_SPAN, DBERT_PROBLEM_SINGLE);
		MemModel	m;

		fill_teacher(d.hidden == 0);
		d.teacher_hidden = i < 4 ? MEM_C : TEACHER_C;
		o.distill = &d;
		mem_model_distilbert(&m, "ForQuestionAnswering", 0);
		check_gradients(&m, &o);
		mem_model_bert(&m, "ForQuestionAnswering", "bert.", 0);
		check_gradients(&m, &o);
	}
}

/*
 * Texts' vectors, of both poolings, alone and with states and attention, as
 * wide as the teacher's and less.
 */
static void
test_gradients_vectors(void)
{
	static const DbertDistill parts[] = {
		{.temperature = 1,.soft = 1},
		{.temperature = 1,.soft = 1,.cosine = 1,.hidden = 1},
		{.temperature = 1,.soft = 1,.attention = 1}
	};

	for (int i = 0; i < 12; i++)
	{
		DbertDistill d = parts[i % 3];
		DbertTrainOptions o = options_for(DBERT_HEAD_NONE, DBERT_PROBLEM_SINGLE);
		DbertTrainBatch batch = { .n_texts = 3,
								  .cu = cu,
								  .ids = ids,
								  .types = types,
								  .soft = soft,
								  .states = state_rows,
								  .queries_keys = queries_keys_rows };
		MemModel	m;

		fill_teacher(false);
		d.teacher_hidden = i < 6 ? MEM_C : TEACHER_C;
		o.distill = &d;
		mem_model_bert(&m, "Model", "", 0);
		put_modules(&m, i / 3 % 2, false);
		check_batch_gradients(&m, &o, batch);
	}
}

/*
 * Masked tokens: the top and the rest, the top being all, the true ones; with
 * states and attention; decoders of their own and not, students less wide.
 */
static void
test_gradients_masked_soft(void)
{
	static const DbertDistill parts[] = {
		{.temperature = 2,.soft = 5,.hard = 2,.top = 5},
		{.temperature = 2,.soft = 5,.top = 1},
		{.temperature = 3,.soft = 1,.hard = 1,.top = MEM_V},
		{.temperature = 2,.soft = 5,.hard = 2,.cosine = 1,.top = 5},
		{.temperature = 2,.soft = 1,.hard = 1,.cosine = 1,.hidden = 1,.attention = 1,.top = 5},
		{.temperature = 1,.hard = 1,.cosine = 1,.top = 5},
		{.temperature = 1,.cosine = 1,.top = 5}
	};

	for (int i = 0; i < 14; i++)
	{
		DbertDistill d = parts[i % 7];
		DbertTrainOptions o = options_for(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
		MemModel	m;

		o.n_labels = 0;
		fill_teacher(false);
		d.teacher_hidden = i < 7 ? MEM_C : TEACHER_C;
		o.distill = &d;
		mem_model_distilbert(&m, "ForMaskedLM", 0);
		check_gradients(&m, &o);
		mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
		mem_add_tensor(&m, MEM_V, MEM_C, "cls.predictions.decoder.weight");
		check_gradients(&m, &o);
	}
}

/* ---- activations ---- */

static void
test_exponential(void)
{
	for (float x = 0; x > -86; x -= 0.01f)
		CHECK_NEAR(dbert_exp_negative(x) / exp(x), 1, 4e-7);
	CHECK(dbert_exp_negative(0) == 1);
	CHECK(dbert_exp_negative(-1000) >= 0 && dbert_exp_negative(-INFINITY) < 1e-37);
}

static double
ref_slope(int act, double x)
{
	return act == DBERT_ACT_RELU ? x > 0 : (ref_act(act, x + 1e-5) - ref_act(act, x - 1e-5)) / 2e-5;
}

/* Values and slopes, with every table of kernels that runs here. */
static void
test_activations(void)
{
	static const char *const tables[] = {"avx512", "avx2", "openblas", "scalar"};
	enum {N = 2003};
	float		x[N],
				y[N],
				dy[N],
				dx[N];

	for (int i = 0; i < N; i++)
	{
		x[i] = (float) (i - N / 2) / 100 + (i % 2 ? 1e-4f : 0);
		dy[i] = (float) (i % 7) - 3;
	}
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (int act = DBERT_ACT_GELU; act <= DBERT_ACT_TANH; act++)
		{
			DbertTrainRun run = {0};

			if (dbert_kernels_choose(tables[t], &run.kernels, NULL) != DBERT_OK)
				continue;
			CHECK(dbert_act_forward(&run, act, x, 1, N, y) == DBERT_OK);
			CHECK(dbert_act_backward(&run, act, x, y, dy, 1, N, dx) == DBERT_OK);
			for (int i = 0; i < N; i++)
			{
				CHECK_NEAR(y[i], ref_act(act, x[i]), 1e-6 * (1 + fabs(x[i])));
				CHECK_NEAR(dx[i],
						   dy[i] * (x[i] == 0 && act == DBERT_ACT_RELU ? 0 : ref_slope(act, x[i])),
						   5e-6);
			}
		}
}

/* ---- random numbers ---- */

static void
test_random(void)
{
	DbertDropout d = dbert_dropout(dbert_random_key(1, 2, 3), 0.3f);
	int			n = 100000,
				dropped = 0;
	double		sum = 0,
				square = 0;
	int32_t		order[50],
				again[50];
	bool		seen[50] = {false};

	for (int i = 0; i < n; i++)
	{
		double		x = dbert_random_normal(11, i);

		dropped += dbert_dropout_factor(&d, i) == 0;
		sum += x;
		square += x * x;
	}
	CHECK_NEAR(dropped / (double) n, 0.3, 0.01);
	CHECK_NEAR(dbert_dropout(1, 0.3f).scale, 1 / 0.7, 1e-6);
	CHECK_NEAR(sum / n, 0, 0.02);
	CHECK_NEAR(square / n, 1, 0.02);
	dbert_random_shuffle(order, 50, 5);
	dbert_random_shuffle(again, 50, 5);
	CHECK(memcmp(order, again, sizeof(order)) == 0);
	dbert_random_shuffle(again, 50, 6);
	CHECK(memcmp(order, again, sizeof(order)) != 0);
	for (int i = 0; i < 50; i++)
		seen[order[i]] = true;
	for (int i = 0; i < 50; i++)
		CHECK(seen[i]);
}

/* ---- the optimizer ---- */

/* AdamW's formulas for one parameter over steps with given gradients. */
static double
ref_adamw(double w, const double *g, int steps, double rate, const double *course, double decay)
{
	double		m = 0,
				v = 0;

	for (int i = 0; i < steps; i++)
	{
		double		lr = rate * course[i];

		w -= lr * decay * w;
		m = 0.9 * m + 0.1 * g[i];
		v = 0.999 * v + 0.001 * g[i] * g[i];
		w -= lr * (m / (1 - pow(0.9, i + 1))) / (sqrt(v / (1 - pow(0.999, i + 1))) + 1e-8);
	}
	return w;
}

/*
 * Two parameters get gradients: an element of a matrix, which decays, and of a
 * bias, which does not.
 */
static void
test_adamw(void)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	DbertTrainBatch batch = batch_for(&o);
	Rig			rig;
	DbertError	err = {0};
	DbertPass	pass;
	const double g[4] = {0.3, -0.1, 0.2, 6.0};
	const double clipped[4] = {0.3, -0.1, 0.2, 6.0 / (hypot(6.0, 6.0 * 0.5) + 1e-6)};
	const double half[4] = {0.15, -0.05, 0.1, 3.0 / (hypot(6.0, 6.0 * 0.5) + 1e-6)};
	const double course[4] = {0, 0.5, 1, 7.0 / 8};	/* two warm-up steps of ten */
	const DbertLinear *w,
			   *d;
	double		matrix,
				bias;

	mem_model_distilbert(&rig.model, "ForSequenceClassification", 3);
	o.warmup = 0.2f;
	if (!begin_rig(&rig, &o))
		return;
	w = &rig.trainer->params.w.head_out;
	d = &rig.trainer->params.g.head_out;
	matrix = w->w[1];
	bias = w->b[1];
	pass = pass_of(rig.trainer, &batch, true, &err);
	memset(rig.trainer->params.gradients, 0, rig.trainer->params.learning.bytes);
	for (int i = 0; i < 4; i++)
	{
		((float *) d->w)[1] = (float) g[i];
		((float *) d->b)[1] = (float) (g[i] / 2);
		CHECK(dbert_adamw_step(&pass) == DBERT_OK);
		rig.trainer->step++;
	}
	CHECK_NEAR(w->w[1], ref_adamw(matrix, clipped, 4, 0.01, course, 0.1), 1e-6);
	CHECK_NEAR(w->b[1], ref_adamw(bias, half, 4, 0.01, course, 0), 1e-6);
	((float *) d->b)[1] = NAN;
	CHECK(dbert_adamw_step(&pass) == DBERT_E_INVALID);
	end_rig(&rig);
}

/* ---- whole runs ---- */

static double
run_steps(DbertTrainer *t, int steps)
{
	DbertTrainBatch batch = batch_for(&t->options);
	DbertError	err = {0};
	double		loss = 0;

	for (int i = 0; i < steps; i++)
		CHECK_MSG(dbert_trainer_step(t, &batch, NULL, &loss, &err) == DBERT_OK, "%s", err.msg);
	return loss;
}

static void
test_learns(void)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	DbertTrainBatch batch;
	DbertError	err = {0};
	const float *logits;
	double		loss,
				weight;
	Rig			rig;

	o.steps = 100;
	o.dropout = 0;
	o.learning_rate = 0.02f;
	mem_model_bert(&rig.model, "Model", "", 0);
	if (!begin_rig(&rig, &o))
		return;
	CHECK(!dbert_trainer_kept_head(rig.trainer));
	soften(rig.trainer);
	run_steps(rig.trainer, 100);
	batch = batch_for(&o);
	CHECK(dbert_trainer_evaluate(rig.trainer, &batch, NULL, &logits, &loss, &weight, &err) ==
		  DBERT_OK);
	CHECK_MSG(loss < 0.2, "loss after 100 steps: %g", loss);
	CHECK(weight == 3);
	for (int b = 0; b < 3; b++)
		for (int j = 0; j < 3; j++)
			CHECK(logits[b * 3 + j] <= logits[b * 3 + text_classes[b]]);
	end_rig(&rig);
}

/*
 * Parameters after some steps, with so many threads; gaps between them are 0.
 */
static void
run_threads(DbertHead head, int threads, const DbertDistill *distill, float **values, size_t *bytes)
{
	DbertTrainOptions o = options_for(head, DBERT_PROBLEM_SINGLE);
	DbertThreads  *pool = NULL;
	Rig			rig;

	o.threads = threads;
	o.distill = distill;
	mem_model_bert(&rig.model, "Model", "", 0);
	if (head == DBERT_HEAD_MASK)
		widen_vocabulary(&rig.model);
	if (!begin_rig(&rig, &o))
		return;
	if (threads > 1)
		CHECK(dbert_threads_create(threads, &dbert_malloc_allocator, &pool, NULL) == DBERT_OK);
	dbert_trainer_set_pool(rig.trainer, pool);
	run_steps(rig.trainer, 5);
	*bytes = rig.trainer->params.slots.bytes;
	*values = calloc(1, *bytes);
	for (int i = 0; i < rig.trainer->params.slots.count; i++)
	{
		const DbertSlot *slot = &rig.trainer->params.slots.items[i];

		memcpy((char *) *values + slot->offset, (char *) rig.trainer->params.values + slot->offset,
			   slot->bytes);
	}
	dbert_threads_free(pool);
	end_rig(&rig);
}

static void
check_threads(DbertHead head, const DbertDistill *d)
{
	float	   *one = NULL,
			   *three = NULL;
	size_t		bytes = 0;

	run_threads(head, 1, d, &one, &bytes);
	run_threads(head, 3, d, &three, &bytes);
	CHECK(one != NULL && three != NULL && memcmp(one, three, bytes) == 0);
	free(one);
	free(three);
}

static void
test_threads(void)
{
	static const DbertDistill distill = { .temperature = 2,
										  .soft = 1,
										  .hard = 1,
										  .cosine = 1,
										  .hidden = 1,
										  .attention = 1,
										  .teacher_hidden = TEACHER_C,
										  .top = 5 };

	check_threads(DBERT_HEAD_TOKEN, NULL);
	check_threads(DBERT_HEAD_MASK, NULL);
	fill_teacher(false);
	check_threads(DBERT_HEAD_TOKEN, &distill);
	check_threads(DBERT_HEAD_MASK, &distill);
	check_threads(DBERT_HEAD_NONE, NULL);
}

/*
 * A trainer after some steps, the files it gives, and what they make: a model,
 * and a base of the same loss.
 */
typedef struct Written
{
	Rig			rig;
	const float *logits;
	double		weight;
	DbertTrainedFiles *files;
	Built		b;
	Rig			second;
} Written;

static bool
begin_written(Written *w, const MemModel *model, const DbertTrainOptions *o,
			  const char *architecture)
{
	DbertTrainBatch batch = batch_for(o);
	DbertError	err = {0};
	const float *logits;
	double		losses[2],
				weight;

	*w = (Written) {.rig.model = *model};
	if (!begin_rig(&w->rig, o))
		return false;
	run_steps(w->rig.trainer, 3);
	CHECK(dbert_trainer_evaluate(w->rig.trainer, &batch, NULL, &w->logits, &losses[0], &w->weight,
								 &err) == DBERT_OK);
	CHECK(dbert_trainer_files(w->rig.trainer, &dbert_malloc_allocator, NULL, &w->files, &err) ==
		  DBERT_OK);
	CHECK_MSG(build(dbert_trained_source(w->files), NULL, &dbert_kernels_scalar, &w->b, &err) ==
				  DBERT_OK,
			  "%s", err.msg);
	CHECK_STR(w->b.model->config.architecture, architecture);
	CHECK(w->b.model->config.head == (int32_t) o->head);

	CHECK(dbert_trainbase_open(dbert_trained_source(w->files), &dbert_malloc_allocator, NULL,
							   &w->second.base, &err) == DBERT_OK);
	CHECK(dbert_trainer_create(w->second.base, o, &dbert_malloc_allocator, NULL, &w->second.trainer,
							   &err) == DBERT_OK);
	CHECK(dbert_trainer_kept_head(w->second.trainer));
	CHECK(dbert_trainer_evaluate(w->second.trainer, &batch, NULL, &logits, &losses[1], &weight,
								 &err) == DBERT_OK);
	CHECK(losses[0] == losses[1]);
	return true;
}

static void
end_written(Written *w)
{
	end_rig(&w->second);
	release(&w->b);
	dbert_trained_free(w->files);
	end_rig(&w->rig);
}

/* The files open as a model that answers as the trainer did. */
static void
test_files(void)
{
	static const char *const labels[] = {"yes", "no \"\xc3\xa9\"", "x"};
	DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_MULTI);
	MemModel	m;
	Written		w;

	o.labels = labels;
	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	if (!begin_written(&w, &m, &o, "BertForSequenceClassification"))
		return;
	CHECK(w.b.model->config.problem == DBERT_PROBLEM_MULTI && w.b.model->config.n_labels == 3);
	for (int i = 0; i < 3; i++)
		CHECK_STR(w.b.model->labels[i], labels[i]);
	CHECK(memcmp(w.b.model->weights.head_out.w, w.rig.trainer->params.w.head_out.w,
				 3 * MEM_C * sizeof(float)) == 0);
	end_written(&w);
}

/* Logits of masked tokens, as the model that the files give computes them. */
static double
model_margin(const DbertModel *model, const DbertTrainer *t, int row)
{
	const DbertWeights *w = &model->weights;
	const float *d = t->acts.d + row * MEM_C;
	double		max = -INFINITY,
				right = 0;

	for (int v = 0; v < MEM_V; v++)
	{
		double		x = w->head_out.b[v];

		for (int j = 0; j < MEM_C; j++)
			x += (double) w->head_out.w[v * MEM_C + j] * d[j];
		max = x > max ? x : max;
		right = v == masked_ids[row] ? x : right;
	}
	return right - max;
}

/*
 * A student that finds answers, of a base that does and of one that does not.
 */
static void
check_span_files(const MemModel *model, const char *architecture)
{
	static const DbertDistill distill = {.temperature = 2,.soft = 1};
	DbertTrainOptions o = options_for(DBERT_HEAD_SPAN, DBERT_PROBLEM_SINGLE);
	Written		w;

	o.distill = &distill;
	fill_teacher(false);
	if (!begin_written(&w, model, &o, architecture))
		return;
	CHECK(w.weight == 3 && w.b.model->config.n_labels == 2);
	CHECK(dbert_trainer_kept_head(w.rig.trainer) ==
		  (dbert_trainbase_config(w.rig.base)->head == DBERT_HEAD_SPAN));
	CHECK(memcmp(w.b.model->weights.head_out.w, w.rig.trainer->params.w.head_out.w,
				 2 * MEM_C * sizeof(float)) == 0);
	end_written(&w);
}

static void
test_span_files(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForQuestionAnswering", 0);
	check_span_files(&m, "DistilBertForQuestionAnswering");
	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	check_span_files(&m, "BertForQuestionAnswering");
}

/*
 * The head's tensors, and a decoder only where there is one; the files are a
 * base that has the same loss.
 */
static void
check_masked_files(const MemModel *model, const char *architecture, const char *decoder, bool tied)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	Written		w;

	if (!begin_written(&w, model, &o, architecture))
		return;
	CHECK(w.b.model->config.n_labels == 0);
	CHECK(w.rig.trainer->tied == tied);
	CHECK(w.weight == 4);
	for (int i = 0; i < 4; i++)
		CHECK_NEAR(w.logits[i], model_margin(w.b.model, w.rig.trainer, i), 1e-5);
	CHECK((dbert_tensors_find(&w.second.base->pack->tensors, decoder) == NULL) == tied);
	end_written(&w);
}

static void
test_masked_files(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForMaskedLM", 0);
	check_masked_files(&m, "DistilBertForMaskedLM", "vocab_projector.weight", true);
	mem_model_distilbert(&m, "ForMaskedLM", 0);
	mem_add_tensor(&m, MEM_V, MEM_C, "vocab_projector.weight");
	check_masked_files(&m, "DistilBertForMaskedLM", "vocab_projector.weight", false);
	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	check_masked_files(&m, "BertForMaskedLM", "cls.predictions.decoder.weight", true);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	mem_add_tensor(&m, MEM_V, MEM_C, "cls.predictions.decoder.weight");
	check_masked_files(&m, "BertForMaskedLM", "cls.predictions.decoder.weight", false);
}

/*
 * A sentence encoder that gives the vectors of which training saw the cosines.
 */
static void
check_embedding_files(const MemModel *m, const char *architecture, int pooling, int normalize)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_NONE, DBERT_PROBLEM_SINGLE);
	Written		w;

	if (!begin_written(&w, m, &o, architecture))
		return;
	CHECK(w.b.model->config.n_labels == 0);
	CHECK(w.weight == 4);
	CHECK(w.b.model->config.pooling == pooling && w.b.model->config.normalize == normalize);
	CHECK(w.b.model->config.max_tokens == dbert_trainbase_config(w.rig.base)->max_tokens);
	end_written(&w);
}

static void
test_embedding_files(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_embedding_files(&m, "DistilBertModel", DBERT_POOL_MEAN, 1);
	mem_model_bert(&m, "Model", "", 0);
	put_modules(&m, true, false);
	mem_put(&m, "sentence_bert_config.json", "{\"max_seq_length\":9}");
	check_embedding_files(&m, "BertModel", DBERT_POOL_CLS, 0);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	put_modules(&m, false, true);
	check_embedding_files(&m, "BertModel", DBERT_POOL_MEAN, 1);
}

/*
 * Margins: 0 where the partner is nearest.  Pairs 0 and 2 share a text, so one
 * cannot be nearer to the other.
 */
static void
test_embedding_margins(void)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_NONE, DBERT_PROBLEM_SINGLE);
	static const int32_t twice_cu[] = {0, 3, 4, 7, 8};
	static const int32_t twice_ids[] = {2, 5, 3, 7, 2, 5, 3, 9};
	DbertTrainBatch batch = batch_for(&o);
	DbertError	err = {0};
	double		loss,
				weight;
	const float *margins;
	Rig			rig;

	mem_model_bert(&rig.model, "Model", "", 0);
	if (!begin_rig(&rig, &o))
		return;
	CHECK(dbert_trainer_evaluate(rig.trainer, &batch, NULL, &margins, &loss, &weight, &err) ==
		  DBERT_OK);
	for (int i = 0; i < 4; i++)
		CHECK(margins[i] <= 0);

	/* one text with two partners: both are right, nothing is wrong */
	batch = (DbertTrainBatch) {.n_texts = 4,.cu = twice_cu,.ids = twice_ids};
	CHECK(dbert_trainer_evaluate(rig.trainer, &batch, NULL, &margins, &loss, &weight, &err) ==
		  DBERT_OK);
	CHECK(loss == 0 && margins[0] == 0 && margins[1] == 0);
	end_rig(&rig);
}

static void
check_no_embedding(MemModel *m, const DbertTrainOptions *o, const char *why)
{
	DbertSource source;
	DbertTrainBase *base = NULL;
	DbertTrainer *t;
	DbertError	err = {0};

	mem_model_save(m);
	source = mem_source(m);
	CHECK(dbert_trainbase_open(&source, &dbert_malloc_allocator, NULL, &base, &err) == DBERT_OK);
	CHECK(dbert_trainer_create(base, o, &dbert_malloc_allocator, NULL, &t, &err) != DBERT_OK &&
		  t == NULL);
	CHECK_MSG(strstr(err.msg, why) != NULL, "%s", err.msg);
	dbert_trainbase_close(base);
	mem_free(m);
}

static void
test_embedding_failures(void)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_NONE, DBERT_PROBLEM_SINGLE);
	DbertTrainBatch batch = batch_for(&o);
	DbertError	err = {0};
	double		loss;
	MemModel	m;
	Rig			rig;

	mem_model_bert(&m, "Model", "", 0);
	put_modules(&m, false, true);
	mem_put(&m, "1_Pooling/config.json", "{\"pooling_mode_max_tokens\":true}");
	check_no_embedding(&m, &o, "mean and cls");
	o.max_texts = 1;
	mem_model_bert(&m, "Model", "", 0);
	check_no_embedding(&m, &o, "pairs");
	o.max_texts = 8;
	o.head_only = true;
	mem_model_bert(&m, "Model", "", 0);
	check_no_embedding(&m, &o, "no head");
	o.head_only = false;
	mem_model_bert(&rig.model, "Model", "", 0);
	if (!begin_rig(&rig, &o))
		return;
	batch.n_texts = 7;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	end_rig(&rig);
}

/* ---- students ---- */

static void
test_student_layers(void)
{
	static const int six[] = {0, 2, 4, 7, 9, 11};

	for (int i = 0; i < 6; i++)
		CHECK(dbert_student_layer(i, 6, 12) == six[i]);
	for (int of = 1; of < 40; of++)
		for (int layers = 1; layers <= of; layers++)
			for (int i = 0; i < layers; i++)
				CHECK(i == 0 ? dbert_student_layer(i, layers, of) == 0 :
					  dbert_student_layer(i, layers, of) > dbert_student_layer(i - 1, layers, of) &&
					  dbert_student_layer(i, layers, of) < of);
}

/* A student of the rig's base, opened as a model. */
static bool
built_student(Rig *rig, int layers, int hidden, DbertStudent **student, Built *b)
{
	DbertError	err = {0};
	DbertStatus status = dbert_student_open(rig->base, layers, hidden, 5, &dbert_malloc_allocator,
											NULL, student, &err);

	if (status == DBERT_OK)
		status = build(dbert_student_source(*student), NULL, &dbert_kernels_scalar, b, &err);
	CHECK_MSG(status == DBERT_OK, "%s", err.msg);
	return status == DBERT_OK;
}

static void
check_student(MemModel *model)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	Rig			rig = {.model = *model};
	DbertStudent *student;
	DbertError	err = {0};
	const DbertWeights *w;
	Built		b;

	if (!begin_rig(&rig, &o))
		return;
	w = &rig.trainer->params.w;
	if (built_student(&rig, 1, 0, &student, &b))
	{
		CHECK(b.model->config.layers == 1 && b.model->config.hidden == MEM_C &&
			  b.model->config.n_labels == 3);
		CHECK(memcmp(b.model->weights.layers[0].qkv.w, w->layers[0].qkv.w,
					 3 * MEM_C * MEM_C * sizeof(float)) == 0);
		CHECK(memcmp(b.model->weights.head_out.w, w->head_out.w, 3 * MEM_C * sizeof(float)) == 0);
		CHECK_STR(b.model->labels[0], dbert_trainbase_label(rig.base, 0));
	}
	release(&b);
	dbert_student_free(student);
	if (built_student(&rig, 2, 4, &student, &b))
	{
		CHECK(b.model->config.layers == 2 && b.model->config.hidden == 4 &&
			  b.model->config.ffn == MEM_F / 2);
		CHECK(b.model->config.heads == rig.trainer->config.heads);
		for (int j = 0; j < 4; j++)
			CHECK(b.model->weights.embed_norm.gamma[j] == 1 &&
				  b.model->weights.embed_norm.beta[j] == 0);
		CHECK(b.model->weights.word[0] != 0 && fabsf(b.model->weights.word[0]) < 0.1f);
		CHECK(b.model->weights.word[0] != b.model->weights.position[0]);
	}
	release(&b);
	dbert_student_free(student);
	CHECK(dbert_student_open(rig.base, 3, 0, 5, &dbert_malloc_allocator, NULL, &student, &err) ==
		  DBERT_E_INVALID);
	CHECK(dbert_student_open(rig.base, 0, 0, 5, &dbert_malloc_allocator, NULL, &student, &err) ==
		  DBERT_E_INVALID);
	CHECK(dbert_student_open(rig.base, 1, 7, 5, &dbert_malloc_allocator, NULL, &student, &err) ==
		  DBERT_E_INVALID);
	end_rig(&rig);
}

static void
test_student(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_student(&m);
	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	check_student(&m);
}

/*
 * The engine that teaches gives what the trainer of the same weights computes.
 */
static void
check_teacher(MemModel *model, const DbertTrainOptions *o)
{
	Rig			rig = {.model = *model};
	DbertTeacherOptions options = { .max_texts = 3,
									.max_tokens = 9,
									.max_text_tokens = 5,
									.threads = 1,
									.n_states = 2,
									.attention = true };
	DbertTeacher *teacher;
	DbertTrainBatch batch = batch_for(o);
	DbertError	err = {0};
	const float *logits;
	double		loss,
				weight;
	Built		b;

	if (!begin_rig(&rig, o))
		return;
	CHECK(build(&rig.source, NULL, &dbert_kernels_scalar, &b, &err) == DBERT_OK);
	CHECK(dbert_trainer_evaluate(rig.trainer, &batch, NULL, &logits, &loss, &weight, &err) ==
		  DBERT_OK);
	CHECK(dbert_teacher_create(b.model, &options, &dbert_malloc_allocator, &teacher, &err) ==
		  DBERT_OK);
	CHECK_MSG(dbert_teacher_run(teacher, &batch, NULL, NULL, &err) == DBERT_OK, "%s", err.msg);
	for (int i = 0; i < (dbert_head_of_tokens(o->head) ? 9 : 3) * o->n_labels; i++)
		CHECK_NEAR(dbert_teacher_outputs(teacher)[i], logits[i], 1e-4);
	for (int i = 0; i < 9 * MEM_C; i++)
	{
		CHECK_NEAR(dbert_teacher_states(teacher, 0)[i], rig.trainer->acts.layers[1].x[i], 1e-4);
		CHECK_NEAR(dbert_teacher_states(teacher, 1)[i], rig.trainer->acts.hidden[i], 1e-4);
	}
	for (int l = 0; l < MEM_L; l++)
		for (int i = 0; i < 9 * 2 * MEM_C; i++)
			CHECK_NEAR(
				dbert_teacher_queries_keys(teacher, l)[i],
				rig.trainer->acts.layers[l].qkv[i / (2 * MEM_C) * 3 * MEM_C + i % (2 * MEM_C)],
				1e-4);
	batch.n_texts = 4;
	CHECK(dbert_teacher_run(teacher, &batch, NULL, NULL, &err) == DBERT_E_LIMIT);
	dbert_teacher_free(teacher);
	release(&b);
	end_rig(&rig);
}

static void
test_teacher(void)
{
	static const DbertDistill all_rows = {
		.temperature = 1, .soft = 1, .cosine = 1, .teacher_hidden = MEM_C
	};
	DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	fill_teacher(true);
	o.distill = &all_rows;
	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_teacher(&m, &o);
	o.head = DBERT_HEAD_TOKEN;
	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	check_teacher(&m, &o);
	o = options_for(DBERT_HEAD_SPAN, DBERT_PROBLEM_SINGLE);
	o.distill = &all_rows;
	mem_model_distilbert(&m, "ForQuestionAnswering", 0);
	check_teacher(&m, &o);
}

/*
 * log q of the likeliest tokens by the definition, these first, and of the
 * rest.
 */
static void
check_answers(const DbertTeacher *teacher, const Ref *r, int top, double temperature)
{
	for (int row = 0, text = 0; row < r->pass.batch->n_masked; row++)
	{
		const float *log_q = dbert_teacher_outputs(teacher) + row * (top + 1);
		const int32_t *named = dbert_teacher_ids(teacher) + row * top;
		int			token = r->pass.batch->masked[row],
					first;
		double		x[MAX_T][MEM_C],
					logits[MEM_V],
					sum = 0,
					rest = 0;

		while (cu[text + 1] <= token)
			text++;
		first = cu[text];
		ref_embed(r, first, cu[text + 1] - first, x);
		for (int l = 0; l < MEM_L; l++)
			ref_layer(r, l, text, cu[text + 1] - first, x);
		ref_head(r, row, x[token - first], logits);
		for (int v = 0; v < MEM_V; v++)
			sum += exp(logits[v] / temperature);
		for (int v = 0; v < MEM_V; v++)
		{
			int			k = 0;

			while (k < top && named[k] != v)
				k++;
			if (k < top)
				CHECK_NEAR(log_q[k], logits[v] / temperature - log(sum), 1e-4);
			else
			{
				CHECK(logits[v] <= logits[named[top - 1]]);
				rest += exp(logits[v] / temperature) / sum;
			}
			CHECK(k >= top || k == 0 || logits[v] <= logits[named[k - 1]]);
		}
		CHECK(top < MEM_V ? fabs(log_q[top] - log(rest)) < 1e-4 : log_q[top] == -INFINITY);
	}
}

static void
check_masked_teacher(MemModel *model, int top, double temperature)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	DbertTeacherOptions options = { .max_texts = 3,
									.max_tokens = 9,
									.max_text_tokens = 5,
									.threads = 1,
									.top = top,
									.temperature = (float) temperature };
	Rig			rig = {.model = *model};
	Ref			r = {.scores = NULL};
	DbertTrainBatch batch = batch_for(&o);
	DbertTeacher *teacher;
	DbertError	err = {0};
	Built		b;

	if (!begin_rig(&rig, &o))
		return;
	CHECK(build(&rig.source, NULL, &dbert_kernels_scalar, &b, &err) == DBERT_OK);
	CHECK(dbert_teacher_create(b.model, &options, &dbert_malloc_allocator, &teacher, &err) ==
		  DBERT_OK);
	CHECK_MSG(dbert_teacher_run(teacher, &batch, NULL, NULL, &err) == DBERT_OK, "%s", err.msg);
	r.pass = pass_of(rig.trainer, &batch, false, &err);
	r.v = malloc(rig.trainer->params.slots.bytes / sizeof(float) * sizeof(double));
	for (size_t i = 0; i < rig.trainer->params.slots.bytes / sizeof(float); i++)
		r.v[i] = rig.trainer->params.values[i];
	check_answers(teacher, &r, top, temperature);
	free(r.v);
	dbert_teacher_free(teacher);
	release(&b);
	end_rig(&rig);
}

static void
test_masked_teacher(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForMaskedLM", 0);
	check_masked_teacher(&m, 5, 2);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	check_masked_teacher(&m, MEM_V, 1);
}

static void
test_f16(void)
{
	for (uint32_t h = 0; h < 0x7c00; h++)
	{
		float		f = dbert_float_of_f16((uint16_t) h),
					next = dbert_float_of_f16((uint16_t) (h + 1 < 0x7c00 ? h + 1 : h));

		CHECK(dbert_f16_of_float(f) == h && dbert_f16_of_float(-f) == (h | 0x8000));
		CHECK(dbert_f16_of_float(f + (next - f) * 0.49f) == h);
		CHECK(dbert_f16_of_float((f + next) / 2) == (h + 1 < 0x7c00 ? (h + 1) / 2 * 2 : h));
	}
	CHECK(dbert_f16_of_float(1e30f) == 0x7bff && dbert_f16_of_float(-INFINITY) == 0xfbff);
}

static void
test_keep_restore(void)
{
	DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	Rig			rig;
	float		before;

	o.keep_best = true;
	mem_model_distilbert(&rig.model, "Model", 0);
	if (!begin_rig(&rig, &o))
		return;
	run_steps(rig.trainer, 1);
	before = rig.trainer->params.values[MEM_C * 5];
	CHECK(dbert_trainer_keep(rig.trainer, NULL, NULL) == DBERT_OK);
	run_steps(rig.trainer, 2);
	CHECK(rig.trainer->params.values[MEM_C * 5] != before);
	CHECK(dbert_trainer_restore(rig.trainer, NULL, NULL) == DBERT_OK);
	CHECK(rig.trainer->params.values[MEM_C * 5] == before);
	end_rig(&rig);
}

/* What to learns from is what from had learnt. */
static void
copy_blocks(DbertTrainer *from, DbertTrainer *to)
{
	DbertTrainerBlock a,
				b;
	int			i = 0;

	CHECK(dbert_trainer_continue(to, dbert_trainer_steps(from), dbert_trainer_kept(from), NULL,
								 NULL) == DBERT_OK);
	for (; dbert_trainer_block(from, i, &a); i++)
	{
		CHECK(dbert_trainer_block(to, i, &b) && a.bytes == b.bytes);
		memcpy(b.data, a.data, a.bytes);
	}
	CHECK(!dbert_trainer_block(to, i, &b));
}

static void
check_equal_values(const DbertTrainer *a, const DbertTrainer *b)
{
	for (int i = 0; i < a->params.slots.count; i++)
	{
		const DbertSlot *slot = &a->params.slots.items[i];

		CHECK(memcmp((char *) a->params.values + slot->offset,
					 (char *) b->params.values + slot->offset, slot->bytes) == 0);
	}
}

/*
 * A trainer that goes on where another was, with the same bits; frozen
 * parameters or none.
 */
static void
test_continue(void)
{
	for (int frozen = 0; frozen < 2; frozen++)
	{
		DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
		DbertError	err = {0};
		Rig			first,
					second;

		o.keep_best = true;
		o.freeze_embeddings = frozen;
		mem_model_bert(&first.model, "Model", "", 0);
		mem_model_bert(&second.model, "Model", "", 0);
		if (!begin_rig(&first, &o) || !begin_rig(&second, &o))
			return;
		run_steps(first.trainer, 1);
		CHECK(!dbert_trainer_kept(first.trainer));
		CHECK(dbert_trainer_keep(first.trainer, NULL, NULL) == DBERT_OK);
		run_steps(first.trainer, 2);
		CHECK(dbert_trainer_steps(first.trainer) == 3 && dbert_trainer_kept(first.trainer));
		copy_blocks(first.trainer, second.trainer);
		CHECK(run_steps(first.trainer, 2) == run_steps(second.trainer, 2));
		check_equal_values(first.trainer, second.trainer);
		CHECK(dbert_trainer_restore(first.trainer, NULL, NULL) == DBERT_OK);
		CHECK(dbert_trainer_restore(second.trainer, NULL, NULL) == DBERT_OK);
		check_equal_values(first.trainer, second.trainer);
		CHECK(dbert_trainer_continue(second.trainer, -1, false, NULL, &err) == DBERT_E_INVALID);
		CHECK(dbert_trainer_continue(second.trainer, o.steps + 1, false, NULL, &err) ==
			  DBERT_E_INVALID);
		end_rig(&first);
		end_rig(&second);
	}
}

/* ---- failures ---- */

static bool
stop_soon(void *ctx)
{
	return --*(int *) ctx < 0;
}

static void
test_failures(void)
{
	static const DbertDistill distill = {.temperature = 1,.soft = 1};
	DbertTrainOptions o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	DbertTrainBatch batch = batch_for(&o);
	DbertError	err = {0};
	DbertTrainer *t;
	uint64_t	bytes = 0;
	double		loss;
	int			left = 20;
	DbertPoll	poll = {stop_soon, &left};
	Rig			rig;

	mem_model_distilbert(&rig.model, "ForQuestionAnswering", 0);
	if (!begin_rig(&rig, &o))
		return;
	CHECK(dbert_trainer_bytes(rig.base, &o, &bytes, &err) == DBERT_OK &&
		  bytes > 4 * rig.trainer->params.slots.bytes);
	CHECK(dbert_trainer_step(rig.trainer, &batch, &poll, &loss, &err) == DBERT_E_CANCELLED);
	batch.n_texts = 9;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_LIMIT);
	o.head = DBERT_HEAD_MASK;
	o.head_only = true;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  t == NULL);
	o.head = DBERT_HEAD_SPAN;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  t == NULL);
	o = options_for(DBERT_HEAD_SPAN, DBERT_PROBLEM_SINGLE);	/* without a teacher; three columns */
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  t == NULL);
	o.distill = &distill;
	o.n_labels = 3;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  t == NULL);
	o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	o.distill = &distill;
	o.head_only = true;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  t == NULL);
	o = options_for(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	o.max_text_tokens = MEM_P + 1;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_INVALID &&
		  t == NULL);
	o = options_for(DBERT_HEAD_TOKEN, DBERT_PROBLEM_SINGLE);
	o.max_batch_tokens = INT32_MAX;
	CHECK(dbert_trainer_bytes(rig.base, &o, &bytes, &err) == DBERT_OK &&
		  bytes > (uint64_t) INT32_MAX * MEM_C);
	o = options_for(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	o.distill = &distill;		/* that names no tokens */
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_INVALID &&
		  t == NULL);
	end_rig(&rig);
}

/* A large head that begins at random asks in between. */
static void
test_stopped_creation(void)
{
	static const char *labels[DBERT_MAX_LABELS];
	DbertTrainOptions o = options_for(DBERT_HEAD_TOKEN, DBERT_PROBLEM_SINGLE);
	DbertError	err = {0};
	DbertTrainer *t;
	int			before = 1000000,
				left = before;
	DbertPoll	poll = {stop_soon, &left};
	Rig			rig;

	mem_model_distilbert(&rig.model, "ForQuestionAnswering", 0);
	if (!begin_rig(&rig, &o))
		return;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, &poll, &t, &err) == DBERT_OK);
	dbert_trainer_free(t);
	for (int i = 0; i < DBERT_MAX_LABELS; i++)
		labels[i] = "x";
	o.labels = labels;
	o.n_labels = DBERT_MAX_LABELS;
	left = before - left + 10;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, &poll, &t, &err) ==
			  DBERT_E_CANCELLED &&
		  t == NULL);
	end_rig(&rig);
}

/* Masked tokens that are none, and ids that are none. */
static void
test_masked_failures(void)
{
	static const int32_t same[] = {1, 1},
				beyond[] = {1, 9},
				no_id[] = {5, MEM_V},
				no_ids[4] = {5, 6, 7, -1};
	static const DbertDistill distill = {.temperature = 1,.soft = 1,.top = 1};
	DbertTrainOptions o = options_for(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	DbertTrainBatch batch = batch_for(&o);
	DbertError	err = {0};
	double		loss;
	int			left = 40;
	DbertPoll	poll = {stop_soon, &left};
	Rig			rig;

	mem_model_distilbert(&rig.model, "ForMaskedLM", 0);
	if (!begin_rig(&rig, &o))
		return;
	batch.n_masked = 0;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	batch.n_masked = 2;
	batch.masked = same;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	batch.masked = beyond;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	batch.masked = masked;
	batch.classes = no_id;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	batch.classes = masked_ids;
	CHECK(dbert_trainer_step(rig.trainer, &batch, &poll, &loss, &err) == DBERT_E_CANCELLED);
	end_rig(&rig);
	mem_model_distilbert(&rig.model, "ForMaskedLM", 0);
	if (!begin_rig(&rig, &o))
		return;
	((float *) rig.trainer->params.w.head_out.b)[3] = NAN;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	end_rig(&rig);
	o.distill = &distill;
	mem_model_distilbert(&rig.model, "ForMaskedLM", 0);
	if (!begin_rig(&rig, &o))
		return;
	batch = batch_for(&o);
	batch.soft_ids = no_ids;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	batch = batch_for(&o);
	top_soft[2] = NAN;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	end_rig(&rig);
}

int
main(void)
{
	RUN(test_exponential);
	RUN(test_activations);
	RUN(test_random);
	RUN(test_gradients_distilbert);
	RUN(test_gradients_bert);
	RUN(test_gradients_regression);
	RUN(test_gradients_tokens);
	RUN(test_gradients_masked);
	RUN(test_gradients_embedding);
	RUN(test_masked_blocks);
	RUN(test_gradients_frozen);
	RUN(test_gradients_soft);
	RUN(test_gradients_masked_soft);
	RUN(test_gradients_spans);
	RUN(test_gradients_states);
	RUN(test_gradients_vectors);
	RUN(test_adamw);
	RUN(test_learns);
	RUN(test_threads);
	RUN(test_files);
	RUN(test_student_layers);
	RUN(test_student);
	RUN(test_teacher);
	RUN(test_masked_teacher);
	RUN(test_f16);
	RUN(test_masked_files);
	RUN(test_span_files);
	RUN(test_embedding_files);
	RUN(test_embedding_margins);
	RUN(test_embedding_failures);
	RUN(test_keep_restore);
	RUN(test_continue);
	RUN(test_failures);
	RUN(test_stopped_creation);
	RUN(test_masked_failures);
	return tests_end();
}
