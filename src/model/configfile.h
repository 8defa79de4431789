/*
 * configfile.h -- config.json, and the rules about heads and labels.
 */
#ifndef DBERT_MODEL_CONFIGFILE_H
#define DBERT_MODEL_CONFIGFILE_H

#include "model/config.h"
#include "model/json.h"
#include "model/safetensors.h"

/* Limits of every size; what is below them cannot overflow in 64 bits. */
#define DBERT_MAX_HIDDEN	16384
#define DBERT_MAX_FFN		65536
#define DBERT_MAX_LAYERS	256
#define DBERT_MAX_HEADS		1024
#define DBERT_MAX_VOCAB		(4 << 20)
#define DBERT_MAX_POSITIONS (1 << 20)
#define DBERT_MAX_TYPES		1024

/* [CLS] a [SEP] b and [SEP]: what a pair needs to keep anything at all */
#define DBERT_MIN_TOKENS	4

typedef enum DbertTask
{
	DBERT_TASK_AUTO,			/* as the files say */
	DBERT_TASK_EMBED,
	DBERT_TASK_CLASSIFY,
	DBERT_TASK_ENTITIES,
	DBERT_TASK_ANSWER,
	DBERT_TASK_FILL_MASK
} DbertTask;

/* NULL: AUTO; E_INVALID for an unknown name. */
extern DbertStatus dbert_task_parse(const char *name, DbertTask *task, DbertError *err);

/*
 * Sizes and everything else that stands in config.json but head and labels;
 * config is cleared first.  E_UNSUPPORTED names what this reader has no code
 * for.
 */
extern DbertStatus dbert_config_read(const DbertJson *root, DbertConfig *config,
									 DbertError *err);

/*
 * config->head and config->architecture, from the task, the architecture named
 * in config.json, or, when it names none, the tensors that are there.
 */
extern DbertStatus dbert_config_head(const DbertJson *root, DbertTask task,
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
