/*
 * safetensors.h -- the tensors of a model: where they lie, and reading them.
 *
 * A checkpoint is one model.safetensors, or model.safetensors.index.json
 * naming its shards; where neither is there, pytorch_model.bin or its index.
 * Every header is checked as the format's reference implementation does: types
 * and sizes of every entry, offsets that tile the buffer without holes or
 * overlap up to the last byte of the file.
 *
 * Format: https://huggingface.co/docs/safetensors, "Format".
 */
#ifndef DBERT_MODEL_SAFETENSORS_H
#define DBERT_MODEL_SAFETENSORS_H

#include "model/modelfiles.h"

#define DBERT_TENSOR_RANK_MAX	8
#define DBERT_TENSOR_NAME_MAX	255
#define DBERT_TENSOR_HEADER_MAX (16 << 20)

typedef enum DbertDtype
{
	DBERT_DTYPE_F32,
	DBERT_DTYPE_F16,
	DBERT_DTYPE_BF16,
	DBERT_DTYPE_F64,
	DBERT_DTYPE_I8,				/* of static embeddings: the numbers themselves */
	DBERT_DTYPE_OTHER			/* may be present, cannot be read */
} DbertDtype;

typedef struct DbertTensor
{
	const char *name;
	const char *file;			/* as the source names it */
	const char *dtype_name;		/* "F32" */
	DbertDtype	dtype;
	int			rank;
	int64_t		shape[DBERT_TENSOR_RANK_MAX];
	uint64_t	count;			/* elements */
	uint64_t	offset;			/* of the first byte, in the file */
	uint64_t	bytes;
} DbertTensor;

/* Sorted by name; everything belongs to the arena it was read with. */
typedef struct DbertTensorSet
{
	DbertTensor *items;
	size_t		count;
	const char *name;			/* of the file that lists them, for messages */
} DbertTensorSet;

/*
 * Read the headers of the checkpoint in folder dir, and add its files to list.
 */
extern DbertStatus dbert_tensors_open(const DbertSource *source, const char *dir,
									  DbertArena *arena, const DbertPoll *poll,
									  DbertTensorSet *set, DbertFileList *list,
									  DbertError *err);

/* NULL: none of that name */
extern const DbertTensor *dbert_tensors_find(const DbertTensorSet *set, const char *name);

/*
 * Read all elements of a tensor of any dtype but OTHER as float to dst[count],
 * those of F64 rounded; dst NULL: only check them.  block is
 * scratch of DBERT_READ_BLOCK bytes, aligned for float.  E_FORMAT naming the
 * tensor for NaN, infinity and numbers that no float can hold.
 */
extern DbertStatus dbert_tensor_read(const DbertSource *source, const DbertTensor *tensor,
									 float *dst, void *block,
									 const DbertPoll *poll, DbertError *err);

/*
 * The same of a tensor of F16 or BF16, its numbers as they are.
 */
extern DbertStatus dbert_tensor_read_halves(const DbertSource *source, const DbertTensor *tensor,
											uint16_t *dst, void *block,
											const DbertPoll *poll, DbertError *err);

/* Bytes of an element; not of OTHER. */
extern size_t dbert_dtype_size(DbertDtype dtype);

/* "[2,32]", for messages */
#define DBERT_SHAPE_TEXT 180
extern const char *dbert_shape_text(const int64_t *shape, int rank, char out[DBERT_SHAPE_TEXT]);

#endif
