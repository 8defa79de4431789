/*
 * params.c -- the parameters: where they stand, what they begin with.
 *
 * The model room plans them as for row-major kernels: an array for each weight,
 * with query, key and value stacked in one matrix.
 */
#include "train/params.h"

#include "train/random.h"
#include "train/trainbase.h"

#include <string.h>

/* Random numbers of a millisecond or less. */
#define POLL_NUMBERS 16384

static bool
learns(const DbertTrainer *trainer, const DbertSlot *slot)
{
	switch (dbert_slot_role(slot))
	{
		case DBERT_ROLE_EMBEDDING:
			return trainer->embeddings_learn;
		case DBERT_ROLE_LAYER:
			return trainer->layers_learn;
		default:
			return true;
	}
}

/* The same plan without what is frozen. */
static void
leave_out_frozen(const DbertTrainer *trainer, DbertSlots *slots)
{
	slots->bytes = 0;
	for (int i = 0; i < slots->count; i++)
	{
		DbertSlot  *slot = &slots->items[i];

		if (!learns(trainer, slot))
			slot->bytes = 0;
		slot->offset = slots->bytes;
		slots->bytes += dbert_pack_aligned(slot->bytes);
	}
}

DbertStatus
dbert_params_plan(const DbertTrainer *trainer, const DbertAllocator *alloc, DbertParams *params,
				  DbertError *err)
{
	DBERT_TRY(dbert_slots_plan(&trainer->config, trainer->tied, &dbert_kernels_scalar, alloc,
							   &params->slots, err));
	DBERT_TRY(dbert_slots_plan(&trainer->config, trainer->tied, &dbert_kernels_scalar, alloc,
							   &params->learning, err));
	leave_out_frozen(trainer, &params->learning);
	return DBERT_OK;
}

/* The base's output layer is for these labels, in this order. */
static bool
same_labels(const DbertTrainer *trainer)
{
	const DbertConfig *base = dbert_trainbase_config(trainer->base);

	if (base->head != trainer->config.head || base->n_labels != trainer->config.n_labels ||
		base->problem != trainer->config.problem)
		return false;
	for (int i = 0; i < base->n_labels; i++)
		if (strcmp(dbert_trainbase_label(trainer->base, i), trainer->options.labels[i]) != 0)
			return false;
	return true;
}

/* Matrices at random, norms 1, biases 0. */
static DbertStatus
begin_slot(const DbertTrainer *trainer, const DbertSlot *slot, int number, float *out,
		   const DbertPoll *poll, DbertError *err)
{
	size_t		count = (size_t) slot->rows * slot->cols;
	uint64_t	key = dbert_random_key(trainer->options.seed, DBERT_STREAM_INIT, number);
	float		vector = dbert_slot_is_norm(slot) ? 1 : 0;

	for (size_t i = 0; i < count; i++)
	{
		if (i % POLL_NUMBERS == 0 && dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		out[i] = dbert_slot_is_matrix(slot)
			? (float) (DBERT_INIT_STD * dbert_random_normal(key, i))
			: vector;
	}
	return DBERT_OK;
}

static DbertStatus
load_slot(DbertTrainer *trainer, const DbertSlot *slot, int number, void *block,
		  const DbertPoll *poll, DbertError *err)
{
	float	   *out = (float *) ((char *) trainer->params.values + slot->offset);

	if (slot->kind == DBERT_SLOT_TIED)
		return DBERT_OK;
	if (slot->n_parts == 0 || (dbert_slot_role(slot) == DBERT_ROLE_OUTPUT && !trainer->kept_head))
		return begin_slot(trainer, slot, number, out, poll, err);
	for (int part = 0; part < slot->n_parts; part++)
	{
		DBERT_TRY(dbert_tensor_read(&trainer->base->pack->source, slot->parts[part], out, block,
									poll, err));
		out += slot->parts[part]->count;
	}
	return DBERT_OK;
}

DbertStatus
dbert_params_load(DbertTrainer *trainer, const DbertPoll *poll, DbertError *err)
{
	DbertSlots *slots = &trainer->params.slots;
	void	   *block = dbert_alloc(trainer->alloc, DBERT_READ_BLOCK);
	DbertStatus status;

	if (block == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	trainer->kept_head = same_labels(trainer);
	status = dbert_slots_match_encoder(slots, &trainer->config, &trainer->base->pack->tensors, err);
	for (int i = 0; status == DBERT_OK && i < slots->count; i++)
		status = load_slot(trainer, &slots->items[i], i, block, poll, err);
	dbert_free(trainer->alloc, block);
	return status;
}
