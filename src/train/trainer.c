/*
 * trainer.c -- making a trainer, its memory, and its steps.
 *
 * Two walks over one list of arrays: the first adds up their sizes with checked
 * arithmetic, the second places them in one piece of memory.
 */
#include "train/trainer.h"

#include "model/family.h"

#include "train/trainbase.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Bytes that are copied in a few milliseconds, their pages being new. */
#define COPY_BLOCK ((size_t) 8 << 20)

#define HUGE_PAGE ((size_t) 2 << 20)

/* ---- memory ---- */

void *
dbert_layout_place(DbertLayout *l, size_t rows, size_t columns, size_t size)
{
	size_t		count,
				bytes,
				at = l->total;

	if (!dbert_mul_size(rows, columns, &count) || !dbert_mul_size(count, size, &bytes) ||
		!dbert_add_size(bytes, 63, &bytes) || !dbert_add_size(at, bytes & ~(size_t) 63, &l->total))
		l->overflow = true;
	return l->base != NULL ? l->base + at : NULL;
}

float *
dbert_layout_floats(DbertLayout *l, size_t rows, size_t columns)
{
	return dbert_layout_place(l, rows, columns, sizeof(float));
}

static void
place_params(const DbertTrainer *t, DbertLayout *l, DbertParams *p)
{
	p->values = dbert_layout_floats(l, p->slots.bytes / sizeof(float), 1);
	p->gradients = dbert_layout_floats(l, p->learning.bytes / sizeof(float), 1);
	p->mean = dbert_layout_floats(l, p->learning.bytes / sizeof(float), 1);
	p->square = dbert_layout_floats(l, p->learning.bytes / sizeof(float), 1);
	p->best =
		t->options.keep_best ? dbert_layout_floats(l, p->slots.bytes / sizeof(float), 1) : NULL;
	p->w.layers = dbert_layout_place(l, t->config.layers, sizeof(DbertLayer), 1);
	p->g.layers = dbert_layout_place(l, t->config.layers, sizeof(DbertLayer), 1);
}

static DbertLayerActs
place_layer(const DbertTrainer *t, DbertLayout *l)
{
	size_t		n = t->options.max_batch_tokens,
				c = t->config.hidden;
	DbertLayerActs a = { .qkv = dbert_layout_floats(l, n, 3 * c),
						 .context = dbert_layout_floats(l, n, c),
						 .xhat1 = dbert_layout_floats(l, n, c),
						 .rstd1 = dbert_layout_floats(l, n, 1),
						 .y1 = dbert_layout_floats(l, n, c),
						 .u = dbert_layout_floats(l, n, t->config.ffn),
						 .xhat2 = dbert_layout_floats(l, n, c),
						 .rstd2 = dbert_layout_floats(l, n, 1) };

	a.x = dbert_layout_floats(l, n, c);
	return a;
}

static void
place_layers(const DbertTrainer *t, DbertLayout *l, DbertActs *a)
{
	DbertLayerActs one = {0};

	a->layers = dbert_layout_place(l, t->config.layers, sizeof(DbertLayerActs), 1);
	for (int i = 0; i < t->config.layers; i++)
	{
		if (t->layers_learn || i == 0)
			one = place_layer(t, l);
		if (a->layers != NULL)
			a->layers[i] = one;
	}
}

size_t
dbert_attention_columns_most(const DbertTrainer *t)
{
	const DbertDistill *d = t->options.distill;
	int widest = d != NULL && d->attention > 0 && d->teacher_hidden > t->config.hidden
					 ? d->teacher_hidden
					 : t->config.hidden;

	return widest / t->config.heads;
}

static void
place_acts(DbertTrainer *t, DbertLayout *l, DbertActs *a)
{
	const DbertTrainOptions *o = &t->options;
	size_t		n = o->max_batch_tokens,
				c = t->config.hidden,
				f = t->config.ffn;

	a->xhat0 = dbert_layout_floats(l, n, c);
	a->rstd0 = dbert_layout_floats(l, n, 1);
	place_layers(t, l, a);
	a->hidden = dbert_layout_floats(l, n, c);
	t->objective->place(t, l, a, o->head == DBERT_HEAD_SEQUENCE ? (size_t) o->max_texts : n);
	a->wide = dbert_layout_floats(l, n, f);
	a->wide2 = dbert_layout_floats(l, n, f > 3 * c ? f : 3 * c);
	a->t = dbert_layout_floats(l, n, c);
	a->t2 = dbert_layout_floats(l, n, c);
	a->packed = dbert_layout_floats(l, DBERT_PRODUCT_SCRATCH, 1);
	a->attention =
		dbert_layout_floats(l, o->threads,
							dbert_self_attention_scratch(o->max_text_tokens,
														 dbert_attention_columns_most(t)));
	a->sums = dbert_layout_place(l, dbert_adamw_parts(&t->params), sizeof(double), 1);
}

static DbertStatus
place_all(DbertTrainer *t, DbertLayout *l, DbertError *err)
{
	l->total = 0;
	place_params(t, l, &t->params);
	place_acts(t, l, &t->acts);
	if (l->overflow)
		return dbert_fail(err, DBERT_E_LIMIT, "training needs more memory than can be addressed");
	return DBERT_OK;
}

/* ---- making ---- */

static bool
has_labels(const DbertTrainOptions *o)
{
	return o->head == DBERT_HEAD_SEQUENCE || dbert_head_of_tokens(o->head);
}

static DbertStatus
check_embedding(const DbertConfig *config, const DbertTrainOptions *o, DbertError *err)
{
	if (o->head_only)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "embeddings have no head that could learn alone");
	if (config->dense)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "embeddings of a model with a Dense module cannot be trained");
	if (config->pooling != DBERT_POOL_MEAN && config->pooling != DBERT_POOL_CLS)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "embeddings can be trained with mean and cls pooling only");
	if (o->max_texts < 2 && o->distill == NULL)
		return dbert_fail(err, DBERT_E_INVALID, "embeddings are learnt from pairs of texts");
	return DBERT_OK;
}

static DbertStatus
check_options(const DbertTrainBase *base, const DbertTrainOptions *o, DbertError *err)
{
	const DbertConfig *config = dbert_trainbase_config(base);

	if (o->head == DBERT_HEAD_SPAN &&
		(o->distill == NULL || o->distill->hard > 0 || o->n_labels != 2))
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "heads that find answers learn from a teacher alone");
	if (o->head == DBERT_HEAD_MASK && (o->head_only || o->freeze_embeddings))
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "masked tokens are learnt by the whole model");
	if (o->head == DBERT_HEAD_NONE)
		DBERT_TRY(check_embedding(config, o, err));
	if (o->distill != NULL && o->head_only)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "from a teacher a whole model learns");
	if (o->distill != NULL && o->head == DBERT_HEAD_MASK &&
		(o->distill->top < 1 || o->distill->top > DBERT_DISTILL_TOP ||
		 o->distill->top > config->vocab))
		return dbert_fail(err, DBERT_E_INVALID, "a teacher that names %d tokens", o->distill->top);
	if (o->distill != NULL && o->distill->attention > 0 &&
		o->distill->teacher_hidden % config->heads != 0)
		return dbert_fail(err, DBERT_E_INVALID,
						  "the teacher's width of %d is not shared by %d heads",
						  o->distill->teacher_hidden, (int) config->heads);
	if (has_labels(o) && (o->n_labels < 1 || o->n_labels > DBERT_MAX_LABELS))
		return dbert_fail(err, DBERT_E_LIMIT, "%d labels, 1 to %d are allowed", o->n_labels,
						  DBERT_MAX_LABELS);
	if (o->max_text_tokens < 1 || o->max_text_tokens > config->positions ||
		o->max_batch_tokens < o->max_text_tokens || o->max_texts < 1 || o->steps < 1 ||
		!(o->dropout >= 0 && o->dropout < 1) || o->threads < 1 || o->threads > DBERT_MAX_THREADS)
		return dbert_fail(err, DBERT_E_INVALID, "options of training are out of range");
	return DBERT_OK;
}

static const DbertObjective *
choose_objective(const DbertTrainOptions *o)
{
	if (o->distill != NULL)
		return &dbert_distill;
	if (o->head == DBERT_HEAD_MASK)
		return &dbert_masked_lm;
	return o->head == DBERT_HEAD_NONE ? &dbert_embedding : &dbert_classify;
}

/* Everything that sizes follow from; the slots are allocated. */
static DbertStatus
plan(DbertTrainer *t, const DbertTrainBase *base, const DbertTrainOptions *options,
	 const DbertAllocator *alloc, DbertError *err)
{
	DBERT_TRY(check_options(base, options, err));
	t->alloc = alloc;
	t->options = *options;
	t->objective = choose_objective(options);
	t->layers_learn = !options->head_only;
	t->embeddings_learn = t->layers_learn && !options->freeze_embeddings;
	t->config = *dbert_trainbase_config(base);
	t->config.head = options->head;
	t->config.problem =
		options->head == DBERT_HEAD_SEQUENCE ? options->problem : DBERT_PROBLEM_SINGLE;
	t->config.n_labels = has_labels(options) ? options->n_labels : 0;
	if (options->head == DBERT_HEAD_NONE && !base->sentence)
		t->config.normalize = 1;
	t->config.dense = 0;		/* a sentence encoder's, which classes have no use for */
	t->config.embedding = t->config.hidden;
	if (options->distill != NULL &&
		(dbert_distill_reads_states(options->distill) || options->head == DBERT_HEAD_NONE) &&
		options->distill->teacher_hidden != t->config.hidden)
	{
		t->config.dense = 1;	/* but states have, to become as wide as the teacher's */
		t->config.dense_bias = 0;
		t->config.embedding = options->distill->teacher_hidden;
	}
	dbert_family_name_architecture(&t->config, options->head);
	t->tied = options->head == DBERT_HEAD_MASK &&
		(dbert_trainbase_config(base)->head != DBERT_HEAD_MASK ||
		 dbert_slots_tied(&t->config, &base->pack->tensors));
	return dbert_params_plan(t, alloc, &t->params, err);
}

static void
free_plan(DbertTrainer *t)
{
	dbert_free(t->alloc, t->params.slots.items);
	dbert_free(t->alloc, t->params.learning.items);
}

DbertStatus
dbert_trainer_bytes(const DbertTrainBase *base, const DbertTrainOptions *options, uint64_t *bytes,
					DbertError *err)
{
	DbertTrainer t;
	DbertLayout	l = {0};
	DbertStatus status;

	memset(&t, 0, sizeof(t));
	t.alloc = dbert_trainbase_allocator(base);
	status = plan(&t, base, options, t.alloc, err);
	if (status == DBERT_OK)
		status = place_all(&t, &l, err);
	free_plan(&t);
	*bytes = l.total;
	return status;
}

/*
 * memcpy, or memset when from is NULL, in blocks between which the poll is
 * asked.
 */
static DbertStatus
copy(void *to, const void *from, size_t bytes, const DbertPoll *poll, DbertError *err)
{
	for (size_t at = 0, n; at < bytes; at += n)
	{
		n = bytes - at < COPY_BLOCK ? bytes - at : COPY_BLOCK;
		if (dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		if (from != NULL)
			memcpy((char *) to + at, (const char *) from + at, n);
		else
			memset((char *) to + at, 0, n);
	}
	return DBERT_OK;
}

/*
 * A gigabyte in pages of 4 kB takes a tenth of a second to release, which is
 * when somebody waits for a training that he cancelled.  A wish: it may fail.
 */
static void
prefer_huge_pages(char *memory, size_t bytes)
{
#ifdef MADV_HUGEPAGE
	char *first = (char *) (((uintptr_t) memory + HUGE_PAGE - 1) & ~(uintptr_t) (HUGE_PAGE - 1));

	if (bytes > 2 * HUGE_PAGE)
		(void) madvise(first, (bytes - (size_t) (first - memory)) & ~(HUGE_PAGE - 1),
					   MADV_HUGEPAGE);
#endif
}

static DbertStatus
fill(DbertTrainer *t, const DbertPoll *poll, DbertError *err)
{
	DbertParams *p = &t->params;
	DbertLayer *w_layers,
			   *g_layers;
	DbertLayout	l = {0};

	DBERT_TRY(place_all(t, &l, err));
	t->memory = dbert_alloc(t->alloc, l.total + 63);
	if (t->memory == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory: training needs %zu MB",
						  l.total >> 20);
	prefer_huge_pages(t->memory, l.total);
	l.base = (char *) (((uintptr_t) t->memory + 63) & ~(uintptr_t) 63);
	DBERT_TRY(place_all(t, &l, err));

	w_layers = p->w.layers;
	g_layers = p->g.layers;
	memset(w_layers, 0, t->config.layers * sizeof(*w_layers));
	memset(g_layers, 0, t->config.layers * sizeof(*g_layers));
	DBERT_TRY(copy(p->mean, NULL, p->learning.bytes, poll, err));
	DBERT_TRY(copy(p->square, NULL, p->learning.bytes, poll, err));
	dbert_slots_place(&p->slots, &t->config, p->values, &p->w);
	dbert_slots_place(&p->learning, &t->config, p->gradients, &p->g);
	return dbert_params_load(t, poll, err);
}

DbertStatus
dbert_trainer_create(DbertTrainBase *base, const DbertTrainOptions *options,
					 const DbertAllocator *alloc, const DbertPoll *poll, DbertTrainer **trainer,
					 DbertError *err)
{
	DbertTrainer *t = dbert_alloc_zero(alloc, 1, sizeof(*t));
	DbertStatus status;

	*trainer = NULL;
	if (t == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	t->alloc = alloc;
	t->base = base;
	status = plan(t, base, options, alloc, err);
	if (status == DBERT_OK)
		status = fill(t, poll, err);
	if (status != DBERT_OK)
	{
		dbert_trainer_free(t);
		return status;
	}
	*trainer = t;
	return DBERT_OK;
}

void
dbert_trainer_free(DbertTrainer *trainer)
{
	if (trainer == NULL)
		return;
	free_plan(trainer);
	dbert_free(trainer->alloc, trainer->memory);
	dbert_free(trainer->alloc, trainer);
}

void
dbert_trainer_set_pool(DbertTrainer *trainer, DbertThreads *pool)
{
	trainer->pool = pool;
}

bool
dbert_trainer_kept_head(const DbertTrainer *trainer)
{
	return trainer->kept_head;
}

/* ---- running ---- */

/* The tokens that a teacher names. */
static DbertStatus
check_named(const DbertTrainer *t, const DbertTrainBatch *batch, DbertError *err)
{
	const DbertDistill *d = t->options.distill;

	if (d == NULL || d->soft <= 0)
		return DBERT_OK;
	for (size_t i = 0; i < (size_t) batch->n_masked * d->top; i++)
		if (batch->soft_ids[i] < 0 || batch->soft_ids[i] >= t->config.vocab)
			return dbert_fail(err, DBERT_E_INVALID,
							  "the teacher names a token that is not in the vocabulary");
	return DBERT_OK;
}

/* Places and classes of masked tokens. */
static DbertStatus
check_masked(const DbertTrainer *t, const DbertTrainBatch *batch, DbertError *err)
{
	int			before = -1;

	if (batch->n_masked < 1)
		return dbert_fail(err, DBERT_E_INVALID, "a batch without a masked token");
	for (int i = 0; i < batch->n_masked; i++)
	{
		if (batch->masked[i] <= before || batch->masked[i] >= batch->cu[batch->n_texts] ||
			batch->classes[i] < 0 || batch->classes[i] >= t->config.vocab)
			return dbert_fail(err, DBERT_E_INVALID,
							  "masked tokens are out of order or out of range");
		before = batch->masked[i];
	}
	return check_named(t, batch, err);
}

static DbertStatus
check_batch(const DbertTrainer *t, const DbertTrainBatch *batch, DbertError *err)
{
	const DbertTrainOptions *o = &t->options;

	if (batch->n_texts < 1 || batch->n_texts > o->max_texts)
		return dbert_fail(err, DBERT_E_LIMIT, "a batch of %d texts, but room is for 1 to %d",
						  batch->n_texts, o->max_texts);
	if (batch->cu[batch->n_texts] > o->max_batch_tokens)
		return dbert_fail(err, DBERT_E_LIMIT, "a batch of %d tokens, but room is for %d",
						  (int) batch->cu[batch->n_texts], o->max_batch_tokens);
	for (int b = 0; b < batch->n_texts; b++)
		if (batch->cu[b + 1] - batch->cu[b] < 1 ||
			batch->cu[b + 1] - batch->cu[b] > o->max_text_tokens)
			return dbert_fail(err, DBERT_E_LIMIT, "a text of %d tokens, but room is for 1 to %d",
							  (int) (batch->cu[b + 1] - batch->cu[b]), o->max_text_tokens);
	if (o->head == DBERT_HEAD_NONE && o->distill == NULL && batch->n_texts % 2 != 0)
		return dbert_fail(err, DBERT_E_INVALID, "a text without a partner");
	return o->head == DBERT_HEAD_MASK ? check_masked(t, batch, err) : DBERT_OK;
}

/* The rows that the head takes. */
static void
pick_rows(const DbertTrainer *t, DbertPass *pass)
{
	const DbertTrainBatch *batch = pass->batch;

	if (t->options.distill != NULL && dbert_distill_reads_tokens(t->options.distill))
	{
		pass->rows = pass->n;	/* all are compared */
		return;
	}
	switch (t->options.head)
	{
		case DBERT_HEAD_MASK:
			pass->rows = batch->n_masked;
			pass->picked = batch->masked;
			break;
		case DBERT_HEAD_NONE:
			pass->rows = t->config.pooling == DBERT_POOL_CLS ? batch->n_texts : pass->n;
			pass->picked = t->config.pooling == DBERT_POOL_CLS ? batch->cu : NULL;
			break;
		case DBERT_HEAD_TOKEN:
		case DBERT_HEAD_SPAN:
			pass->rows = pass->n;
			break;
		default:
			pass->rows = batch->n_texts;
			pass->picked = batch->cu;
	}
}

DbertStatus
dbert_pass_begin(DbertTrainer *t, const DbertTrainBatch *batch, bool training,
				 const DbertPoll *poll, DbertError *err, DbertPass *pass)
{
	DBERT_TRY(check_batch(t, batch, err));
	if (dbert_threads_count(t->pool) > t->options.threads)
		return dbert_fail(err, DBERT_E_LIMIT, "%d threads, but room is for %d",
						  dbert_threads_count(t->pool), t->options.threads);
	*pass = (DbertPass){ .trainer = t,
						 .batch = batch,
						 .training = training,
						 .n = batch->cu[batch->n_texts],
						 .run = { .kernels = t->options.kernels,
								  .packed = t->acts.packed,
								  .pool = t->pool,
								  .poll = poll,
								  .err = err } };
	pick_rows(t, pass);
	return DBERT_OK;
}

DbertStatus
dbert_trainer_step(DbertTrainer *trainer, const DbertTrainBatch *batch, const DbertPoll *poll,
				   double *loss, DbertError *err)
{
	DbertPass	pass;
	double		weight;

	DBERT_TRY(dbert_pass_begin(trainer, batch, true, poll, err, &pass));
	DBERT_TRY(dbert_pass_forward(&pass));
	DBERT_TRY(trainer->objective->loss(&pass, true, loss, &weight));
	DBERT_TRY(dbert_pass_backward(&pass));
	DBERT_TRY(dbert_adamw_step(&pass));
	trainer->step++;
	return DBERT_OK;
}

DbertStatus
dbert_trainer_evaluate(DbertTrainer *trainer, const DbertTrainBatch *batch, const DbertPoll *poll,
					   const float **logits, double *loss, double *weight, DbertError *err)
{
	DbertPass	pass;

	DBERT_TRY(dbert_pass_begin(trainer, batch, false, poll, err, &pass));
	DBERT_TRY(dbert_pass_forward(&pass));
	*logits = trainer->acts.logits;
	return trainer->objective->loss(&pass, false, loss, weight);
}

DbertStatus
dbert_trainer_keep(DbertTrainer *trainer, const DbertPoll *poll, DbertError *err)
{
	DBERT_TRY(
		copy(trainer->params.best, trainer->params.values, trainer->params.slots.bytes, poll, err));
	trainer->kept = true;
	return DBERT_OK;
}

DbertStatus
dbert_trainer_restore(DbertTrainer *trainer, const DbertPoll *poll, DbertError *err)
{
	return copy(trainer->params.values, trainer->params.best, trainer->params.slots.bytes, poll,
				err);
}
