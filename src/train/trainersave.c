/*
 * trainersave.c -- what a trainer remembers from one step to the next, for
 * callers that save it and go on another day.
 *
 * That is, of the parameters that learn: values, both moments, and the best
 * values once there are any.  Everything else is read from the base again, or
 * written by each step before it is read.
 */
#include "train/plan.h"

#include <string.h>

/* Array by array, slot by slot. */
typedef enum Array
{
	ARRAY_VALUES,
	ARRAY_MEAN,
	ARRAY_SQUARE,
	ARRAY_BEST
} Array;

static float *
array_of(const DbertParams *p, Array array)
{
	switch (array)
	{
		case ARRAY_MEAN:
			return p->mean;
		case ARRAY_SQUARE:
			return p->square;
		case ARRAY_BEST:
			return p->best;
		default:
			return p->values;
	}
}

bool
dbert_trainer_block(DbertTrainer *trainer, int i, DbertTrainerBlock *block)
{
	const DbertParams *p = &trainer->params;
	Array		array = (Array) (i / p->slots.count);
	int			slot = i % p->slots.count;
	const DbertSlots *plan =
		array == ARRAY_VALUES || array == ARRAY_BEST ? &p->slots : &p->learning;

	if (array > ARRAY_BEST || (array == ARRAY_BEST && !trainer->kept))
		return false;
	block->data = (char *) array_of(p, array) + plan->items[slot].offset;
	block->bytes = (size_t) p->learning.items[slot].bytes;
	return true;
}

int64_t
dbert_trainer_steps(const DbertTrainer *trainer)
{
	return trainer->step;
}

bool
dbert_trainer_kept(const DbertTrainer *trainer)
{
	return trainer->kept;
}

DbertStatus
dbert_trainer_continue(DbertTrainer *trainer, int64_t steps, bool kept, const DbertPoll *poll,
					   DbertError *err)
{
	if (steps < 0 || steps > trainer->options.steps || (kept && trainer->params.best == NULL))
		return dbert_fail(err, DBERT_E_INVALID, "the training cannot go on from there");
	trainer->step = steps;
	/* of what does not learn the best is what there is */
	return kept ? dbert_trainer_keep(trainer, poll, err) : DBERT_OK;
}
