/*
 * distill.c -- an objective: what a teacher says, beside or instead of labels.
 *
 * The head and the hard loss are classify.c's or, with the soft one,
 * maskedlm.c's.  The loss is a weighted mean of up to five (train.h,
 * DbertDistill): soft, hard, cosine, hidden, attention. Where tokens are
 * compared all rows of the last layer go on, and the head takes the first of
 * each text, or the masked ones, out of them.
 *
 * With S the student's logits, Q the teacher's and T the temperature, of a row:
 * soft = T^2 sum q (log q - log p), q = softmax(Q / T), p = softmax(S / T), and
 * its derivative by S is T (p - q).  Of MULTI the same for each label and its
 * opposite, with a sigmoid; of SPAN the softmax is over the tokens of a text,
 * once for starts and once for ends.
 */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

static const DbertDistill *
distill_of(const DbertPass *pass)
{
	return pass->trainer->options.distill;
}

static bool
is_embedding(const DbertPass *pass)
{
	return pass->trainer->options.head == DBERT_HEAD_NONE;
}

static bool
is_masked(const DbertPass *pass)
{
	return pass->trainer->options.head == DBERT_HEAD_MASK;
}

/* Rows of logits. */
static int
head_rows(const DbertPass *pass)
{
	if (is_masked(pass))
		return pass->batch->n_masked;
	return dbert_head_of_tokens(pass->trainer->options.head) ? pass->n : pass->batch->n_texts;
}

static bool
takes_some_rows(const DbertPass *pass)
{
	return head_rows(pass) != pass->rows;
}

/* Which of N: the head's row i. */
static int
head_row(const DbertPass *pass, int i)
{
	return is_masked(pass) ? pass->batch->masked[i] : pass->batch->cu[i];
}

static void
place_vectors(DbertTrainer *t, DbertLayout *l, DbertActs *a)
{
	size_t		texts = t->options.max_texts;

	a->d = dbert_layout_floats(l, texts, t->config.hidden);
	a->dd = dbert_layout_floats(l, texts, t->config.hidden);
	a->head_rstd = dbert_layout_floats(l, texts, 1);
	a->logits = dbert_layout_floats(l, texts, 1);
}

static void
place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows)
{
	const DbertDistill *d = t->options.distill;
	size_t		n = t->options.max_batch_tokens,
				wide = t->config.embedding;

	if (t->options.head == DBERT_HEAD_NONE)
		place_vectors(t, l, a);
	else if (t->options.head == DBERT_HEAD_MASK)
		dbert_masked_place(t, l, a, rows);
	else
		dbert_classify_place(t, l, a, rows);
	a->row =
		dbert_layout_floats(l, t->options.n_labels,
							t->options.head == DBERT_HEAD_SPAN ? t->options.max_text_tokens : 1);
	if (dbert_distill_reads_tokens(d) && t->options.head != DBERT_HEAD_NONE)
		a->first = dbert_layout_floats(l, rows, t->config.hidden);
	if (!dbert_distill_reads_tokens(d) && t->options.head != DBERT_HEAD_NONE)
		return;
	a->head_sums = dbert_layout_place(l, t->options.max_texts, t->config.heads, sizeof(double));
	a->row_sums = dbert_layout_place(l, n, sizeof(double), 1);
	a->dprojected = dbert_layout_floats(l, n, wide);
	a->projected = t->config.dense ? dbert_layout_floats(l, n, wide) : NULL;
}

/* The rows that the head takes. */
static const float *
head_input(const DbertPass *pass)
{
	const DbertActs *a = &pass->trainer->acts;

	return takes_some_rows(pass) ? a->first : a->hidden;
}

static DbertStatus
forward(const DbertPass *pass)
{
	const DbertActs *a = &pass->trainer->acts;
	size_t		c = pass->trainer->config.hidden;

	if (is_embedding(pass))
		return dbert_embedding_forward(pass);
	for (int i = 0; takes_some_rows(pass) && i < head_rows(pass); i++)
		memcpy(a->first + i * c, a->hidden + head_row(pass, i) * c, c * sizeof(float));
	return is_masked(pass) ? dbert_masked_forward(pass, head_input(pass)) :
		dbert_classify_forward(pass, head_input(pass), head_rows(pass));
}

/* ---- soft targets ---- */

/* log sum exp(x / T) */
static double
log_sum(const float *x, int n, double temperature)
{
	double		max = x[0],
				sum = 0;

	for (int j = 1; j < n; j++)
		max = x[j] > max ? x[j] : max;
	for (int j = 0; j < n; j++)
		sum += exp((x[j] - max) / temperature);
	return max / temperature + log(sum);
}

static double
soft_classes(float *x, const float *y, int n, double t, double share, bool differentiate)
{
	double		below_x = log_sum(x, n, t),
				below_y = log_sum(y, n, t),
				loss = 0;

	for (int j = 0; j < n; j++)
	{
		double		log_p = x[j] / t - below_x,
					log_q = y[j] / t - below_y;

		loss += t * t * exp(log_q) * (log_q - log_p);
		if (differentiate)
			x[j] = (float) (share * t * (exp(log_p) - exp(log_q)));
	}
	return loss;
}

/* log sigmoid(x) */
static double
log_sigmoid(double x)
{
	return (x < 0 ? x : 0) - log1p(exp(-fabs(x)));
}

static double
soft_labels(float *x, const float *y, int n, double t, double share, bool differentiate)
{
	double		loss = 0;

	for (int j = 0; j < n; j++)
	{
		double		log_p = log_sigmoid(x[j] / t),
					log_q = log_sigmoid(y[j] / t),
					p = exp(log_p),
					q = exp(log_q);

		loss += t * t *
				(q * (log_q - log_p) + (1 - q) * (log_sigmoid(-y[j] / t) - log_sigmoid(-x[j] / t)));
		if (differentiate)
			x[j] = (float) (share * t * (p - q));
	}
	return loss;
}

/*
 * The row's loss; x, the student's logits, becomes share times the derivative.
 */
static double
soft_row(const DbertPass *pass, int row, float *x, double share, bool differentiate)
{
	const DbertTrainOptions *o = &pass->trainer->options;
	const float *y = pass->batch->soft + (size_t) row * o->n_labels;
	double		t = o->distill->temperature;

	if (o->head == DBERT_HEAD_TOKEN || o->problem == DBERT_PROBLEM_SINGLE)
		return soft_classes(x, y, o->n_labels, t, share, differentiate);
	if (o->problem == DBERT_PROBLEM_MULTI)
		return soft_labels(x, y, o->n_labels, t, share, differentiate);
	return dbert_squared_error(x, y, o->n_labels, share, differentiate);
}

/*
 * What the mean of the soft loss is divided by: as the hard loss', of tokens
 * all but [CLS] and the last [SEP].
 */
static double
soft_weight(const DbertPass *pass)
{
	const DbertTrainOptions *o = &pass->trainer->options;
	double		weight = 0;

	if (o->head != DBERT_HEAD_TOKEN)
		return pass->batch->n_texts * (o->problem == DBERT_PROBLEM_SINGLE ? 1.0 : o->n_labels);
	for (int b = 0; b < pass->batch->n_texts; b++)
	{
		int			inner = pass->batch->cu[b + 1] - pass->batch->cu[b] - 2;

		weight += inner > 0 ? inner : 0;
	}
	return weight;
}

/*
 * Whether token i, of text *b or a later one, is neither its text's first nor
 * its last.
 */
static bool
is_inner(const DbertPass *pass, int i, int *b)
{
	while (i >= pass->batch->cu[*b + 1])
		++*b;
	return i > pass->batch->cu[*b] && i < pass->batch->cu[*b + 1] - 1;
}

/*
 * What a loss is multiplied by to be its share in the whole, weight being its
 * mean's denominator.
 */
static double
share_of(const DbertDistill *d, double part, double weight)
{
	return weight > 0 ? part / (d->soft + d->hard + d->cosine + d->hidden + d->attention) / weight
					  : 0;
}

/* soft and hard loss; the logits become the derivative */
static DbertStatus
logits_loss(const DbertPass *pass, bool differentiate, double *loss)
{
	const DbertDistill *d = distill_of(pass);
	const DbertActs *a = &pass->trainer->acts;
	int			rows = head_rows(pass),
				n = pass->trainer->options.n_labels,
				b = 0;
	double		soft = share_of(d, d->soft, d->soft > 0 ? soft_weight(pass) : 0),
				hard = share_of(d, d->hard, d->hard > 0 ? dbert_classify_weight(pass, rows) : 0);

	for (int i = 0; i < rows; i++)
	{
		float	   *x = a->logits + (size_t) i * n;
		bool		counts = soft > 0 && (rows == pass->batch->n_texts || is_inner(pass, i, &b));

		memcpy(a->row, x, n * sizeof(float));
		if (hard > 0)
			*loss += hard * dbert_classify_loss(pass, i, a->row, hard, differentiate);
		else
			memset(a->row, 0, n * sizeof(float));
		if (counts)
			*loss += soft * soft_row(pass, i, x, soft, differentiate);
		for (int j = 0; differentiate && j < n; j++)
			x[j] = counts ? x[j] + a->row[j] : a->row[j];
	}
	return dbert_train_poll(&pass->run);
}

/*
 * Of one text's starts (column 0) or ends: the student's logits become the
 * derivative.
 */
static double
span_loss(const DbertPass *pass, int text, int column, double share, bool differentiate)
{
	const DbertActs *a = &pass->trainer->acts;
	int			first = pass->batch->cu[text],
				n = pass->batch->cu[text + 1] - first;
	float	   *x = a->row,
			   *y = a->row + n,
			   *logits = a->logits + (size_t) first * 2 + column;
	const float *soft = pass->batch->soft + (size_t) first * 2 + column;
	double		loss;

	for (int i = 0; i < n; i++)
	{
		x[i] = logits[2 * i];
		y[i] = soft[2 * i];
	}
	loss = soft_classes(x, y, n, distill_of(pass)->temperature, share, differentiate);
	for (int i = 0; differentiate && i < n; i++)
		logits[2 * i] = x[i];
	return loss;
}

/* The mean over texts, starts and ends. */
static DbertStatus
spans_loss(const DbertPass *pass, bool differentiate, double *loss)
{
	const DbertDistill *d = distill_of(pass);
	int			texts = pass->batch->n_texts;
	double		share = share_of(d, d->soft, 2.0 * texts);

	if (d->soft == 0)
	{
		memset(pass->trainer->acts.logits, 0,
			   differentiate ? (size_t) pass->n * 2 * sizeof(float) : 0);
		return DBERT_OK;
	}
	for (int b = 0; b < texts; b++)
	{
		DBERT_TRY(dbert_train_poll(&pass->run));
		for (int column = 0; column < 2; column++)
			*loss += share * span_loss(pass, b, column, share, differentiate);
	}
	return DBERT_OK;
}

/* ---- states ---- */

/* States against the teacher's, row by row. */
typedef struct StateLoop
{
	const float *x;				/* [N, C'] the student's */
	const float *y;				/* [N, C'] the teacher's */
	int			c;
	double		cosine;			/* shares in the whole loss of a row and of an element */
	double		squares;
	double	   *sums;			/* [N] losses of rows */
	float	   *dx;				/* [N, C'], or NULL: not wanted */
} StateLoop;

/*
 * cosine (1 - x y / |x| |y|), its derivative cosine (x (x y) / |x|^2 - y) / |x|
 * |y|; squares |x - y|^2, its derivative 2 squares (x - y)
 */
static DbertStatus
state_row(void *ctx, int row, int worker)
{
	const StateLoop *s = ctx;
	const float *x = s->x + (size_t) row * s->c,
			   *y = s->y + (size_t) row * s->c;
	double		xy = 0,
				xx = 1e-12,
				yy = 1e-12,
				dd = 0;

	for (int j = 0; j < s->c; j++)
	{
		xy += (double) x[j] * y[j];
		xx += (double) x[j] * x[j];
		yy += (double) y[j] * y[j];
		dd += ((double) x[j] - y[j]) * ((double) x[j] - y[j]);
	}
	s->sums[row] = s->cosine * (1 - xy / sqrt(xx * yy)) + s->squares * dd;
	for (int j = 0; s->dx != NULL && j < s->c; j++)
		s->dx[(size_t) row * s->c + j] =
			(float) (s->cosine * (x[j] * (xy / xx) - y[j]) / sqrt(xx * yy) +
					 s->squares * 2 * ((double) x[j] - y[j]));
	return DBERT_OK;
}

/* x[rows, C], or as wide as the teacher's */
static DbertStatus
project(const DbertPass *pass, const float *x, int rows, const float **projected)
{
	const DbertTrainer *t = pass->trainer;

	*projected = t->config.dense ? t->acts.projected : x;
	if (!t->config.dense)
		return DBERT_OK;
	return dbert_linear_forward(&pass->run, &t->params.w.dense, x, rows, t->acts.projected);
}

/* Rows that take a few milliseconds. */
#define ROWS_WORK (1000 * 1000)

/*
 * The states x[N, C] after so many layers: their loss is added to *loss, its
 * derivative by them written to dx[N, C'].
 */
static DbertStatus
compare_states(const DbertPass *pass, int layers, const float *x, double *loss, float *dx)
{
	const DbertDistill *d = distill_of(pass);
	const DbertTrainer *t = pass->trainer;
	bool		last = layers == t->config.layers;
	StateLoop s = {
		.y = pass->batch->states[layers - 1],
		.c = t->config.embedding,
		.sums = t->acts.row_sums,
		.dx = dx,
		.cosine = last ? share_of(d, d->cosine, pass->n) : 0,
		.squares = share_of(d, d->hidden, (double) pass->n * t->config.layers * t->config.embedding)
	};

	DBERT_TRY(project(pass, x, pass->n, &s.x));
	DBERT_TRY(dbert_train_parallel(&pass->run, pass->n, ROWS_WORK / s.c + 1, state_row, &s));
	for (int i = 0; i < pass->n; i++)
		*loss += s.sums[i];
	return DBERT_OK;
}

static DbertStatus
states_loss(const DbertPass *pass, double *loss)
{
	const DbertTrainer *t = pass->trainer;

	if (dbert_distill_reads_states(distill_of(pass)))
		DBERT_TRY(compare_states(pass, t->config.layers, t->acts.hidden, loss, NULL));
	for (int l = 1; distill_of(pass)->hidden > 0 && l < t->config.layers; l++)
		DBERT_TRY(compare_states(pass, l, t->acts.layers[l].x, loss, NULL));
	return DBERT_OK;
}

static void
add(float *sum, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += x[i];
}

/*
 * The derivative of compare_states by x in dx, beta times what is there added;
 * so with the matrix's gradient, which the vectors of texts begin, or the last
 * layer, the first to come.
 */
static DbertStatus
states_backward(const DbertPass *pass, int layers, const float *x, float *dx, float beta)
{
	const DbertTrainer *t = pass->trainer;
	const DbertLinear *w = &t->params.w.dense,
			   *g = &t->params.g.dense;
	float	   *dy = t->acts.dprojected;
	double		unused = 0;
	DbertProduct dw = { .ta = true,
						.m = w->n,
						.n = w->k,
						.k = pass->n,
						.a = dy,
						.lda = w->n,
						.b = x,
						.ldb = w->k,
						.beta = layers == t->config.layers && !is_embedding(pass) ? 0 : 1,
						.c = (float *) g->w,
						.ldc = w->k };

	DBERT_TRY(compare_states(pass, layers, x, &unused, dy));
	if (t->config.dense)
	{
		DBERT_TRY(dbert_product(&pass->run, &dw));
		return dbert_linear_backward(&pass->run, w, NULL, x, dy, pass->n, dx, beta);
	}
	if (beta == 0)
		memcpy(dx, dy, (size_t) pass->n * t->config.hidden * sizeof(float));
	else
		add(dx, dy, (size_t) pass->n * t->config.hidden);
	return DBERT_OK;
}

/* ---- embeddings ---- */

/*
 * logits[B] = cosines of the vectors with the teacher's; dy[B, C'] the
 * derivative of the loss, or NULL
 */
static DbertStatus
compare_vectors(const DbertPass *pass, double *loss, float *dy)
{
	const DbertDistill *d = distill_of(pass);
	const DbertActs *a = &pass->trainer->acts;
	int			n = pass->batch->n_texts;
	double		share = share_of(d, d->soft, n);
	StateLoop	s = {
		.y = pass->batch->soft,.c = pass->trainer->config.embedding,.sums = a->row_sums,.dx = dy,
		.cosine = dy != NULL ? share : 1
	};

	DBERT_TRY(project(pass, a->d, n, &s.x));
	DBERT_TRY(dbert_train_parallel(&pass->run, n, ROWS_WORK / s.c + 1, state_row, &s));
	for (int i = 0; i < n && dy == NULL; i++)
	{
		a->logits[i] = (float) (1 - s.sums[i]);
		*loss += share * s.sums[i];
	}
	return DBERT_OK;
}

/*
 * dd by the vectors, the matrix's gradient with it, and what both make of the
 * rows.
 */
static DbertStatus
vectors_backward(const DbertPass *pass, float *dx)
{
	const DbertTrainer *t = pass->trainer;
	const DbertActs *a = &t->acts;
	const DbertLinear *w = &t->params.w.dense;
	int			n = pass->batch->n_texts;
	float	   *dy = t->config.dense ? a->dprojected : a->dd;
	double		unused;
	DbertProduct dw = {
		.ta = true,.m = w->n,.n = w->k,.k = n,.a = dy,.lda = w->n,.b = a->d,.ldb = w->k,
		.c = (float *) t->params.g.dense.w,.ldc = w->k
	};

	DBERT_TRY(compare_vectors(pass, &unused, dy));
	if (t->config.dense)
	{
		DBERT_TRY(dbert_product(&pass->run, &dw));
		DBERT_TRY(dbert_linear_backward(&pass->run, w, NULL, a->d, dy, n, a->dd, 0));
	}
	return dbert_embedding_backward(pass, dx);
}

/* ---- attention ---- */

/* All scores of all heads of a layer. */
static double
count_scores(const DbertPass *pass)
{
	double		scores = 0;

	for (int b = 0; b < pass->batch->n_texts; b++)
		scores += pow(pass->batch->cu[b + 1] - pass->batch->cu[b], 2);
	return scores * pass->trainer->config.heads;
}

/*
 * The layer's loss is added to *loss, its derivative to dq and dkv, unless they
 * are NULL.
 */
static DbertStatus
compare_attention(const DbertPass *pass, int layer, double *loss, float *dq, float *dkv)
{
	const DbertDistill *d = distill_of(pass);
	const DbertTrainer *t = pass->trainer;
	DbertSelfAttention s = dbert_pass_attention(pass, layer);
	DbertScoreMatch match = { .queries_keys = pass->batch->queries_keys[layer],
							  .hidden = d->teacher_hidden,
							  .share =
								  share_of(d, d->attention, count_scores(pass) * t->config.layers),
							  .sums = t->acts.head_sums,
							  .dq = dq,
							  .dkv = dkv };

	DBERT_TRY(dbert_self_attention_match(&pass->run, &s, &match));
	for (int i = 0; i < s.n_texts * s.heads; i++)
		*loss += match.sums[i];
	return DBERT_OK;
}

static DbertStatus
attention_loss(const DbertPass *pass, double *loss)
{
	for (int l = 0; distill_of(pass)->attention > 0 && l < pass->trainer->config.layers; l++)
		DBERT_TRY(compare_attention(pass, l, loss, NULL, NULL));
	return DBERT_OK;
}

static DbertStatus
attention_backward(const DbertPass *pass, int layer, float *dq, float *dkv)
{
	double		unused = 0;

	return distill_of(pass)->attention > 0 ? compare_attention(pass, layer, &unused, dq, dkv)
										   : DBERT_OK;
}

/* ---- the whole ---- */

static DbertStatus
head_loss(const DbertPass *pass, bool differentiate, double *loss)
{
	const DbertDistill *d = distill_of(pass);
	int			masked = pass->batch->n_masked;

	if (is_embedding(pass))
		return compare_vectors(pass, loss, NULL);
	if (is_masked(pass))
		return dbert_masked_loss(pass, share_of(d, d->soft, masked), share_of(d, d->hard, masked),
								 differentiate, loss);
	return pass->trainer->options.head == DBERT_HEAD_SPAN ? spans_loss(pass, differentiate, loss) :
		logits_loss(pass, differentiate, loss);
}

static DbertStatus
loss_of_pass(const DbertPass *pass, bool differentiate, double *loss, double *weight)
{
	*loss = 0;
	*weight = pass->trainer->options.head == DBERT_HEAD_TOKEN ? soft_weight(pass) :
		is_masked(pass) ? pass->batch->n_masked : pass->batch->n_texts;
	DBERT_TRY(head_loss(pass, differentiate, loss));
	DBERT_TRY(states_loss(pass, loss));
	DBERT_TRY(attention_loss(pass, loss));
	return dbert_pass_check_loss(pass, *loss);
}

/* The derivative by what the head takes, some rows or all. */
static DbertStatus
head_backward(const DbertPass *pass, float *dx)
{
	if (is_masked(pass))
		return dbert_masked_backward(pass, head_input(pass), dx);
	if (!is_embedding(pass))
		return dbert_classify_backward(pass, head_input(pass), head_rows(pass), dx);
	if (dbert_distill_reads_tokens(distill_of(pass)))	/* not all rows may be pooled */
		memset(dx, 0, (size_t) pass->n * pass->trainer->config.hidden * sizeof(float));
	return vectors_backward(pass, dx);
}

/* That waits in t2 until the derivative by all rows is there. */
static DbertStatus
backward(const DbertPass *pass, float *dx)
{
	const DbertTrainer *t = pass->trainer;
	const DbertActs *a = &t->acts;
	size_t		c = t->config.hidden;

	if (!dbert_distill_reads_tokens(distill_of(pass)))
		return head_backward(pass, dx);
	DBERT_TRY(head_backward(pass, a->t2));
	if (dbert_distill_reads_states(distill_of(pass)))
		DBERT_TRY(states_backward(pass, t->config.layers, a->hidden, dx, 0));
	else
		memset(dx, 0, pass->n * c * sizeof(float));
	if (is_embedding(pass) || !takes_some_rows(pass))
		add(dx, a->t2, pass->n * c);
	else
		for (int i = 0; i < head_rows(pass); i++)
			add(dx + head_row(pass, i) * c, a->t2 + i * c, c);
	return DBERT_OK;
}

static DbertStatus
between(const DbertPass *pass, int layers, float *dx)
{
	if (distill_of(pass)->hidden == 0)
		return DBERT_OK;
	return states_backward(pass, layers, pass->trainer->acts.layers[layers].x, dx, 1);
}

const DbertObjective dbert_distill = { place,    forward, loss_of_pass,
									   backward, between, attention_backward };
