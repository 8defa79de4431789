/*
 * configfile.h -- config.json, and the rules about heads and labels.
 */
#ifndef DBERT_MODEL_CONFIGFILE_H
#define DBERT_MODEL_CONFIGFILE_H

#include "model/family.h"
#include "model/json.h"
#include "model/safetensors.h"
#include "text/tokenizer.h"

/*
 * Sizes and everything else that stands in config.json but head and labels;
 * config is cleared first.  E_UNSUPPORTED names what this reader has no code
 * for.
 */
extern DbertStatus dbert_config_read(const DbertJson *root, DbertConfig *config,
									 DbertError *err);

/*
 * config->head and config->architecture, from the head that is asked for (or
 * AUTO), the architecture named in config.json, or, when it names none, the
 * tensors that are there.
 */
extern DbertStatus dbert_config_head(const DbertJson *root, int asked,
									 const DbertTensorSet *tensors, DbertConfig *config,
									 DbertError *err);

/*
 * config->n_labels, config->problem and labels[n_labels] (from the arena), all
 * 0 for heads without labels; checked against the rows of the head's weight.
 */
extern DbertStatus dbert_config_labels(const DbertJson *root, const DbertTensorSet *tensors,
									   DbertArena *arena, DbertConfig *config,
									   const char ***labels, DbertError *err);

/*
 * config->raw_scores, as a cross-encoder's activation of this name, said in
 * file, has it; nothing happens to models that are none.
 */
extern DbertStatus dbert_config_activation(const char *name, const char *file,
										   DbertConfig *config, DbertError *err);

/*
 * Whether the model has the token types that its tokenizer puts; those of pairs
 * count where it takes pairs.
 */
extern bool dbert_config_has_types(const DbertConfig *config, const DbertTokenizer *t);

/* Whether a config out of an image is within all limits. */
extern bool dbert_config_valid(const DbertConfig *config);

#endif
