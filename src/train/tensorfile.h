/*
 * tensorfile.h -- files of a model that are made as they are read: a JSON text,
 * and a model.safetensors of tensors that lie elsewhere.
 *
 * Format: https://huggingface.co/docs/safetensors.
 */
#ifndef DBERT_TRAIN_TENSORFILE_H
#define DBERT_TRAIN_TENSORFILE_H

#include "base/memory.h"
#include "model/family.h"
#include "model/json.h"
#include "model/slots.h"

/* One tensor. */
typedef struct DbertTensorPiece
{
	uint64_t	offset;			/* in the file */
	uint64_t	bytes;
	const void *data;			/* where it lies, or NULL: the reader's fetch knows */
} DbertTensorPiece;

typedef struct DbertTensorFile
{
	const DbertAllocator *alloc;
	DbertJsonTree entries;		/* of the header, until it is ended */
	char	   *header;
	size_t		header_size;	/* without the 8 bytes before it; padded to a multiple of 8 */
	size_t		header_text;	/* of which so many are text */
	DbertTensorPiece *pieces;			/* in order of offset */
	int			n_pieces;
	uint64_t	size;			/* of the file */
} DbertTensorFile;

/* Room for so many pieces; E_NOMEM.  To be freed, ended or not. */
extern DbertStatus dbert_tensorfile_begin(DbertTensorFile *f, int pieces,
										  const DbertAllocator *alloc, DbertError *err);

/*
 * Append one of the parts of a slot: elements of a dtype ("F32") of so many
 * bytes each.
 */
extern void dbert_tensorfile_add(DbertTensorFile *f, const char *name, const DbertSlot *slot,
								 int parts, const char *dtype, int element, const void *data);
extern void dbert_tensorfile_add_matrix(DbertTensorFile *f, const char *name, int rows, int cols,
										const char *dtype, int element, const void *data);

/*
 * A tensor of a checkpoint, of any shape, with so many rows (its first
 * dimension); its bytes are fetched.
 */
extern void dbert_tensorfile_add_copy(DbertTensorFile *f, const DbertTensor *tensor,
									  int64_t rows);
extern DbertStatus dbert_tensorfile_end(DbertTensorFile *f, DbertError *err);
extern void dbert_tensorfile_free(DbertTensorFile *f);

/* Bytes from .. from + len - 1 of a piece that has no data. */
typedef DbertStatus (*DbertFetch)(void *ctx, int piece, uint64_t from, void *buf, size_t len,
								  DbertError *err);

/* As DbertSource.read; fetch may be NULL if all pieces have data. */
extern DbertStatus dbert_tensorfile_read(const DbertTensorFile *f, uint64_t from, void *buf,
										 size_t len, DbertFetch fetch, void *ctx, DbertError *err);

/*
 * The text of a tree in memory of the allocator; the tree is released.
 * E_NOMEM, also where memory failed while the tree was made.
 */
extern DbertStatus dbert_json_dump(DbertJsonTree *tree, size_t flags, const DbertAllocator *alloc,
								   char **out, size_t *len, DbertError *err);

/* How config.json and the like are written. */
#define DBERT_CONFIG_FORMAT (JSON_INDENT(2) | JSON_REAL_PRECISION(15))

/* Set a size in config.json; one without a key has none there. */
extern void dbert_json_set_size(json_t *root, const DbertSizeKey *size, int value);

/*
 * json_object() by another name: in the server, that one is a function of the
 * server's own.
 */
static inline json_t *
dbert_json_object(void)
{
	return json_pack("{}");
}

/*
 * text[size] lies at offset in a file, buf holds [from, from + len) of it: copy
 * to buf what both have.
 */
extern void dbert_copy_overlap(uint64_t from, void *buf, size_t len, uint64_t offset,
							   const void *text, uint64_t size);

#endif
