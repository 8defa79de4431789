/*
 * generating.h -- how a model with a decoder writes: generation_config.json
 * or, in older directories, config.json.
 */
#ifndef DBERT_MODEL_GENERATING_H
#define DBERT_MODEL_GENERATING_H

#include "model/family.h"
#include "model/json.h"

/*
 * config->generation.  root: config.json's.  The names of the files are added
 * to list.  E_UNSUPPORTED for settings that would change what is written and
 * have no code.
 */
extern DbertStatus dbert_generation_read(const DbertSource *source, const char *dir,
										 const DbertJson *root, const DbertAllocator *alloc,
										 DbertArena *arena, const DbertPoll *poll,
										 DbertConfig *config, DbertFileList *list,
										 DbertError *err);

/* Whether one out of an image is within all limits. */
extern bool dbert_generation_valid(const DbertConfig *config);

#endif
