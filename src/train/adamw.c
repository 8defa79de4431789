/*
 * adamw.c -- clipping by the global norm, the learning rate's course, AdamW.
 *
 * As torch.optim.AdamW (betas 0.9 and 0.999, eps 1e-8),
 * torch.nn.utils.clip_grad_norm_ and transformers' linear schedule with
 * warm-up.  Source: Loshchilov and Hutter 2017 (arXiv:1711.05101), algorithm 2.
 */
#include "train/adamw.h"

#include <math.h>

#define BETA1 0.9
#define BETA2 0.999
#define EPS 1e-8

/* Floats of a part; parts of one slot begin at its beginning. */
#define PART_FLOATS 65536

#define PARTS_BETWEEN 16

typedef struct Update
{
	const DbertParams *params;
	const DbertTrainKernels *kernels;
	double	   *sums;			/* [parts] */
	double		clip;			/* factor of the gradients */
	double		rate;			/* learning rate of this step */
	double		decay;
	double		correction1,	/* 1 - beta^step */
				correction2;
} Update;

static size_t
slot_floats(const DbertSlot *slot)
{
	return slot->bytes / sizeof(float);
}

size_t
dbert_adamw_parts(const DbertParams *params)
{
	size_t		parts = 0;

	for (int i = 0; i < params->learning.count; i++)
		parts += (slot_floats(&params->learning.items[i]) + PART_FLOATS - 1) / PART_FLOATS;
	return parts;
}

/* Slot number and first float of a part; slots are few. */
static int
slot_of_part(const DbertParams *params, int part, size_t *first)
{
	for (int i = 0;; i++)
	{
		size_t parts = (slot_floats(&params->learning.items[i]) + PART_FLOATS - 1) / PART_FLOATS;

		if ((size_t) part < parts)
		{
			*first = (size_t) part * PART_FLOATS;
			return i;
		}
		part -= (int) parts;
	}
}

static size_t
part_end(const DbertSlot *slot, size_t first)
{
	return first + PART_FLOATS < slot_floats(slot) ? first + PART_FLOATS : slot_floats(slot);
}

static DbertStatus
sum_part(void *ctx, int part, int worker)
{
	const Update *u = ctx;
	size_t		first;
	const DbertSlot *slot = &u->params->learning.items[slot_of_part(u->params, part, &first)];
	const float *g = u->params->gradients + slot->offset / sizeof(float);

	u->sums[part] = u->kernels->sum_squares(g + first, part_end(slot, first) - first);
	return DBERT_OK;
}

static DbertStatus
update_part(void *ctx, int part, int worker)
{
	const Update *u = ctx;
	const DbertParams *p = u->params;
	size_t		first;
	int			number = slot_of_part(p, part, &first);
	const DbertSlot *slot = &p->learning.items[number];
	size_t		at = slot->offset / sizeof(float);
	DbertAdamW	step = {
		.clip = (float) u->clip,.beta1 = (float) BETA1,.beta2 = (float) BETA2,.eps = (float) EPS,
		.shrink = (float) (1 - (dbert_slot_is_matrix(slot) ? u->rate * u->decay : 0)),
		.rate = (float) (u->rate / u->correction1),.root = (float) (1 / sqrt(u->correction2))
	};

	u->kernels->adamw(p->values + p->slots.items[number].offset / sizeof(float) + first,
					  p->gradients + at + first, p->mean + at + first, p->square + at + first,
					  part_end(slot, first) - first, &step);
	return DBERT_OK;
}

/* Rises from 0 over the warm-up, then falls to 0 at the end. */
static double
learning_rate(const DbertTrainOptions *o, int64_t step)
{
	int64_t		warm = (int64_t) (o->warmup * (double) o->steps);
	double		share;

	if (step < warm)
		share = (double) step / warm;
	else
		share = step < o->steps ? (double) (o->steps - step) / (o->steps - warm) : 0;
	return o->learning_rate * share;
}

static DbertStatus
clip_factor(const DbertPass *pass, Update *u, int parts)
{
	double		max = pass->trainer->options.max_grad_norm,
				sum = 0;

	u->clip = 1;
	if (max == 0)
		return DBERT_OK;
	DBERT_TRY(dbert_train_parallel(&pass->run, parts, PARTS_BETWEEN, sum_part, u));
	for (int i = 0; i < parts; i++)
		sum += u->sums[i];
	if (!isfinite(sum))
		return dbert_fail(pass->run.err, DBERT_E_INVALID,
						  "gradients are no longer finite: training has diverged");
	if (sqrt(sum) + 1e-6 > max)
		u->clip = max / (sqrt(sum) + 1e-6);
	return DBERT_OK;
}

DbertStatus
dbert_adamw_step(const DbertPass *pass)
{
	const DbertTrainer *t = pass->trainer;
	int			parts = (int) dbert_adamw_parts(&t->params);
	Update		u = {
		.params = &t->params,.kernels = pass->run.kernels->train,.sums = t->acts.sums,
		.rate = learning_rate(&t->options, t->step),.decay = t->options.weight_decay,
		.correction1 = 1 - pow(BETA1, (double) t->step + 1),
		.correction2 = 1 - pow(BETA2, (double) t->step + 1)
	};

	DBERT_TRY(clip_factor(pass, &u, parts));
	return dbert_train_parallel(&pass->run, parts, PARTS_BETWEEN, update_part, &u);
}
