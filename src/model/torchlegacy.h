/*
 * torchlegacy.h -- what torch.save wrote before release 1.6.
 */
#ifndef DBERT_MODEL_TORCHLEGACY_H
#define DBERT_MODEL_TORCHLEGACY_H

#include "model/pickle.h"
#include "model/source.h"

/* Elements that tensors are parts of. */
typedef struct DbertTorchStorage
{
	const char *key;			/* [key_len], not terminated */
	int			key_len;
	int			width;			/* bytes of an element */
	int64_t		count;
	uint64_t	offset;			/* of the first one in the file; 0: not found yet */
} DbertTorchStorage;

typedef struct DbertTorchLegacy
{
	DbertPickleTensor *tensors;	/* [count] */
	size_t		count;
	DbertTorchStorage *storages;	/* [n_storages], by key */
	size_t		n_storages;
} DbertTorchLegacy;

/* Does a file of so many bytes or more begin as these do? */
#define DBERT_TORCH_LEGACY_BYTES 15
extern bool dbert_torch_legacy_begins(const unsigned char bytes[DBERT_TORCH_LEGACY_BYTES]);

/* What file holds; all of it belongs to arena. */
extern DbertStatus dbert_torch_legacy_read(const DbertSource *source, const char *file,
										   DbertArena *arena, const DbertPoll *poll,
										   DbertTorchLegacy *out, DbertError *err);

/* The storage of a tensor; NULL: there is none. */
extern const DbertTorchStorage *dbert_torch_legacy_find(const DbertTorchLegacy *legacy,
														const DbertPickleTensor *tensor);

#endif
