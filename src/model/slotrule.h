/*
 * slotrule.h -- a rule of the plan, shared by slotplan.c, slotmatch.c and
 * slotplace.c alone.
 *
 * A rule says which field of the weights an array fills, what shape it has and
 * which module of the checkpoint it belongs to.  What that module is called is
 * the family's; a family that has no name for it has no such array.
 */
#ifndef DBERT_MODEL_SLOTRULE_H
#define DBERT_MODEL_SLOTRULE_H

#include "model/family.h"
#include "model/slots.h"

/* What an array is part of. */
typedef enum DbertSlotPlace
{
	DBERT_PLACE_EMBEDDING,		/* field of DbertWeights, name under the prefix */
	DBERT_PLACE_LAYER,			/* field of DbertLayer, name under prefix and layer */
	DBERT_PLACE_DECODER,		/* the same of a decoder's layers */
	DBERT_PLACE_HEAD,			/* field of DbertWeights, name without prefix */
	DBERT_PLACE_STEP			/* field of DbertStepWeights, in the module's own file */
} DbertSlotPlace;

/* Modules beside those of the encoder (DbertModule). */
enum
{
	DBERT_MODULE_HEAD_DENSE = DBERT_MODULES,
	DBERT_MODULE_HEAD_NORM,
	DBERT_MODULE_HEAD_OUT,
	DBERT_MODULE_STEP_RESIDUAL,
	DBERT_MODULE_STEP_DENSE,	/* sentence-transformers' */
	DBERT_MODULE_STEP_NORM
};

/* What the field is, and which tensor of the module it is made of. */
typedef enum DbertSlotShape
{
	DBERT_SHAPE_ARRAY,			/* const float *, copied: the weight */
	DBERT_SHAPE_ARRAY_BIAS,		/* the same: the bias */
	DBERT_SHAPE_WEIGHT,			/* DbertLinear: w, n, k; packed */
	DBERT_SHAPE_BIAS,			/* DbertLinear: b */
	DBERT_SHAPE_DISTANCES		/* const float *, made of both (packdistances.c) */
} DbertSlotShape;

typedef struct DbertSlotRule
{
	DbertSlotPlace place;
	int			module;
	DbertSlotShape shape;
	char		rows;			/* letter of weights.h; '1': a vector of cols */
	char		cols;			/* the same; 'O': columns of a head's logits; 'D': what they read */
	size_t		field;
} DbertSlotRule;

/* In the order of their slots, but that layers repeat theirs. */
extern const DbertSlotRule dbert_slot_rules[];
extern const int dbert_slot_rules_count;

/*
 * Name of a module that the rule's array is made of, part 0 first; NULL: the
 * model has no such array, or not so many parts.
 */
extern const char *dbert_slot_module(const DbertSlotRule *rule, const DbertConfig *config,
									 int part);

/* Where its name stands; of a head's dense layer the family says it. */
extern DbertSlotPlace dbert_slot_place(const DbertSlotRule *rule, const DbertConfig *config);

/* The weight of a decoder, which may be the word embedding. */
extern bool dbert_slot_is_decoder(const DbertSlotRule *rule, const DbertConfig *config);

#endif
