/*
 * pickle.h -- the tensors that a pickle of torch.save describes.
 *
 * A pickle is a program for a small stack machine, which in Python may call
 * anything.  Here it can make values of a fixed list of kinds and nothing
 * else: the opcodes and names that a dict of tensors needs are known, any other
 * is refused by its name.  The tensors' bytes lie elsewhere, in storages.
 *
 * Source: Python's pickletools.py, protocol 2; torch's serialization.py and
 * _utils.py (_rebuild_tensor_v2, _rebuild_parameter).
 */
#ifndef DBERT_MODEL_PICKLE_H
#define DBERT_MODEL_PICKLE_H

#include "base/arena.h"
#include "base/status.h"

#define DBERT_PICKLE_MAX		(2 << 20)
#define DBERT_PICKLE_RANK_MAX	8

/* Some elements of a storage, as they are to be looked at. */
typedef struct DbertPickleTensor
{
	const char *name;			/* the dict's key, terminated */
	const char *storage;		/* the storage's key: [storage_len], not terminated */
	int			storage_len;
	const char *dtype;			/* of the storage, in safetensors' names */
	int64_t		storage_count;	/* its elements */
	int64_t		first;			/* of its elements */
	int			rank;
	int64_t		shape[DBERT_PICKLE_RANK_MAX];
	int64_t		stride[DBERT_PICKLE_RANK_MAX];	/* elements */
} DbertPickleTensor;

/* Bytes of a file that begin with a pickle; file is for messages. */
typedef struct DbertPickleBytes
{
	const unsigned char *bytes;
	size_t		len;
	const char *file;
} DbertPickleBytes;

typedef struct DbertPickleText
{
	const unsigned char *text;	/* [len], not terminated, of the pickle's bytes */
	size_t		len;
} DbertPickleText;

/*
 * Run a pickle of a dict from names to tensors: *items[*count] belongs to
 * arena, its strings partly to the bytes, which must outlive it.  *used: how
 * many bytes are the pickle's; NULL: all must be.  Numbers are not negative;
 * whether they fit the storage is the caller's affair.  E_FORMAT, and
 * E_UNSUPPORTED naming the opcode or the name that is not known.
 */
extern DbertStatus dbert_pickle_tensors(DbertPickleBytes bytes, DbertArena *arena,
										const DbertPoll *poll, DbertPickleTensor **items,
										size_t *count, size_t *used, DbertError *err);

/* The same of a list of strings, and of whatever nobody asks for. */
extern DbertStatus dbert_pickle_texts(DbertPickleBytes bytes, DbertArena *arena,
									  const DbertPoll *poll, DbertPickleText **items,
									  size_t *count, size_t *used, DbertError *err);
extern DbertStatus dbert_pickle_skip(DbertPickleBytes bytes, DbertArena *arena,
									 const DbertPoll *poll, size_t *used, DbertError *err);

#endif
