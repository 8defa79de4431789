/*
 * distill.c -- the steps of a trainer with a teacher: what it says beside or
 * instead of labels.
 *
 * The loss is a weighted mean of up to five (train.h, DbertDistill).  Two of
 * them, soft and hard, are about answers and belong to the head's lesson
 * (objective.h).  The other three are here, the same for every head: the last
 * hidden states by their cosine, those after each layer by the squares of their
 * differences, and the scores of attention.
 *
 * Where tokens are compared, all rows of the last layer go on, and the head
 * gets those that it reads out of them.
 */
#include "train/distill.h"

#include "model/family.h"
#include "train/pass.h"
#include "train/project.h"
#include "train/statematch.h"

#include <math.h>

static const DbertDistill *
distill_of(const DbertPass *pass)
{
	return pass->trainer->options.distill;
}

static const DbertLesson *
lesson_of(const DbertPass *pass)
{
	return pass->trainer->objective->taught;
}

/* ---- options, memory ---- */

DbertStatus
dbert_distill_check_options(const DbertConfig *base, const DbertTrainOptions *o, DbertError *err)
{
	const DbertDistill *d = o->distill;

	if (o->head_only)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "from a teacher a whole model learns");
	if (d->attention > 0 && d->teacher_hidden % base->heads != 0)
		return dbert_fail(err, DBERT_E_INVALID,
						  "the teacher's width of %d is not shared by %d heads", d->teacher_hidden,
						  (int) base->heads);
	return DBERT_OK;
}

void
dbert_distill_configure(DbertTrainer *t)
{
	if (dbert_distill_reads_states(t->options.distill) || t->objective->taught->pools)
		dbert_states_configure(t);
}

static void
place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows)
{
	const DbertLesson *lesson = t->objective->taught;
	bool		tokens = dbert_distill_reads_tokens(t->options.distill);

	lesson->place(t, l, a, rows);
	if ((tokens || dbert_head_reads_mean(&t->config)) && !lesson->pools)
		a->first = dbert_layout_floats(l, rows, t->config.hidden);
	if (tokens || lesson->pools)
	{
		dbert_states_place(t, l, a);
		a->head_sums = dbert_layout_place(l, t->options.max_texts, t->config.heads, sizeof(double));
	}
}

/* ---- rows ---- */

static bool
all_rows(const DbertTrainer *t)
{
	return dbert_distill_reads_tokens(t->options.distill) || dbert_head_reads_mean(&t->config);
}

/* Does the head get some of the rows that go on? */
static bool
takes_some_rows(const DbertPass *pass)
{
	return !lesson_of(pass)->pools &&
		   (pass->head.count != pass->rows || dbert_head_reads_mean(&pass->trainer->config));
}

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

	if (takes_some_rows(pass))
		dbert_head_rows(pass, a->hidden, a->first);
	return lesson_of(pass)->forward(pass, head_input(pass));
}

/* ---- states ---- */

/*
 * The states x[N, C] after so many layers; dy as dbert_states_compare has it.
 */
static DbertStatus
compare_states(const DbertPass *pass, int layers, const float *x, float *dy)
{
	const DbertDistill *d = distill_of(pass);
	const DbertTrainer *t = pass->trainer;
	bool		last = layers == t->config.layers;
	DbertStateShares shares = {
		.cosine = last ? dbert_distill_share(d, d->cosine, pass->n) : 0,
		.squares = dbert_distill_share(d, d->hidden,
									   (double) pass->n * t->config.layers * t->config.embedding)
	};

	return dbert_states_compare(pass, x, pass->n, pass->batch->states[layers - 1], shares, dy);
}

static DbertStatus
add_states_loss(const DbertPass *pass, int layers, const float *x, double *loss)
{
	DBERT_TRY(compare_states(pass, layers, x, NULL));
	for (int i = 0; i < pass->n; i++)
		*loss += pass->trainer->acts.row_sums[i];
	return DBERT_OK;
}

static DbertStatus
states_loss(const DbertPass *pass, double *loss)
{
	const DbertTrainer *t = pass->trainer;

	if (dbert_distill_reads_states(distill_of(pass)))
		DBERT_TRY(add_states_loss(pass, t->config.layers, t->acts.hidden, loss));
	for (int l = 1; distill_of(pass)->hidden > 0 && l < t->config.layers; l++)
		DBERT_TRY(add_states_loss(pass, l, t->acts.layers[l].x, loss));
	return DBERT_OK;
}

static void
add(float *sum, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += x[i];
}

/*
 * The derivative by the states x in dx, plus beta times what is there.  The
 * matrix's gradient is begun by a lesson that pools, else by the last layer,
 * which comes first.
 */
static DbertStatus
states_backward(const DbertPass *pass, int layers, const float *x, float *dx, float beta)
{
	const DbertTrainer *t = pass->trainer;
	float	   *dy = t->acts.dprojected;
	bool		begun = layers < t->config.layers || lesson_of(pass)->pools;

	DBERT_TRY(compare_states(pass, layers, x, dy));
	if (t->config.n_steps > 0)
		return dbert_states_project_backward(pass, x, dy, pass->n, begun, dx, beta);
	if (beta == 0)
		memcpy(dx, dy, (size_t) pass->n * t->config.hidden * sizeof(float));
	else
		add(dx, dy, (size_t) pass->n * t->config.hidden);
	return DBERT_OK;
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
	DbertScoreMatch match = {
		.queries_keys = pass->batch->queries_keys[layer],
		.hidden = d->teacher_hidden,
		.share = dbert_distill_share(d, d->attention, count_scores(pass) * t->config.layers),
		.sums = t->acts.head_sums,
		.dq = dq,
		.dkv = dkv
	};

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
loss_of_pass(const DbertPass *pass, bool differentiate, double *loss, double *weight)
{
	*loss = 0;
	*weight = lesson_of(pass)->weight(pass);
	DBERT_TRY(lesson_of(pass)->loss(pass, differentiate, loss));
	DBERT_TRY(states_loss(pass, loss));
	DBERT_TRY(attention_loss(pass, loss));
	return dbert_pass_check_loss(pass, *loss);
}

/* Where tokens are compared, the head's derivative waits in t2 for theirs. */
static DbertStatus
backward(const DbertPass *pass, float *dx)
{
	const DbertTrainer *t = pass->trainer;
	const DbertActs *a = &t->acts;
	size_t		c = t->config.hidden;

	if (!all_rows(t))
		return lesson_of(pass)->backward(pass, head_input(pass), dx);
	DBERT_TRY(lesson_of(pass)->backward(pass, head_input(pass), a->t2));
	if (dbert_distill_reads_states(distill_of(pass)))
		DBERT_TRY(states_backward(pass, t->config.layers, a->hidden, dx, 0));
	else
		memset(dx, 0, pass->n * c * sizeof(float));
	if (!takes_some_rows(pass))
		add(dx, a->t2, pass->n * c);
	else
		dbert_head_rows_backward(pass, a->t2, dx);
	return DBERT_OK;
}

static DbertStatus
between(const DbertPass *pass, int layers, float *dx)
{
	if (distill_of(pass)->hidden == 0)
		return DBERT_OK;
	return states_backward(pass, layers, pass->trainer->acts.layers[layers].x, dx, 1);
}

const DbertSteps dbert_distill_steps = { .place = place,
										 .all_rows = all_rows,
										 .forward = forward,
										 .loss = loss_of_pass,
										 .backward = backward,
										 .between = between,
										 .attention = attention_backward };
