/*
 * slots.h -- the plan of an image's weights: every array a model needs, where
 * it stands in the image, which tensors it is made of, which field points to
 * it.
 *
 * Writing and opening an image walk the same plan, which follows from the
 * config and the arrays' types, so the image stores no names and no places.
 */
#ifndef DBERT_MODEL_SLOTS_H
#define DBERT_MODEL_SLOTS_H

#include "kernel/kernel.h"
#include "model/config.h"
#include "model/safetensors.h"
#include "model/weights.h"

/* Every array begins on a cache line. */
#define DBERT_PACK_ALIGN 64

static inline uint64_t
dbert_pack_aligned(uint64_t offset)
{
	return (offset + DBERT_PACK_ALIGN - 1) / DBERT_PACK_ALIGN * DBERT_PACK_ALIGN;
}

typedef enum DbertSlotKind
{
	DBERT_SLOT_ROWS,			/* copied as it is */
	DBERT_SLOT_LINEAR,			/* packed by the kernels */
	DBERT_SLOT_ROWS8,			/* rows in 8 bits, then their scales */
	DBERT_SLOT_LINEAR8,			/* packed by the kernels in 8 bits */
	DBERT_SLOT_QUERY_ROWS,		/* a layer's rows for distances, of each head apart, packed */
	DBERT_SLOT_KEY_ROWS,		/* by the kernels: what queries meet, what keys meet */
	DBERT_SLOT_SINUSOIDS,		/* rows of positions that are computed, of no tensor */
	DBERT_SLOT_TIED				/* the word embedding's rows serve as a linear layer */
} DbertSlotKind;

typedef struct DbertSlot
{
	const struct DbertSlotRule *rule;
	DbertSlotKind kind;
	DbertWeightType type;		/* of its numbers; the pack names it for each slot */
	int			layer;			/* or step behind the pooling; -1: of neither */
	int			rows;			/* N, of all parts together; 1 for a vector */
	int			cols;			/* K */
	uint64_t	offset;			/* in the weights section */
	uint64_t	bytes;			/* written there; 0 for TIED */
	const DbertTensor *parts[3];	/* stacked one below the other */
	int			n_parts;
} DbertSlot;

typedef struct DbertSlots
{
	DbertSlot  *items;
	int			count;
	uint64_t	bytes;			/* of the weights section */
} DbertSlots;

/*
 * Lay out the weights of config, none in 16 bits.  tied: the decoder of a MASK
 * head is the word embedding.  items is allocated from alloc (dbert_free).
 * parts are left empty.
 */
extern DbertStatus dbert_slots_plan(const DbertConfig *config, bool tied,
									const DbertKernels *kernels,
									const DbertAllocator *alloc,
									DbertSlots *slots, DbertError *err);

/* Whether a MASK head has no decoder of its own in the checkpoint. */
extern bool dbert_slots_tied(const DbertConfig *config, const DbertTensorSet *tensors);

/*
 * Find the tensors of every slot, those of the steps behind the pooling in sets
 * of their own, and check type and shape; E_FORMAT for a missing one, E_SHAPE
 * telling both shapes, E_UNSUPPORTED for a dtype.  *parameters = the elements
 * of all tensors used.
 */
extern DbertStatus dbert_slots_match(DbertSlots *slots, const DbertConfig *config,
									 const DbertTensorSet *tensors, const DbertTensorSet *steps,
									 uint64_t *parameters, DbertError *err);

/*
 * Same, for a config whose head is not the checkpoint's: a slot of the head
 * that is not there in shape and type has n_parts = 0.
 */
extern DbertStatus dbert_slots_match_encoder(DbertSlots *slots, const DbertConfig *config,
											 const DbertTensorSet *tensors, DbertError *err);

/* What a slot is to training. */
typedef enum DbertSlotRole
{
	DBERT_ROLE_EMBEDDING,
	DBERT_ROLE_LAYER,
	DBERT_ROLE_HEAD,			/* below its last layer: pooler, pre_classifier, transform */
	DBERT_ROLE_OUTPUT,			/* the layer that gives the logits */
	DBERT_ROLE_STEP				/* behind the pooling */
} DbertSlotRole;

extern DbertSlotRole dbert_slot_role(const DbertSlot *slot);

/*
 * A matrix, not a bias or the weight of a norm; the weight of the head's norm,
 * the only one that may be new.
 */
extern bool dbert_slot_is_matrix(const DbertSlot *slot);
extern bool dbert_slot_is_norm(const DbertSlot *slot);

/* The rows of the word embedding. */
extern bool dbert_slot_is_words(const DbertSlot *slot);

/*
 * Tensors that slot is stacked of, rows of one of them (numbers, of a vector),
 * and the name that transformers gives to it.
 */
extern int	dbert_slot_parts(const DbertSlot *slot, const DbertConfig *config);
extern int	dbert_slot_part_rows(const DbertSlot *slot, int part, const DbertConfig *config);
extern void dbert_slot_tensor_name(const DbertSlot *slot, int part, const DbertConfig *config,
								   char name[DBERT_TENSOR_NAME_MAX + 1]);

/*
 * Another name of the same tensor, which transformers writes besides where the
 * decoder is not the word embedding; false: there is none.
 */
extern bool dbert_slot_other_name(const DbertSlot *slot, const DbertConfig *config,
								  char name[DBERT_TENSOR_NAME_MAX + 1]);

/* Point weights (layers already allocated, everything cleared) into base. */
extern void dbert_slots_place(const DbertSlots *slots, const DbertConfig *config,
							  const void *base, DbertWeights *weights);

/*
 * Weights of 16 bits.  Matrices and the rows of words and positions may be
 * stored in them, if the kernels multiply with such weights; never in a model
 * of 8 bits.  A TIED slot has the type of the rows it shares.
 *
 * The first gives matched slots whose tensors are all of one such type that
 * type, but for the words unless they are copied as they are; the second gives
 * the slots of an image the types that it names, a byte for each slot, and
 * returns the first slot that cannot be of its type, or -1.  Both lay the
 * weights out again.
 */
extern void dbert_slots_keep_halves(DbertSlots *slots, const DbertConfig *config,
									const DbertKernels *kernels, bool words_are_copied);
extern int	dbert_slots_take_types(DbertSlots *slots, const DbertConfig *config,
								   const DbertKernels *kernels, const char *types);

static inline bool
dbert_slot_is_half(const DbertSlot *slot)
{
	return slot->type == DBERT_WEIGHT_F16 || slot->type == DBERT_WEIGHT_BF16;
}

/* Where in a slot of ROWS8 the scales begin. */
extern uint64_t dbert_rows8_scales(const DbertSlot *slot);

/* The layout in which a packed weight is the weight's own rows. */
extern bool dbert_layout_is_rows(const DbertKernels *kernels);

#endif
