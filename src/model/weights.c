/*
 * weights.c -- which tensors of a checkpoint fill which fields of DbertWeights.
 *
 * One table says it: a rule for each array, with the tensor's name in
 * DistilBERT's and in BERT's checkpoints and its shape in the letters of
 * config.h.  Names of the encoder may carry the prefix "distilbert." or
 * "bert."; old BERT checkpoints say gamma and beta for a norm's weight and
 * bias; query, key and value become one matrix.
 */
#include "model/slots.h"

#include <stdio.h>
#include <string.h>

/* Which models a rule applies to. */
#define HEADS_ALL		0x1f
#define HEAD_BIT(head)	(1 << (head))

typedef enum Where
{
	EMBEDDING,					/* field of DbertWeights, name under the prefix */
	LAYER,						/* field of DbertLayer, name under prefix and layer */
	HEAD,						/* field of DbertWeights, name without prefix */
	DENSE						/* field of DbertWeights, in the Dense module's own file */
} Where;

/* What the field is. */
typedef enum Shape
{
	ARRAY,						/* const float *, copied */
	WEIGHT,						/* DbertLinear: w, n, k; packed */
	BIAS						/* DbertLinear: b */
} Shape;

typedef struct DbertSlotRule
{
	Where		where;
	Shape		shape;
	int			heads;			/* bits of the heads that need it */
	char		rows;			/* letter; '1' for a vector of cols */
	char		cols;
	size_t		field;
	const char *distilbert[3];	/* names; NULL: this family has no such array */
	const char *bert[3];
} DbertSlotRule;

#define TOP(name)	offsetof(DbertWeights, name)
#define IN(name)	offsetof(DbertLayer, name)

static const DbertSlotRule rules[] = {
	{ EMBEDDING,
	  ARRAY,
	  HEADS_ALL,
	  'V',
	  'C',
	  TOP(word),
	  { "embeddings.word_embeddings.weight" },
	  { "embeddings.word_embeddings.weight" } },
	{ EMBEDDING,
	  ARRAY,
	  HEADS_ALL,
	  'P',
	  'C',
	  TOP(position),
	  { "embeddings.position_embeddings.weight" },
	  { "embeddings.position_embeddings.weight" } },
	{ EMBEDDING,
	  ARRAY,
	  HEADS_ALL,
	  'S',
	  'C',
	  TOP(type),
	  { NULL },
	  { "embeddings.token_type_embeddings.weight" } },
	{ EMBEDDING,
	  ARRAY,
	  HEADS_ALL,
	  '1',
	  'C',
	  TOP(embed_norm.gamma),
	  { "embeddings.LayerNorm.weight" },
	  { "embeddings.LayerNorm.weight" } },
	{ EMBEDDING,
	  ARRAY,
	  HEADS_ALL,
	  '1',
	  'C',
	  TOP(embed_norm.beta),
	  { "embeddings.LayerNorm.bias" },
	  { "embeddings.LayerNorm.bias" } },

	{ LAYER,
	  WEIGHT,
	  HEADS_ALL,
	  '3',
	  'C',
	  IN(qkv),
	  { "attention.q_lin.weight", "attention.k_lin.weight", "attention.v_lin.weight" },
	  { "attention.self.query.weight", "attention.self.key.weight",
		"attention.self.value.weight" } },
	{ LAYER,
	  BIAS,
	  HEADS_ALL,
	  '1',
	  '3',
	  IN(qkv),
	  { "attention.q_lin.bias", "attention.k_lin.bias", "attention.v_lin.bias" },
	  { "attention.self.query.bias", "attention.self.key.bias", "attention.self.value.bias" } },
	{ LAYER,
	  WEIGHT,
	  HEADS_ALL,
	  'C',
	  'C',
	  IN(attn_out),
	  { "attention.out_lin.weight" },
	  { "attention.output.dense.weight" } },
	{ LAYER,
	  BIAS,
	  HEADS_ALL,
	  '1',
	  'C',
	  IN(attn_out),
	  { "attention.out_lin.bias" },
	  { "attention.output.dense.bias" } },
	{ LAYER,
	  ARRAY,
	  HEADS_ALL,
	  '1',
	  'C',
	  IN(attn_norm.gamma),
	  { "sa_layer_norm.weight" },
	  { "attention.output.LayerNorm.weight" } },
	{ LAYER,
	  ARRAY,
	  HEADS_ALL,
	  '1',
	  'C',
	  IN(attn_norm.beta),
	  { "sa_layer_norm.bias" },
	  { "attention.output.LayerNorm.bias" } },
	{ LAYER,
	  WEIGHT,
	  HEADS_ALL,
	  'F',
	  'C',
	  IN(ffn_in),
	  { "ffn.lin1.weight" },
	  { "intermediate.dense.weight" } },
	{ LAYER,
	  BIAS,
	  HEADS_ALL,
	  '1',
	  'F',
	  IN(ffn_in),
	  { "ffn.lin1.bias" },
	  { "intermediate.dense.bias" } },
	{ LAYER,
	  WEIGHT,
	  HEADS_ALL,
	  'C',
	  'F',
	  IN(ffn_out),
	  { "ffn.lin2.weight" },
	  { "output.dense.weight" } },
	{ LAYER, BIAS, HEADS_ALL, '1', 'C', IN(ffn_out), { "ffn.lin2.bias" }, { "output.dense.bias" } },
	{ LAYER,
	  ARRAY,
	  HEADS_ALL,
	  '1',
	  'C',
	  IN(ffn_norm.gamma),
	  { "output_layer_norm.weight" },
	  { "output.LayerNorm.weight" } },
	{ LAYER,
	  ARRAY,
	  HEADS_ALL,
	  '1',
	  'C',
	  IN(ffn_norm.beta),
	  { "output_layer_norm.bias" },
	  { "output.LayerNorm.bias" } },

	/* BERT's pooler lies under the encoder's prefix */
	{ HEAD,
	  WEIGHT,
	  HEAD_BIT(DBERT_HEAD_SEQUENCE),
	  'C',
	  'C',
	  TOP(head_dense),
	  { "pre_classifier.weight" },
	  { NULL } },
	{ HEAD,
	  BIAS,
	  HEAD_BIT(DBERT_HEAD_SEQUENCE),
	  '1',
	  'C',
	  TOP(head_dense),
	  { "pre_classifier.bias" },
	  { NULL } },
	{ EMBEDDING,
	  WEIGHT,
	  HEAD_BIT(DBERT_HEAD_SEQUENCE),
	  'C',
	  'C',
	  TOP(head_dense),
	  { NULL },
	  { "pooler.dense.weight" } },
	{ EMBEDDING,
	  BIAS,
	  HEAD_BIT(DBERT_HEAD_SEQUENCE),
	  '1',
	  'C',
	  TOP(head_dense),
	  { NULL },
	  { "pooler.dense.bias" } },
	{ HEAD,
	  WEIGHT,
	  HEAD_BIT(DBERT_HEAD_SEQUENCE) | HEAD_BIT(DBERT_HEAD_TOKEN),
	  'Y',
	  'C',
	  TOP(head_out),
	  { "classifier.weight" },
	  { "classifier.weight" } },
	{ HEAD,
	  BIAS,
	  HEAD_BIT(DBERT_HEAD_SEQUENCE) | HEAD_BIT(DBERT_HEAD_TOKEN),
	  '1',
	  'Y',
	  TOP(head_out),
	  { "classifier.bias" },
	  { "classifier.bias" } },
	{ HEAD,
	  WEIGHT,
	  HEAD_BIT(DBERT_HEAD_SPAN),
	  'Y',
	  'C',
	  TOP(head_out),
	  { "qa_outputs.weight" },
	  { "qa_outputs.weight" } },
	{ HEAD,
	  BIAS,
	  HEAD_BIT(DBERT_HEAD_SPAN),
	  '1',
	  'Y',
	  TOP(head_out),
	  { "qa_outputs.bias" },
	  { "qa_outputs.bias" } },

	{ HEAD,
	  WEIGHT,
	  HEAD_BIT(DBERT_HEAD_MASK),
	  'C',
	  'C',
	  TOP(head_dense),
	  { "vocab_transform.weight" },
	  { "cls.predictions.transform.dense.weight" } },
	{ HEAD,
	  BIAS,
	  HEAD_BIT(DBERT_HEAD_MASK),
	  '1',
	  'C',
	  TOP(head_dense),
	  { "vocab_transform.bias" },
	  { "cls.predictions.transform.dense.bias" } },
	{ HEAD,
	  ARRAY,
	  HEAD_BIT(DBERT_HEAD_MASK),
	  '1',
	  'C',
	  TOP(head_norm.gamma),
	  { "vocab_layer_norm.weight" },
	  { "cls.predictions.transform.LayerNorm.weight" } },
	{ HEAD,
	  ARRAY,
	  HEAD_BIT(DBERT_HEAD_MASK),
	  '1',
	  'C',
	  TOP(head_norm.beta),
	  { "vocab_layer_norm.bias" },
	  { "cls.predictions.transform.LayerNorm.bias" } },
	{ HEAD,
	  WEIGHT,
	  HEAD_BIT(DBERT_HEAD_MASK),
	  'V',
	  'C',
	  TOP(head_out),
	  { "vocab_projector.weight" },
	  { "cls.predictions.decoder.weight" } },
	{ HEAD,
	  BIAS,
	  HEAD_BIT(DBERT_HEAD_MASK),
	  '1',
	  'V',
	  TOP(head_out),
	  { "vocab_projector.bias" },
	  { "cls.predictions.bias" } },

	{ DENSE, WEIGHT, HEADS_ALL, 'E', 'C', TOP(dense), { "linear.weight" }, { "linear.weight" } },
	{ DENSE, BIAS, HEADS_ALL, '1', 'E', TOP(dense), { "linear.bias" }, { "linear.bias" } },
};

#define N_RULES ((int) (sizeof(rules) / sizeof(rules[0])))

static const char *const *
rule_names(const DbertSlotRule *rule, const DbertConfig *config)
{
	return config->family == DBERT_FAMILY_DISTILBERT ? rule->distilbert : rule->bert;
}

static int
dimension(char letter, const DbertConfig *c)
{
	switch (letter)
	{
		case 'V':
			return c->vocab;
		case 'P':
			return c->positions;
		case 'S':
			return c->types;
		case 'C':
			return c->hidden;
		case '3':
			return 3 * c->hidden;
		case 'F':
			return c->ffn;
		case 'Y':
			return c->n_labels;
		case 'E':
			return c->embedding;
		default:
			return 1;
	}
}

bool
dbert_layout_is_rows(const DbertKernels *kernels)
{
	return strcmp(kernels->layout, "f32-rowmajor") == 0;
}

uint64_t
dbert_rows8_scales(const DbertSlot *slot)
{
	return ((uint64_t) slot->rows * slot->cols + DBERT_PACK_ALIGN - 1) / DBERT_PACK_ALIGN *
		   DBERT_PACK_ALIGN;
}

/* ---- the plan ---- */

static bool
is_decoder(const DbertSlotRule *rule)
{
	return rule->shape == WEIGHT && rule->rows == 'V';
}

static bool
applies(const DbertSlotRule *rule, const DbertConfig *config)
{
	if (rule->where == DENSE)
		return config->dense && (rule->shape != BIAS || config->dense_bias);
	return (rule->heads & HEAD_BIT(config->head)) && rule_names(rule, config)[0] != NULL;
}

/*
 * In 8 bits: the encoder's matrices and, as large as all of them, the word
 * embedding and the decoder that mirrors it.  Heads stay as they are: small,
 * and next to the answer.
 */
static bool
has_8_bits(const DbertSlotRule *rule, const DbertConfig *config)
{
	if (config->precision != DBERT_PRECISION_INT8)
		return false;
	return rule->rows == 'V' ? rule->cols == 'C' : rule->where == LAYER && rule->shape == WEIGHT;
}

static DbertSlotKind
slot_kind(const DbertSlotRule *rule, const DbertConfig *config, bool tied,
		  const DbertKernels *kernels)
{
	bool		int8 = has_8_bits(rule, config);

	if (rule->shape != WEIGHT)
		return int8 ? DBERT_SLOT_ROWS8 : DBERT_SLOT_ROWS;
	if (is_decoder(rule) && tied && !int8 && dbert_layout_is_rows(kernels))
		return DBERT_SLOT_TIED;
	return int8 ? DBERT_SLOT_LINEAR8 : DBERT_SLOT_LINEAR;
}

static uint64_t
slot_bytes(const DbertSlot *slot, const DbertKernels *kernels)
{
	switch (slot->kind)
	{
		case DBERT_SLOT_ROWS:
			return (uint64_t) slot->rows * slot->cols * sizeof(float);
		case DBERT_SLOT_LINEAR:
			return kernels->packed_linear_size(slot->rows, slot->cols) * sizeof(float);
		case DBERT_SLOT_ROWS8:
			return dbert_rows8_scales(slot) + slot->rows * sizeof(float);
		case DBERT_SLOT_LINEAR8:
			return kernels->int8->packed_size(slot->rows, slot->cols);
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
	slot->rows = dimension(rule->rows, config);
	slot->cols = dimension(rule->cols, config);
	slot->kind = slot_kind(rule, config, tied, kernels);
	slot->offset = slots->bytes;
	slot->bytes = slot_bytes(slot, kernels);
	slots->bytes += (slot->bytes + DBERT_PACK_ALIGN - 1) / DBERT_PACK_ALIGN * DBERT_PACK_ALIGN;
}

DbertStatus
dbert_slots_plan(const DbertConfig *config, bool tied, const DbertKernels *kernels,
				 const DbertAllocator *alloc, DbertSlots *slots, DbertError *err)
{
	slots->count = 0;
	slots->bytes = 0;
	slots->items =
		dbert_alloc_array(alloc, (size_t) N_RULES * (config->layers + 1), sizeof(DbertSlot));
	if (slots->items == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (int i = 0; i < N_RULES; i++)
		if (rules[i].where == EMBEDDING && applies(&rules[i], config))
			plan_slot(slots, &rules[i], -1, config, tied, kernels);
	for (int layer = 0; layer < config->layers; layer++)
		for (int i = 0; i < N_RULES; i++)
			if (rules[i].where == LAYER && applies(&rules[i], config))
				plan_slot(slots, &rules[i], layer, config, tied, kernels);
	for (int i = 0; i < N_RULES; i++)
		if (rules[i].where >= HEAD && applies(&rules[i], config))
			plan_slot(slots, &rules[i], -1, config, tied, kernels);
	return DBERT_OK;
}

/* ---- the tensors ---- */

bool
dbert_slots_tied(const DbertConfig *config, const DbertTensorSet *tensors)
{
	if (config->head != DBERT_HEAD_MASK)
		return false;
	for (int i = 0; i < N_RULES; i++)
		if (is_decoder(&rules[i]))
			return dbert_tensors_find(tensors, rule_names(&rules[i], config)[0]) == NULL;
	return false;
}

/* The encoder's names may stand below the family's name. */
static const char *
encoder_prefix(const DbertConfig *config, const DbertTensorSet *tensors)
{
	const char *prefix = config->family == DBERT_FAMILY_DISTILBERT ? "distilbert." : "bert.";
	char		name[DBERT_TENSOR_NAME_MAX + 1];

	snprintf(name, sizeof(name), "%sembeddings.word_embeddings.weight", prefix);
	return dbert_tensors_find(tensors, name) != NULL ? prefix : "";
}

static void
full_name(char out[DBERT_TENSOR_NAME_MAX + 1], const DbertSlot *slot, const char *name,
		  const DbertConfig *config, const char *prefix)
{
	size_t		size = DBERT_TENSOR_NAME_MAX + 1;

	if (slot->rule->where >= HEAD)
		snprintf(out, size, "%s", name);
	else if (slot->rule->where == EMBEDDING)
		snprintf(out, size, "%s%s", prefix, name);
	else
		snprintf(out, size, "%s%s.layer.%d.%s", prefix,
				 config->family == DBERT_FAMILY_DISTILBERT ? "transformer" : "encoder",
				 slot->layer, name);
}

/*
 * Other names of the same thing: TensorFlow's BERT said gamma and beta, and
 * the decoder's bias is saved where it is used or where it is kept.
 */
static const DbertTensor *
find_renamed(const DbertTensorSet *tensors, const char *name)
{
	static const char *const renames[][2] = {
		{"LayerNorm.weight", "LayerNorm.gamma"},
		{"LayerNorm.bias", "LayerNorm.beta"},
		{"cls.predictions.bias", "cls.predictions.decoder.bias"}
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
 * A decoder of its own uses the bias that is saved beside its weights, whatever
 * else is there.
 */
static bool
has_own_bias(const DbertTensorSet *tensors, const char *name)
{
	return strcmp(name, "cls.predictions.bias") == 0 &&
		dbert_tensors_find(tensors, "cls.predictions.decoder.weight") != NULL &&
		dbert_tensors_find(tensors, "cls.predictions.decoder.bias") != NULL;
}

static const DbertTensor *
find_part(const DbertSlot *slot, int part, const DbertConfig *config,
		  const DbertTensorSet *tensors, const char *prefix, char name[DBERT_TENSOR_NAME_MAX + 1])
{
	const DbertTensor *t;

	full_name(name, slot, rule_names(slot->rule, config)[part], config, prefix);
	t = dbert_tensors_find(tensors, name);
	if (t == NULL || has_own_bias(tensors, name))
		t = find_renamed(tensors, name);
	return t;
}

static DbertStatus
check_tensor(const DbertTensor *t, int rank, const int64_t *want, DbertError *err)
{
	char		found[DBERT_SHAPE_TEXT],
				expected[DBERT_SHAPE_TEXT];

	if (t->rank != rank || memcmp(t->shape, want, (size_t) rank * sizeof(*want)) != 0)
		return dbert_fail(err, DBERT_E_SHAPE, "%s: tensor \"%s\": expected shape %s, found %s",
						  t->file, t->name, dbert_shape_text(want, rank, expected),
						  dbert_shape_text(t->shape, t->rank, found));
	if (t->dtype == DBERT_DTYPE_OTHER)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: tensor \"%s\" is of dtype %s, supported are F32, F16 and BF16",
						  t->file, t->name, t->dtype_name);
	return DBERT_OK;
}

static DbertStatus
match_slot(DbertSlot *slot, const DbertConfig *config, const DbertTensorSet *tensors,
		   const char *prefix, uint64_t *parameters, DbertError *err)
{
	int			n_parts = dbert_slot_parts(slot, config);
	int			rank = slot->rule->rows == '1' ? 1 : 2;
	int64_t		want[2];
	char		name[DBERT_TENSOR_NAME_MAX + 1];

	want[0] = (rank == 1 ? slot->cols : slot->rows) / n_parts;
	want[1] = slot->cols;
	for (slot->n_parts = 0; slot->n_parts < n_parts; slot->n_parts++)
	{
		const DbertTensor *t = find_part(slot, slot->n_parts, config, tensors, prefix, name);

		if (t == NULL)
			return dbert_fail(err, DBERT_E_FORMAT, "%s has no tensor \"%s\"", tensors->name, name);
		DBERT_TRY(check_tensor(t, rank, want, err));
		slot->parts[slot->n_parts] = t;
		*parameters += t->count;
	}
	return DBERT_OK;
}

DbertStatus
dbert_slots_match(DbertSlots *slots, const DbertConfig *config, const DbertTensorSet *tensors,
				  const DbertTensorSet *dense, uint64_t *parameters, DbertError *err)
{
	const char *prefix = encoder_prefix(config, tensors);
	bool		tied = dbert_slots_tied(config, tensors);

	*parameters = 0;
	for (int i = 0; i < slots->count; i++)
	{
		DbertSlot  *slot = &slots->items[i];

		if (tied && is_decoder(slot->rule))
		{
			/* the first slot is the word embedding */
			slot->parts[0] = slots->items[0].parts[0];
			slot->n_parts = 1;
			continue;
		}
		DBERT_TRY(match_slot(slot, config, slot->rule->where == DENSE ? dense : tensors, prefix,
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

/* ---- training's questions ---- */

DbertSlotRole
dbert_slot_role(const DbertSlot *slot)
{
	const DbertSlotRule *rule = slot->rule;

	if (rule->where == LAYER)
		return DBERT_ROLE_LAYER;
	if (rule->where == DENSE)
		return DBERT_ROLE_DENSE;
	if (rule->heads == HEADS_ALL)
		return DBERT_ROLE_EMBEDDING;
	return rule->field == TOP(head_out) ? DBERT_ROLE_OUTPUT : DBERT_ROLE_HEAD;
}

bool
dbert_slot_is_matrix(const DbertSlot *slot)
{
	return slot->rule->rows != '1';
}

bool
dbert_slot_is_norm(const DbertSlot *slot)
{
	return slot->rule->where == HEAD && slot->rule->field == TOP(head_norm.gamma);
}

int
dbert_slot_parts(const DbertSlot *slot, const DbertConfig *config)
{
	return rule_names(slot->rule, config)[1] != NULL ? 3 : 1;
}

void
dbert_slot_tensor_name(const DbertSlot *slot, int part, const DbertConfig *config,
					   char name[DBERT_TENSOR_NAME_MAX + 1])
{
	full_name(name, slot, rule_names(slot->rule, config)[part], config,
			  config->head == DBERT_HEAD_NONE ? "" :
			  config->family == DBERT_FAMILY_DISTILBERT ? "distilbert." : "bert.");
}

/* ---- the fields ---- */

static int
head_activation(const DbertConfig *config)
{
	if (config->head == DBERT_HEAD_MASK)
		return config->act;
	if (config->head != DBERT_HEAD_SEQUENCE)
		return DBERT_ACT_NONE;
	return config->family == DBERT_FAMILY_DISTILBERT ? DBERT_ACT_RELU : DBERT_ACT_TANH;
}

static void
place_linear(const DbertSlot *slot, const void *at, const float *word, DbertLinear *linear)
{
	if (slot->kind == DBERT_SLOT_LINEAR8)
		linear->w8 = at;
	else
		linear->w = slot->kind == DBERT_SLOT_TIED ? word : at;
	linear->n = slot->rows;
	linear->k = slot->cols;
}

void
dbert_slots_place(const DbertSlots *slots, const DbertConfig *config, const void *base,
				  DbertWeights *weights)
{
	weights->head_act = head_activation(config);
	for (int i = 0; i < slots->count; i++)
	{
		const DbertSlot *slot = &slots->items[i];
		const char *at = (const char *) base + slot->offset;
		char *owner = slot->layer >= 0 ? (char *) &weights->layers[slot->layer] : (char *) weights;
		char	   *field = owner + slot->rule->field;

		if (slot->kind == DBERT_SLOT_ROWS8)
		{
			weights->word8 = (const int8_t *) at;
			weights->word8_scale = (const float *) (at + dbert_rows8_scales(slot));
		}
		else if (slot->rule->shape == ARRAY)
			*(const float **) field = (const float *) at;
		else if (slot->rule->shape == BIAS)
			((DbertLinear *) field)->b = (const float *) at;
		else
			place_linear(slot, at, weights->word, (DbertLinear *) field);
	}
}
