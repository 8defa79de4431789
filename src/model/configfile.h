/*
 * configfile.h -- config.json, and the rules about heads and labels.
 */
#ifndef DBERT_MODEL_CONFIGFILE_H
#define DBERT_MODEL_CONFIGFILE_H

#include "model/family.h"
#include "model/json.h"
#include "model/safetensors.h"

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

/* Whether a config out of an image is within all limits. */
extern bool dbert_config_valid(const DbertConfig *config);

#endif
