/*
 * vocabloss.h -- the decoder of masked tokens and its loss over the vocabulary.
 */
#ifndef DBERT_TRAIN_VOCABLOSS_H
#define DBERT_TRAIN_VOCABLOSS_H

#include "train/plan.h"

/*
 * Masked rows whose logits are there at once, in acts.block[V, so many]; each
 * block packs the decoder anew for its products.
 */
#define DBERT_VOCAB_BLOCK 384

/*
 * From acts.d[n_masked, C]: soft and hard times the sums of the masked tokens'
 * losses are added to *loss, and acts.logits is what dbert_trainer_evaluate
 * says.  When differentiate is set: acts.dd = the derivative by acts.d, and the
 * decoder's gradients.
 */
extern DbertStatus dbert_vocab_loss(const DbertPass *pass, double soft, double hard,
									bool differentiate, double *loss);

#endif
