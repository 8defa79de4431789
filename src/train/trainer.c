/*
 * trainer.c -- making a trainer, its memory, and its steps.
 *
 * All arrays lie in one piece of memory, which is allocated once.  The same
 * functions walk over them twice: the first time they add up sizes, the second
 * time they place the arrays.
 *
 * What a head wants of all this, its objective says (objective.h).
 */
#include "model/distances.h"
#include "model/family.h"
#include "train/adamw.h"
#include "train/distill.h"
#include "train/params.h"
#include "train/pass.h"
#include "train/passbegin.h"
#include "train/prenorm.h"
#include "train/trainbase.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Bytes that are copied to new pages in a few milliseconds. */
#define COPY_BLOCK ((size_t) 8 << 20)

#define HUGE_PAGE ((size_t) 2 << 20)

/* ---- memory ---- */

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
						 .u = dbert_layout_floats(l, n, dbert_ffn_rows(&t->config)),
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
	dbert_prenorm_place(t, l, a);
	t->steps->place(t, l, a, t->objective->rows_most(o));
	a->wide = dbert_layout_floats(l, n, f > c ? f : c);
	a->wide2 = dbert_layout_floats(l, n, f > 3 * c ? f : 3 * c);
	a->t = dbert_layout_floats(l, n, c);
	a->t2 = dbert_layout_floats(l, n, c);
	a->packed = dbert_layout_floats(l, DBERT_PRODUCT_SCRATCH, 1);
	a->attention =
		dbert_layout_floats(l, o->threads,
							dbert_self_attention_scratch(o->max_text_tokens,
														 dbert_attention_columns_most(t)));
	a->dbias = dbert_layout_floats(l, t->config.bias_rows > 0 ? o->max_texts : 0,
								   (size_t) t->config.heads * DBERT_BIAS_ROWS);
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

/* Whether the head can learn from what there is: labels or a teacher. */
static DbertStatus
check_objective(const DbertObjective *objective, const DbertConfig *base,
				const DbertTrainOptions *o, DbertError *err)
{
	if (objective == NULL)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "there is no training for such a head");
	if (o->distill == NULL && objective->alone == NULL)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s learn from a teacher alone",
						  objective->name);
	if (o->distill != NULL && objective->taught == NULL)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s cannot learn from a teacher",
						  objective->name);
	if (objective->check_options != NULL)
		DBERT_TRY(objective->check_options(base, o, err));
	return o->distill != NULL ? dbert_distill_check_options(base, o, err) : DBERT_OK;
}

static DbertStatus
check_options(const DbertObjective *objective, const DbertConfig *base, const DbertTrainOptions *o,
			  DbertError *err)
{
	const DbertFamily *family = dbert_family_of(base);

	if (!dbert_family_has_head(family, o->head))
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "a model of type \"%s\" has no head for the task \"%s\"",
						  family->model_type, dbert_head_traits(o->head)->task);
	DBERT_TRY(check_objective(objective, base, o, err));
	if (dbert_head_names_columns(o->head) && (o->n_labels < 1 || o->n_labels > DBERT_MAX_LABELS))
		return dbert_fail(err, DBERT_E_LIMIT, "%d labels, 1 to %d are allowed", o->n_labels,
						  DBERT_MAX_LABELS);
	if (o->max_text_tokens < 1 || o->max_text_tokens > base->positions - base->first_position ||
		o->max_batch_tokens < o->max_text_tokens || o->max_texts < 1 || o->steps < 1 ||
		!(o->dropout >= 0 && o->dropout < 1) || o->threads < 1 || o->threads > DBERT_MAX_THREADS)
		return dbert_fail(err, DBERT_E_INVALID, "options of training are out of range");
	return DBERT_OK;
}

/*
 * The trained model's config: the base's with the new head, and without what
 * stands behind its pooling, which no head has a use for.
 */
static void
configure(DbertTrainer *t)
{
	DbertConfig *c = &t->config;

	*c = *dbert_trainbase_config(t->base);
	c->head = t->options.head;
	c->problem =
		dbert_head_traits(c->head)->has_problem ? t->options.problem : DBERT_PROBLEM_SINGLE;
	c->n_labels = dbert_head_names_columns(c->head) ? t->options.n_labels : 0;
	c->n_steps = 0;
	c->embedding = c->hidden;
	dbert_family_name_architecture(c, c->head);
	if (t->objective->configure != NULL)
		t->objective->configure(t);
	if (t->options.distill != NULL)
		dbert_distill_configure(t);
}

/* Everything that sizes follow from; the slots are allocated. */
static DbertStatus
plan(DbertTrainer *t, const DbertTrainBase *base, const DbertTrainOptions *options, DbertError *err)
{
	const DbertObjective *objective = dbert_objective_of(options->head);

	DBERT_TRY(check_options(objective, dbert_trainbase_config(base), options, err));
	t->base = base;
	t->options = *options;
	t->objective = objective;
	t->steps = options->distill != NULL ? &dbert_distill_steps : objective->alone;
	t->layers_learn = !options->head_only;
	t->embeddings_learn = t->layers_learn && !options->freeze_embeddings;
	configure(t);
	return dbert_params_plan(t, t->alloc, &t->params, err);
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
	status = plan(&t, base, options, err);
	if (status == DBERT_OK)
		status = place_all(&t, &l, err);
	free_plan(&t);
	*bytes = l.total;
	return status;
}

/*
 * Copy, or clear when from is NULL, and ask the poll between blocks.
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
 * Ask for huge pages.  A gigabyte in pages of 4 kB takes a tenth of a second to
 * release, and whoever cancels a training waits for that.  The kernel may
 * refuse, which does no harm.
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
	l = dbert_layout_in(t->memory);
	DBERT_TRY(place_all(t, &l, err));

	w_layers = p->w.layers;
	g_layers = p->g.layers;
	memset(w_layers, 0, t->config.layers * sizeof(*w_layers));
	memset(g_layers, 0, t->config.layers * sizeof(*g_layers));
	DBERT_TRY(copy(p->mean, NULL, p->learning.bytes, poll, err));
	DBERT_TRY(copy(p->square, NULL, p->learning.bytes, poll, err));
	dbert_slots_place(&p->slots, &t->config, p->values, &p->w);
	dbert_slots_place(&p->learning, &t->config, p->gradients, &p->g);
	dbert_prenorm_fill(t);
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
	status = plan(t, base, options, err);
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

void
dbert_trainer_scale_output(DbertTrainer *trainer, float factor)
{
	const DbertSlots *slots = &trainer->params.slots;

	for (int i = 0; i < slots->count; i++)
	{
		const DbertSlot *slot = &slots->items[i];
		float	   *values = (float *) ((char *) trainer->params.values + slot->offset);

		for (uint64_t j = 0; dbert_slot_role(slot) == DBERT_ROLE_OUTPUT &&
			 j < slot->bytes / sizeof(float); j++)
			values[j] *= factor;
	}
}

bool
dbert_trainer_kept_head(const DbertTrainer *trainer)
{
	return trainer->kept_head;
}

/* ---- running ---- */

DbertStatus
dbert_trainer_step(DbertTrainer *trainer, const DbertTrainBatch *batch, const DbertPoll *poll,
				   double *loss, DbertError *err)
{
	DbertPass	pass;
	double		weight;

	DBERT_TRY(dbert_pass_begin(trainer, batch, true, poll, err, &pass));
	DBERT_TRY(dbert_pass_forward(&pass));
	DBERT_TRY(trainer->steps->loss(&pass, true, loss, &weight));
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
	return trainer->steps->loss(&pass, false, loss, weight);
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
