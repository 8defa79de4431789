/*
 * distill.h -- learning from a teacher: train.h says what the loss is made of
 * (DbertDistill), objective.h what is left to the head's lesson.
 */
#ifndef DBERT_TRAIN_DISTILL_H
#define DBERT_TRAIN_DISTILL_H

#include "train/objective.h"

/* The steps of a trainer with a teacher, whatever its head. */
extern const DbertSteps dbert_distill_steps;

/* Set in t->config what they need. */
extern void dbert_distill_configure(DbertTrainer *t);

/*
 * E_UNSUPPORTED, E_INVALID: options, for a base of this config, that they
 * cannot have.
 */
extern DbertStatus dbert_distill_check_options(const DbertConfig *base, const DbertTrainOptions *o,
											   DbertError *err);

/*
 * What a part of the loss is multiplied by to be its share in the whole: part
 * is one of d's weights, weight the denominator of that part's mean.
 */
static inline double
dbert_distill_share(const DbertDistill *d, double part, double weight)
{
	return weight > 0 ? part / (d->soft + d->hard + d->cosine + d->hidden + d->attention) / weight
					  : 0;
}

#endif
