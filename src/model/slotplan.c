/*
 * slotplan.c -- which arrays a model has, and where each stands in an image.
 *
 * One table says it: a rule for each array, its shape in the letters of
 * weights.h.  Query, key and value become one matrix.
 */
#include "model/slotrule.h"

#include "model/distances.h"
#include "model/precision.h"

#include <string.h>

#define TOP(name)	offsetof(DbertWeights, name)
#define IN(name)	offsetof(DbertLayer, name)

#define EMBEDDING(module, shape, rows, cols, field) \
	{DBERT_PLACE_EMBEDDING, DBERT_MODULE_##module, DBERT_SHAPE_##shape, rows, cols, TOP(field)}
#define LAYER(module, shape, rows, cols, field) \
	{DBERT_PLACE_LAYER, DBERT_MODULE_##module, DBERT_SHAPE_##shape, rows, cols, IN(field)}
#define DECODER(module, shape, rows, cols, field) \
	{DBERT_PLACE_DECODER, DBERT_MODULE_##module, DBERT_SHAPE_##shape, rows, cols, IN(field)}
#define HEAD(module, shape, rows, cols, field) \
	{DBERT_PLACE_HEAD, DBERT_MODULE_##module, DBERT_SHAPE_##shape, rows, cols, TOP(field)}
#define STEP(module, shape, rows, cols, field) \
	{DBERT_PLACE_STEP, DBERT_MODULE_##module, DBERT_SHAPE_##shape, rows, cols, \
	 offsetof(DbertStepWeights, field)}

const DbertSlotRule dbert_slot_rules[] = {
	EMBEDDING(WORD, ARRAY, 'V', 'W', word),
	EMBEDDING(POSITION, ARRAY, 'P', 'W', position),
	EMBEDDING(TYPE, ARRAY, 'S', 'W', type),
	EMBEDDING(EMBED_NORM, ARRAY, '1', 'N', embed_norm.gamma),
	EMBEDDING(EMBED_NORM, ARRAY_BIAS, '1', 'N', embed_norm.beta),
	EMBEDDING(EMBED_PROJECT, WEIGHT, 'C', 'W', embed_project),
	EMBEDDING(EMBED_PROJECT, BIAS, '1', 'C', embed_project),
	EMBEDDING(FINAL_NORM, ARRAY, '1', 'C', final_norm.gamma),
	EMBEDDING(FINAL_NORM, ARRAY_BIAS, '1', 'C', final_norm.beta),
	EMBEDDING(DISTANCE_BIAS, ARRAY, 'B', 'H', distance_bias),
	EMBEDDING(DISTANCES, ARRAY, 'R', 'C', distances),
	EMBEDDING(DISTANCES_NORM, ARRAY, '1', 'C', distances_norm.gamma),
	EMBEDDING(DISTANCES_NORM, ARRAY_BIAS, '1', 'C', distances_norm.beta),
	EMBEDDING(CONV, WEIGHT, 'C', 'K', conv),
	EMBEDDING(CONV, BIAS, '1', 'C', conv),
	EMBEDDING(CONV_NORM, ARRAY, '1', 'C', conv_norm.gamma),
	EMBEDDING(CONV_NORM, ARRAY_BIAS, '1', 'C', conv_norm.beta),

	LAYER(QKV, WEIGHT, 'Q', 'C', qkv),
	LAYER(QKV, BIAS, '1', 'Q', qkv),
	LAYER(ATTN_OUT, WEIGHT, 'C', 'C', attn_out),
	LAYER(ATTN_OUT, BIAS, '1', 'C', attn_out),
	LAYER(ATTN_NORM, ARRAY, '1', 'C', attn_norm.gamma),
	LAYER(ATTN_NORM, ARRAY_BIAS, '1', 'C', attn_norm.beta),
	LAYER(FFN_IN, WEIGHT, 'G', 'C', ffn_in),
	LAYER(FFN_IN, BIAS, '1', 'G', ffn_in),
	LAYER(FFN_OUT, WEIGHT, 'C', 'F', ffn_out),
	LAYER(FFN_OUT, BIAS, '1', 'C', ffn_out),
	LAYER(FFN_NORM, ARRAY, '1', 'C', ffn_norm.gamma),
	LAYER(FFN_NORM, ARRAY_BIAS, '1', 'C', ffn_norm.beta),
	LAYER(QUERY_ROWS, DISTANCES, 'T', 'C', query_rows),
	LAYER(KEY_ROWS, DISTANCES, 'T', 'C', key_rows),

	DECODER(QKV, WEIGHT, 'Q', 'C', qkv),
	DECODER(QKV, BIAS, '1', 'Q', qkv),
	DECODER(ATTN_OUT, WEIGHT, 'C', 'C', attn_out),
	DECODER(ATTN_OUT, BIAS, '1', 'C', attn_out),
	DECODER(ATTN_NORM, ARRAY, '1', 'C', attn_norm.gamma),
	DECODER(ATTN_NORM, ARRAY_BIAS, '1', 'C', attn_norm.beta),
	DECODER(CROSS_QUERY, WEIGHT, 'C', 'C', cross_query),
	DECODER(CROSS_QUERY, BIAS, '1', 'C', cross_query),
	DECODER(CROSS_KEYS, WEIGHT, 'X', 'C', cross_keys),
	DECODER(CROSS_KEYS, BIAS, '1', 'X', cross_keys),
	DECODER(CROSS_OUT, WEIGHT, 'C', 'C', cross_out),
	DECODER(CROSS_OUT, BIAS, '1', 'C', cross_out),
	DECODER(CROSS_NORM, ARRAY, '1', 'C', cross_norm.gamma),
	DECODER(CROSS_NORM, ARRAY_BIAS, '1', 'C', cross_norm.beta),
	DECODER(FFN_IN, WEIGHT, 'G', 'C', ffn_in),
	DECODER(FFN_IN, BIAS, '1', 'G', ffn_in),
	DECODER(FFN_OUT, WEIGHT, 'C', 'F', ffn_out),
	DECODER(FFN_OUT, BIAS, '1', 'C', ffn_out),
	DECODER(FFN_NORM, ARRAY, '1', 'C', ffn_norm.gamma),
	DECODER(FFN_NORM, ARRAY_BIAS, '1', 'C', ffn_norm.beta),

	HEAD(HEAD_DENSE, WEIGHT, 'D', 'C', head_dense),
	HEAD(HEAD_DENSE, BIAS, '1', 'D', head_dense),
	HEAD(HEAD_NORM, ARRAY, '1', 'D', head_norm.gamma),
	HEAD(HEAD_NORM, ARRAY_BIAS, '1', 'D', head_norm.beta),
	HEAD(HEAD_OUT, WEIGHT, 'O', 'D', head_out),
	HEAD(HEAD_OUT, BIAS, '1', 'O', head_out),

	STEP(STEP_DENSE, WEIGHT, 'E', 'I', dense),
	STEP(STEP_DENSE, BIAS, '1', 'E', dense),
	STEP(STEP_RESIDUAL, WEIGHT, 'E', 'I', residual),
	STEP(STEP_NORM, ARRAY, '1', 'E', norm.gamma),
	STEP(STEP_NORM, ARRAY_BIAS, '1', 'E', norm.beta),
};

const int	dbert_slot_rules_count = sizeof(dbert_slot_rules) / sizeof(dbert_slot_rules[0]);

/* What makes a layer's rows for distances; both its tensors are needed. */
static const char *
projection(const DbertSlotRule *rule, const DbertConfig *config)
{
	const DbertFamily *family = dbert_family_of(config);
	bool		of_queries = rule->module == DBERT_MODULE_QUERY_ROWS;

	if (!(of_queries ? config->distances.queries : config->distances.keys))
		return NULL;
	if (config->distances.own_layers)
		return family->modules[rule->module][0];
	/* queries meet what keys are projected to, and the other way round */
	return family->modules[DBERT_MODULE_QKV][of_queries ? 1 : 0];
}

const char *
dbert_slot_module(const DbertSlotRule *rule, const DbertConfig *config, int part)
{
	const DbertFamily *family = dbert_family_of(config);
	const DbertHeadNames *head =
		config->pooled_head ? &family->heads[DBERT_HEAD_NONE] : dbert_head_names(config);

	if (rule->shape == DBERT_SHAPE_DISTANCES)
		return part < 2 ? projection(rule, config) : NULL;
	if (rule->module < DBERT_MODULES)
		return part < DBERT_MODULE_PARTS ? family->modules[rule->module][part] : NULL;
	if (part > 0)
		return NULL;
	switch (rule->module)
	{
		case DBERT_MODULE_HEAD_DENSE:
			return head->dense;
		case DBERT_MODULE_HEAD_NORM:
			return head->norm;
		case DBERT_MODULE_HEAD_OUT:
			return rule->shape == DBERT_SHAPE_BIAS && head->bias != NULL ? head->bias : head->out;
		case DBERT_MODULE_STEP_NORM:
			return "norm";
		case DBERT_MODULE_STEP_RESIDUAL:
			return "residual";
		default:
			return "linear";
	}
}

DbertSlotPlace
dbert_slot_place(const DbertSlotRule *rule, const DbertConfig *config)
{
	if (rule->module == DBERT_MODULE_HEAD_DENSE &&
		dbert_head_names(config)->dense_in_encoder)
		return DBERT_PLACE_EMBEDDING;
	return rule->place;
}

static int
head_columns(const DbertConfig *c)
{
	return dbert_head_traits(c->head)->columns == DBERT_COLUMNS_VOCAB ? c->vocab : c->n_labels;
}

static int
head_width(const DbertConfig *c)
{
	return dbert_head_names(c)->embed_width ? c->embed_width : c->hidden;
}

static int
embed_norm_width(const DbertConfig *c)
{
	return dbert_family_of(c)->projects_first ? c->hidden : c->embed_width;
}

static int
dimension(char letter, const DbertConfig *c, int step)
{
	switch (letter)
	{
		case 'V':
			return c->vocab;
		case 'P':
			return c->positions;
		case 'S':
			return c->types;
		case 'W':
			return c->embed_width;
		case 'C':
			return c->hidden;
		case 'Q':
			return c->hidden + 2 * dbert_key_columns(c);
		case 'X':
			return 2 * c->hidden;
		case 'F':
			return c->ffn;
		case 'D':
			return head_width(c);
		case 'G':
			return dbert_ffn_rows(c);
		case 'O':
			return head_columns(c);
		case 'B':
			return c->bias_rows;
		case 'H':
			return c->heads;
		case 'N':
			return embed_norm_width(c);
		case 'R':
			return 2 * c->distances.span;
		case 'T':
			return dbert_distance_rows(c);
		case 'K':
			return c->conv * c->hidden;
		case 'E':
			return c->steps[step].width;
		case 'I':
			return step > 0 ? c->steps[step - 1].width : c->hidden;
		default:
			return 1;
	}
}

bool
dbert_layout_is_rows(const DbertKernels *kernels)
{
	return strcmp(kernels->layout, "rowmajor") == 0 || strcmp(kernels->layout, "f32-rowmajor") == 0;
}

uint64_t
dbert_rows8_scales(const DbertSlot *slot)
{
	return dbert_pack_aligned((uint64_t) slot->rows * slot->cols);
}

bool
dbert_slot_is_decoder(const DbertSlotRule *rule, const DbertConfig *config)
{
	return rule->module == DBERT_MODULE_HEAD_OUT && rule->shape == DBERT_SHAPE_WEIGHT &&
		   dbert_head_traits(config->head)->columns == DBERT_COLUMNS_VOCAB;
}

/* The bit of no_bias that tells whether the rule's module has one. */
static int
bias_of(const DbertSlotRule *rule, const DbertConfig *config)
{
	if (rule->shape == DBERT_SHAPE_ARRAY_BIAS)
		return DBERT_BIAS_NORM;
	switch (rule->module)
	{
		case DBERT_MODULE_QKV:
		case DBERT_MODULE_ATTN_OUT:
			return DBERT_BIAS_ATTENTION;
		case DBERT_MODULE_FFN_IN:
			return DBERT_BIAS_FFN_IN;
		case DBERT_MODULE_FFN_OUT:
			return DBERT_BIAS_FFN_OUT;
		case DBERT_MODULE_HEAD_DENSE:
			return DBERT_BIAS_HEAD;
		case DBERT_MODULE_HEAD_OUT:
			return dbert_head_traits(config->head)->columns == DBERT_COLUMNS_VOCAB
				? DBERT_BIAS_DECODER
				: 0;
		default:
			return 0;
	}
}

/* Does the model, or the layer, leave out what others of its family have? */
static bool
is_left_out(const DbertSlotRule *rule, const DbertConfig *config, int layer)
{
	bool		bias =
		rule->shape == DBERT_SHAPE_BIAS || rule->shape == DBERT_SHAPE_ARRAY_BIAS;

	if (bias && (config->no_bias & bias_of(rule, config)) != 0)
		return true;
	if (rule->module == DBERT_MODULE_ATTN_NORM && layer == 0)
		return dbert_family_of(config)->bare_first_layer;
	switch (rule->module)
	{
		case DBERT_MODULE_TYPE:
			return config->types == 0;
		case DBERT_MODULE_POSITION:
			return config->no_positions;
		case DBERT_MODULE_DISTANCES:
			return config->distances.span == 0;
		case DBERT_MODULE_DISTANCES_NORM:
			return !config->distances.normed;
		case DBERT_MODULE_CONV:
		case DBERT_MODULE_CONV_NORM:
			return config->conv == 0;
		case DBERT_MODULE_EMBED_PROJECT:
			return !dbert_config_projects(config) ||
				   (bias && dbert_family_of(config)->projects_first);
		default:
			return false;
	}
}

static bool
step_applies(const DbertSlotRule *rule, const DbertPooledStep *step)
{
	if (rule->module == DBERT_MODULE_STEP_NORM)
		return step->kind == DBERT_POOLED_STEP_NORM;
	if (rule->module == DBERT_MODULE_STEP_RESIDUAL)
		return step->residual == DBERT_RESIDUAL_PROJECTED;
	return step->kind == DBERT_POOLED_STEP_DENSE && (rule->shape != DBERT_SHAPE_BIAS || step->bias);
}

/* number: of a layer or a step */
static bool
applies(const DbertSlotRule *rule, const DbertConfig *config, int number)
{
	if (rule->place == DBERT_PLACE_STEP)
		return step_applies(rule, &config->steps[number]);
	if (is_left_out(rule, config, number))
		return false;
	return dbert_slot_module(rule, config, 0) != NULL;
}

/*
 * In 8 bits: the layers' matrices and, as large as all of them, the word
 * embedding and the decoder that mirrors it.  Heads stay as they are, and what
 * projects embeddings: small, and next to the answer or the words.
 */
static bool
has_8_bits(const DbertSlotRule *rule, const DbertConfig *config)
{
	if (config->precision == DBERT_PRECISION_FP32)
		return false;
	return rule->module == DBERT_MODULE_WORD || dbert_slot_is_decoder(rule, config) ||
		   ((rule->place == DBERT_PLACE_LAYER || rule->place == DBERT_PLACE_DECODER) &&
			rule->shape == DBERT_SHAPE_WEIGHT);
}

static DbertSlotKind
slot_kind(const DbertSlotRule *rule, const DbertConfig *config, bool tied,
		  const DbertKernels *kernels)
{
	bool		int8 = has_8_bits(rule, config);

	if (rule->shape == DBERT_SHAPE_DISTANCES)
		return rule->module == DBERT_MODULE_QUERY_ROWS ? DBERT_SLOT_QUERY_ROWS
													   : DBERT_SLOT_KEY_ROWS;
	if (rule->module == DBERT_MODULE_POSITION && dbert_family_of(config)->sinusoids)
		return DBERT_SLOT_SINUSOIDS;
	if (rule->shape != DBERT_SHAPE_WEIGHT)
		return int8 ? DBERT_SLOT_ROWS8 : DBERT_SLOT_ROWS;
	if (tied && dbert_slot_is_decoder(rule, config) && !int8 && dbert_layout_is_rows(kernels))
		return DBERT_SLOT_TIED;
	return int8 ? DBERT_SLOT_LINEAR8 : DBERT_SLOT_LINEAR;
}

static uint64_t
slot_bytes(const DbertSlot *slot, const DbertConfig *config, const DbertKernels *kernels)
{
	const size_t number = dbert_slot_is_half(slot) ? sizeof(uint16_t) : sizeof(float);

	switch (slot->kind)
	{
		case DBERT_SLOT_ROWS:
		case DBERT_SLOT_SINUSOIDS:
			return (uint64_t) slot->rows * slot->cols * number;
		case DBERT_SLOT_LINEAR:
			return kernels->packed_linear_size(slot->rows, slot->cols) * number;
		case DBERT_SLOT_ROWS8:
			return dbert_rows8_scales(slot) + slot->rows * sizeof(float);
		case DBERT_SLOT_LINEAR8:
			return dbert_int8_of(kernels, config->precision)->packed_size(slot->rows, slot->cols);
		case DBERT_SLOT_QUERY_ROWS:
		case DBERT_SLOT_KEY_ROWS:
			return config->heads * dbert_distance_floats(config, kernels) * sizeof(float);
		case DBERT_SLOT_TIED:
			break;
	}
	return 0;
}

static void
plan_slot(DbertSlots *slots, const DbertSlotRule *rule, int layer, const DbertConfig *config,
		  bool tied, const DbertKernels *kernels)
{
	DbertSlot  *slot = &slots->items[slots->count++];

	memset(slot, 0, sizeof(*slot));
	slot->rule = rule;
	slot->layer = layer;
	slot->rows = dimension(rule->rows, config, layer);
	slot->cols = dimension(rule->cols, config, layer);
	slot->kind = slot_kind(rule, config, tied, kernels);
	slot->type = slot->kind == DBERT_SLOT_ROWS8 || slot->kind == DBERT_SLOT_LINEAR8
					 ? DBERT_WEIGHT_I8
					 : DBERT_WEIGHT_F32;
}

/* Where the slots stand, one behind the other. */
static void
lay_out(DbertSlots *slots, const DbertConfig *config, const DbertKernels *kernels)
{
	slots->bytes = 0;
	for (int i = 0; i < slots->count; i++)
	{
		DbertSlot  *slot = &slots->items[i];

		slot->offset = slots->bytes;
		slot->bytes = slot_bytes(slot, config, kernels);
		slots->bytes += dbert_pack_aligned(slot->bytes);
	}
}

/* Slots of all rules for what stands there; layer -1: it has no number. */
static void
plan_place(DbertSlots *slots, DbertSlotPlace place, int layer, const DbertConfig *config,
		   bool tied, const DbertKernels *kernels)
{
	for (int i = 0; i < dbert_slot_rules_count; i++)
	{
		const DbertSlotRule *rule = &dbert_slot_rules[i];

		if (dbert_slot_place(rule, config) == place && applies(rule, config, layer))
			plan_slot(slots, rule, layer, config, tied, kernels);
	}
}

DbertStatus
dbert_slots_plan(const DbertConfig *config, bool tied, const DbertKernels *kernels,
				 const DbertAllocator *alloc, DbertSlots *slots, DbertError *err)
{
	slots->count = 0;
	slots->items = dbert_alloc_array(
		alloc,
		(size_t) dbert_slot_rules_count *
			(dbert_config_stored_layers(config) + dbert_decoder_layers(config) + config->n_steps +
			 1),
		sizeof(DbertSlot));
	if (slots->items == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	plan_place(slots, DBERT_PLACE_EMBEDDING, -1, config, tied, kernels);
	for (int layer = 0; layer < dbert_config_stored_layers(config); layer++)
		plan_place(slots, DBERT_PLACE_LAYER, layer, config, tied, kernels);
	for (int layer = 0; layer < dbert_decoder_layers(config); layer++)
		plan_place(slots, DBERT_PLACE_DECODER, layer, config, tied, kernels);
	plan_place(slots, DBERT_PLACE_HEAD, -1, config, tied, kernels);
	for (int step = 0; step < config->n_steps; step++)
		plan_place(slots, DBERT_PLACE_STEP, step, config, tied, kernels);
	lay_out(slots, config, kernels);
	return DBERT_OK;
}

/* ---- weights of 16 bits ---- */

static bool
may_be_half(const DbertSlot *slot, const DbertConfig *config, const DbertKernels *kernels)
{
	int			module = slot->rule->module;

	if (kernels->half == NULL || config->precision != DBERT_PRECISION_FP32)
		return false;
	return slot->kind == DBERT_SLOT_LINEAR ||
		   (slot->kind == DBERT_SLOT_ROWS &&
			(module == DBERT_MODULE_WORD || module == DBERT_MODULE_POSITION));
}

/* The 16-bit type of all its tensors, or F32. */
static DbertWeightType
type_of_parts(const DbertSlot *slot)
{
	DbertDtype	dtype = slot->parts[0]->dtype;

	for (int i = 1; i < slot->n_parts; i++)
		if (slot->parts[i]->dtype != dtype)
			return DBERT_WEIGHT_F32;
	return dtype == DBERT_DTYPE_F16	   ? DBERT_WEIGHT_F16
		   : dtype == DBERT_DTYPE_BF16 ? DBERT_WEIGHT_BF16
									   : DBERT_WEIGHT_F32;
}

/* The first slot is the word embedding. */
static void
share_type(DbertSlots *slots)
{
	for (int i = 0; i < slots->count; i++)
		if (slots->items[i].kind == DBERT_SLOT_TIED)
			slots->items[i].type = slots->items[0].type;
}

void
dbert_slots_keep_halves(DbertSlots *slots, const DbertConfig *config, const DbertKernels *kernels,
						bool words_are_copied)
{
	for (int i = words_are_copied ? 0 : 1; i < slots->count; i++)
		if (may_be_half(&slots->items[i], config, kernels))
			slots->items[i].type = type_of_parts(&slots->items[i]);
	share_type(slots);
	lay_out(slots, config, kernels);
}

int
dbert_slots_take_types(DbertSlots *slots, const DbertConfig *config, const DbertKernels *kernels,
					   const char *types)
{
	for (int i = 0; i < slots->count; i++)
		if (may_be_half(&slots->items[i], config, kernels) &&
			(types[i] == DBERT_WEIGHT_F16 || types[i] == DBERT_WEIGHT_BF16))
			slots->items[i].type = types[i];
	share_type(slots);
	for (int i = 0; i < slots->count; i++)
		if (types[i] != (char) slots->items[i].type)
			return i;
	lay_out(slots, config, kernels);
	return -1;
}

/* ---- training's questions ---- */

DbertSlotRole
dbert_slot_role(const DbertSlot *slot)
{
	switch (slot->rule->place)
	{
		case DBERT_PLACE_EMBEDDING:
			return slot->rule->module == DBERT_MODULE_FINAL_NORM ||
						   slot->rule->module == DBERT_MODULE_DISTANCE_BIAS
					   ? DBERT_ROLE_LAYER
					   : DBERT_ROLE_EMBEDDING;
		case DBERT_PLACE_LAYER:
		case DBERT_PLACE_DECODER:
			return DBERT_ROLE_LAYER;
		case DBERT_PLACE_STEP:
			return DBERT_ROLE_STEP;
		case DBERT_PLACE_HEAD:
			break;
	}
	return slot->rule->module == DBERT_MODULE_HEAD_OUT ? DBERT_ROLE_OUTPUT : DBERT_ROLE_HEAD;
}

bool
dbert_slot_is_matrix(const DbertSlot *slot)
{
	return slot->rule->rows != '1';
}

bool
dbert_slot_is_norm(const DbertSlot *slot)
{
	return slot->rule->module == DBERT_MODULE_HEAD_NORM && slot->rule->shape == DBERT_SHAPE_ARRAY;
}

bool
dbert_slot_is_words(const DbertSlot *slot)
{
	return slot->rule->module == DBERT_MODULE_WORD;
}

int
dbert_slot_parts(const DbertSlot *slot, const DbertConfig *config)
{
	int			n = 1;

	while (dbert_slot_module(slot->rule, config, n) != NULL)
		n++;
	return n;
}

int
dbert_slot_part_rows(const DbertSlot *slot, int part, const DbertConfig *config)
{
	int			n = dbert_slot_parts(slot, config),
				rows = slot->rule->rows == '1' ? slot->cols : slot->rows;

	if (slot->rule->module == DBERT_MODULE_QKV && n > 1)
		return part == 0 ? config->hidden : dbert_key_columns(config);
	return rows / n;
}
