/*
 * checkpoint.h -- one file of a checkpoint, shared by safetensors.c and
 * checkpoint.c alone.
 */
#ifndef DBERT_MODEL_CHECKPOINT_H
#define DBERT_MODEL_CHECKPOINT_H

#include "model/safetensors.h"

/*
 * The tensors of one file, sorted by offset; file must live as long as the
 * arena, which owns the rest.
 */
extern DbertStatus dbert_safetensors_header(const DbertSource *source, const char *file,
											DbertArena *arena, const DbertPoll *poll,
											DbertTensor **items, size_t *count,
											DbertError *err);

#endif
