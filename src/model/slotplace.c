/*
 * slotplace.c -- from a plan and an image to the fields that code reads.
 */
#include "model/slotrule.h"

static int
head_activation(const DbertConfig *config)
{
	int			act = dbert_head_names(config)->act;

	if (act == DBERT_ACT_OF_HEAD)
		return config->head_act;
	return act == DBERT_ACT_OF_MODEL ? config->act : act;
}

/* at: of a TIED slot, the word embedding */
static void
place_linear(const DbertSlot *slot, const void *at, DbertLinear *linear)
{
	if (slot->kind == DBERT_SLOT_LINEAR8)
		linear->w8 = at;
	else if (dbert_slot_is_half(slot))
		linear->w16 = (DbertHalves) {at, slot->type};
	else
		linear->w = at;
	linear->n = slot->rows;
	linear->k = slot->cols;
}

/* owner: the weights, one of their layers or of their steps */
static void
place_slot(const DbertSlot *slot, const char *at, void *owner, DbertWeights *weights)
{
	char	   *field = (char *) owner + slot->rule->field;

	if (slot->kind == DBERT_SLOT_ROWS8)
	{
		weights->word8 = (const int8_t *) at;
		weights->word8_scale = (const float *) (at + dbert_rows8_scales(slot));
	}
	else if (slot->kind == DBERT_SLOT_ROWS && dbert_slot_is_half(slot))
		*(slot->rule->module == DBERT_MODULE_WORD ? &weights->word16 : &weights->position16) =
			(DbertHalves) {(const uint16_t *) at, slot->type};
	else if (slot->rule->shape == DBERT_SHAPE_ARRAY ||
			 slot->rule->shape == DBERT_SHAPE_ARRAY_BIAS ||
			 slot->rule->shape == DBERT_SHAPE_DISTANCES)
		*(const float **) field = (const float *) at;
	else if (slot->rule->shape == DBERT_SHAPE_BIAS)
		((DbertLinear *) field)->b = (const float *) at;
	else
		place_linear(slot, at, (DbertLinear *) field);
}

/* Several layers may run with the same weights. */
static void
place_layer(const DbertSlot *slot, const char *at, const DbertConfig *config,
			DbertWeights *weights)
{
	for (int l = 0; l < config->layers; l++)
		if (dbert_config_stored_layer(config, l) == slot->layer)
			place_slot(slot, at, &weights->layers[l], weights);
}

void
dbert_slots_place(const DbertSlots *slots, const DbertConfig *config, const void *base,
				  DbertWeights *weights)
{
	weights->head_act = head_activation(config);
	for (int layer = 0; layer < config->layers; layer++)
		weights->layers[layer].local = dbert_layer_is_local(config, layer);
	for (int i = 0; i < slots->count; i++)
	{
		const DbertSlot *slot = &slots->items[i];
		const DbertSlot *stored = slot->kind == DBERT_SLOT_TIED ? slots->items : slot;
		const char *at = (const char *) base + stored->offset;

		if (slot->rule->place == DBERT_PLACE_DECODER)
			place_slot(slot, at, &weights->decoder[slot->layer], weights);
		else if (slot->rule->place == DBERT_PLACE_STEP)
			place_slot(slot, at, &weights->steps[slot->layer], weights);
		else if (slot->layer < 0)
			place_slot(slot, at, weights, weights);
		else
			place_layer(slot, at, config, weights);
	}
}
