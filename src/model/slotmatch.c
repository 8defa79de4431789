/*
 * slotmatch.c -- which tensors of a checkpoint the slots of a plan are made of.
 *
 * A tensor is called as the family's table calls its module.  Names of the
 * encoder may carry the family's prefix; old checkpoints say gamma and beta for
 * a norm's weight and bias; a decoder may be the word embedding, and its bias
 * has two names.
 */
#include "model/slotrule.h"

#include <stdio.h>
#include <string.h>

bool
dbert_slots_tied(const DbertConfig *config, const DbertTensorSet *tensors)
{
	const char *out = dbert_head_names(config)->out;
	char		name[DBERT_TENSOR_NAME_MAX + 1];

	if (dbert_head_traits(config->head)->columns != DBERT_COLUMNS_VOCAB || !config->tie_words)
		return false;
	/* a translator's file may hold the same rows twice */
	if (config->head == DBERT_HEAD_TRANSLATE)
		return true;
	snprintf(name, sizeof(name), "%s.weight", out);
	return dbert_tensors_find(tensors, name) == NULL;
}

/* Does the name of any tensor begin so? */
static bool
has_prefix(const DbertTensorSet *tensors, const char *prefix)
{
	for (size_t i = 0; i < tensors->count; i++)
		if (strncmp(tensors->items[i].name, prefix, strlen(prefix)) == 0)
			return true;
	return false;
}

/* Does the word embedding stand below this prefix? */
static bool
has_words(const DbertTensorSet *tensors, const DbertFamily *family, const char *prefix)
{
	char		name[DBERT_TENSOR_NAME_MAX + 1];

	snprintf(name, sizeof(name), "%s%s.weight", prefix, family->modules[DBERT_MODULE_WORD][0]);
	return dbert_tensors_find(tensors, name) != NULL;
}

/*
 * The encoder's names may stand below one of the family's prefixes.  The word
 * embedding tells; where it is missing, the others tell by which name it is
 * missed.
 */
static const char *
encoder_prefix(const DbertConfig *config, const DbertTensorSet *tensors)
{
	const DbertFamily *family = dbert_family_of(config);

	if (has_words(tensors, family, family->prefix))
		return family->prefix;
	if (family->other_prefix != NULL && has_words(tensors, family, family->other_prefix))
		return family->other_prefix;
	return !has_words(tensors, family, "") && has_prefix(tensors, family->prefix) ? family->prefix
																				  : "";
}

/* What a layer's modules stand below: its number, or its group and its own. */
static void
layer_name(char out[DBERT_TENSOR_NAME_MAX + 1], DbertSlotPlace place, int layer,
		   const DbertConfig *config)
{
	const DbertFamily *family = dbert_family_of(config);
	size_t		size = DBERT_TENSOR_NAME_MAX + 1;

	if (place == DBERT_PLACE_DECODER)
		snprintf(out, size, "%s%d", family->decoder, layer);
	else if (config->groups == 0)
		snprintf(out, size, "%s%d", family->layers, layer);
	else
		snprintf(out, size, "%s%d.%s%d", family->layers, layer / config->inner_layers,
				 family->inner, layer % config->inner_layers);
}

/* A head's bias whose module is a tensor. */
static bool
is_whole_name(const DbertSlot *slot, const DbertConfig *config)
{
	return slot->rule->module == DBERT_MODULE_HEAD_OUT && slot->rule->shape == DBERT_SHAPE_BIAS &&
		   dbert_head_names(config)->bias_is_tensor;
}

static void
full_name(char out[DBERT_TENSOR_NAME_MAX + 1], const DbertSlot *slot, int part,
		  const DbertConfig *config, const char *prefix)
{
	const DbertSlotRule *rule = slot->rule;
	bool		bias = rule->shape == DBERT_SHAPE_BIAS || rule->shape == DBERT_SHAPE_ARRAY_BIAS ||
		(rule->shape == DBERT_SHAPE_DISTANCES && part == 1);
	const char *module = dbert_slot_module(rule, config, part),
			   *tensor = bias ? "bias" : "weight";
	size_t		size = DBERT_TENSOR_NAME_MAX + 1;
	char		layer[DBERT_TENSOR_NAME_MAX + 1];

	switch (dbert_slot_place(rule, config))
	{
		case DBERT_PLACE_EMBEDDING:
			snprintf(out, size, "%s%s.%s", prefix, module, tensor);
			break;
		case DBERT_PLACE_LAYER:
		case DBERT_PLACE_DECODER:
			layer_name(layer, rule->place, slot->layer, config);
			snprintf(out, size, "%s%s.%s.%s", prefix, layer, module, tensor);
			break;
		case DBERT_PLACE_HEAD:
		case DBERT_PLACE_STEP:
			if (is_whole_name(slot, config))
				snprintf(out, size, "%s", module);
			else
				snprintf(out, size, "%s.%s", module, tensor);
			break;
	}
}

void
dbert_slot_tensor_name(const DbertSlot *slot, int part, const DbertConfig *config,
					   char name[DBERT_TENSOR_NAME_MAX + 1])
{
	full_name(name, slot, part, config,
			  config->head == DBERT_HEAD_NONE ? "" : dbert_family_of(config)->prefix);
}

bool
dbert_slot_other_name(const DbertSlot *slot, const DbertConfig *config,
					  char name[DBERT_TENSOR_NAME_MAX + 1])
{
	const DbertHeadNames *head = dbert_head_names(config);

	if (slot->rule->module != DBERT_MODULE_HEAD_OUT || slot->rule->shape != DBERT_SHAPE_BIAS ||
		head->bias == NULL || head->bias_is_tensor)
		return false;
	snprintf(name, DBERT_TENSOR_NAME_MAX + 1, "%s.bias", head->out);
	return true;
}

/* TensorFlow's BERT called a norm's weight and bias gamma and beta. */
static const DbertTensor *
find_renamed(const DbertTensorSet *tensors, const char *name)
{
	static const char *const renames[][2] = {
		{"LayerNorm.weight", "LayerNorm.gamma"},
		{"LayerNorm.bias", "LayerNorm.beta"}
	};
	char		old[DBERT_TENSOR_NAME_MAX + 1];
	size_t		n = strlen(name);

	for (size_t i = 0; i < sizeof(renames) / sizeof(renames[0]); i++)
	{
		size_t		tail = strlen(renames[i][0]);

		if (n < tail || strcmp(name + n - tail, renames[i][0]) != 0)
			continue;
		snprintf(old, sizeof(old), "%.*s%s", (int) (n - tail), name, renames[i][1]);
		return dbert_tensors_find(tensors, old);
	}
	return NULL;
}

/*
 * The decoder's bias is saved where it is kept or where it is used.  A decoder
 * of its own uses the one that is saved beside its weights, whatever else is
 * there.
 */
static const DbertTensor *
find_bias(const DbertTensorSet *tensors, const DbertConfig *config, const DbertTensor *kept,
		  const char *beside)
{
	const DbertTensor *used = dbert_tensors_find(tensors, beside);

	if (kept == NULL || (used != NULL && !dbert_slots_tied(config, tensors)))
		return used;
	return kept;
}

/* name: what it is called, for messages */
static const DbertTensor *
find_part(const DbertSlot *slot, int part, const DbertConfig *config,
		  const DbertTensorSet *tensors, const char *prefix, char name[DBERT_TENSOR_NAME_MAX + 1])
{
	char		other[DBERT_TENSOR_NAME_MAX + 1];
	const DbertTensor *t;

	full_name(name, slot, part, config, prefix);
	t = dbert_tensors_find(tensors, name);
	if (dbert_slot_other_name(slot, config, other))
		return find_bias(tensors, config, t, other);
	return t != NULL ? t : find_renamed(tensors, name);
}

static DbertStatus
check_tensor(const DbertTensor *t, int rank, const int64_t *want, bool lookup, DbertError *err)
{
	char		found[DBERT_SHAPE_TEXT],
				expected[DBERT_SHAPE_TEXT];

	if (t->rank != rank || memcmp(t->shape, want, (size_t) rank * sizeof(*want)) != 0)
		return dbert_fail(err, DBERT_E_SHAPE, "%s: tensor \"%s\": expected shape %s, found %s",
						  t->file, t->name, dbert_shape_text(want, rank, expected),
						  dbert_shape_text(t->shape, t->rank, found));
	if (t->dtype == DBERT_DTYPE_OTHER || (t->dtype == DBERT_DTYPE_I8 && !lookup))
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: tensor \"%s\" is of dtype %s, supported are F64, F32, F16 and BF16",
						  t->file, t->name, t->dtype_name);
	return DBERT_OK;
}

/* Returns the rank. */
static int
part_shape(const DbertSlot *slot, int part, const DbertConfig *config, int64_t want[3])
{
	if (slot->rule->shape == DBERT_SHAPE_DISTANCES)
	{
		want[0] = want[1] = config->hidden;
		return part == 0 ? 2 : 1;
	}
	want[0] = dbert_slot_part_rows(slot, part, config);
	want[1] = slot->cols;
	if (slot->rule->module == DBERT_MODULE_CONV && slot->rule->shape == DBERT_SHAPE_WEIGHT)
	{
		want[1] = config->hidden;
		want[2] = config->conv;
		return 3;
	}
	if (is_whole_name(slot, config))
	{
		want[0] = 1;
		return 2;
	}
	return slot->rule->rows == '1' ? 1 : 2;
}

/* Are its tensors those of another slot, too? */
static bool
is_shared(const DbertSlot *slot, const DbertConfig *config)
{
	return slot->rule->shape == DBERT_SHAPE_DISTANCES && !config->distances.own_layers;
}

static DbertStatus
match_slot(DbertSlot *slot, const DbertConfig *config, const DbertTensorSet *tensors,
		   const char *prefix, uint64_t *parameters, DbertError *err)
{
	int			n_parts =
		slot->kind == DBERT_SLOT_SINUSOIDS ? 0 : dbert_slot_parts(slot, config);
	int64_t		want[3];
	char		name[DBERT_TENSOR_NAME_MAX + 1];

	for (slot->n_parts = 0; slot->n_parts < n_parts; slot->n_parts++)
	{
		const DbertTensor *t = find_part(slot, slot->n_parts, config, tensors, prefix, name);

		int			rank = part_shape(slot, slot->n_parts, config, want);

		if (t == NULL)
			return dbert_fail(err, DBERT_E_FORMAT, "%s has no tensor \"%s\"", tensors->name, name);
		DBERT_TRY(check_tensor(t, rank, want, dbert_family_of(config)->lookup, err));
		slot->parts[slot->n_parts] = t;
		if (!is_shared(slot, config))
			*parameters += t->count;
	}
	return DBERT_OK;
}

DbertStatus
dbert_slots_match(DbertSlots *slots, const DbertConfig *config, const DbertTensorSet *tensors,
				  const DbertTensorSet *steps, uint64_t *parameters, DbertError *err)
{
	const char *prefix = encoder_prefix(config, tensors);
	bool		tied = dbert_slots_tied(config, tensors);

	*parameters = 0;
	for (int i = 0; i < slots->count; i++)
	{
		DbertSlot  *slot = &slots->items[i];

		if (tied && dbert_slot_is_decoder(slot->rule, config))
		{
			/* the first slot is the word embedding */
			slot->parts[0] = slots->items[0].parts[0];
			slot->n_parts = 1;
			continue;
		}
		DBERT_TRY(match_slot(
			slot, config,
			slot->rule->place == DBERT_PLACE_STEP ? &steps[slot->layer] : tensors, prefix,
			parameters, err));
	}
	return DBERT_OK;
}

DbertStatus
dbert_slots_match_encoder(DbertSlots *slots, const DbertConfig *config,
						  const DbertTensorSet *tensors, DbertError *err)
{
	const char *prefix = encoder_prefix(config, tensors);
	uint64_t	parameters = 0; /* not of interest */

	for (int i = 0; i < slots->count; i++)
	{
		DbertSlot  *slot = &slots->items[i];
		DbertStatus status = match_slot(slot, config, tensors, prefix, &parameters, err);

		if (status != DBERT_OK && dbert_slot_role(slot) < DBERT_ROLE_HEAD)
			return status;
		if (status != DBERT_OK)
			slot->n_parts = 0;
	}
	return DBERT_OK;
}
