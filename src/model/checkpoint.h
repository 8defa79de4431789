/*
 * checkpoint.h -- one file of a checkpoint, shared by safetensors.c,
 * torchfile.c and checkpoint.c alone.
 */
#ifndef DBERT_MODEL_CHECKPOINT_H
#define DBERT_MODEL_CHECKPOINT_H

#include "model/safetensors.h"

/*
 * The tensors of one file, in any order; file must live as long as the arena,
 * which owns the rest.
 */
extern DbertStatus dbert_safetensors_header(const DbertSource *source, const char *file,
											DbertArena *arena, const DbertPoll *poll,
											DbertTensor **items, size_t *count,
											DbertError *err);
extern DbertStatus dbert_torch_header(const DbertSource *source, const char *file,
									  DbertArena *arena, const DbertPoll *poll,
									  DbertTensor **items, size_t *count, DbertError *err);

/* Its dtype by safetensors' name, and the bits of an element; false: none. */
extern bool dbert_tensor_set_dtype(DbertTensor *t, const char *name, int *bits);

/* t->count, and the bytes that its shape takes. */
extern DbertStatus dbert_tensor_measure(DbertTensor *t, int bits, uint64_t *bytes,
										DbertError *err);

#endif
