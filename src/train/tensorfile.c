/* tensorfile.c -- see tensorfile.h. */
#include "train/tensorfile.h"

#include <stdlib.h>
#include <string.h>

DbertStatus
dbert_json_dump(DbertJsonTree *tree, size_t flags, const DbertAllocator *alloc, char **out,
				size_t *len, DbertError *err)
{
	char	   *text;

	dbert_json_pool_enter(&tree->pool);
	text = json_dumps(tree->root, flags);
	dbert_json_pool_leave(&tree->pool);
	if (tree->pool.failed)
		text = NULL;
	*len = text != NULL ? strlen(text) : 0;
	*out = text != NULL ? dbert_alloc(alloc, *len) : NULL;
	if (*out != NULL)
		memcpy(*out, text, *len);
	dbert_json_free(tree);
	if (*out == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	return DBERT_OK;
}

void
dbert_json_set_size(json_t *root, const DbertSizeKey *size, int value)
{
	if (size->key == NULL)
		return;
	if (size->alias != NULL)
		json_object_del(root, size->alias);
	json_object_set_new(root, size->key, json_integer(value));
}

DbertStatus
dbert_tensorfile_begin(DbertTensorFile *f, int pieces, const DbertAllocator *alloc, DbertError *err)
{
	*f = (DbertTensorFile)
	{
		.alloc = alloc,.pieces = dbert_alloc_array(alloc, pieces, sizeof(DbertTensorPiece))
	};
	dbert_json_pool_begin(&f->entries.pool, alloc);
	if (f->pieces == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	dbert_json_pool_enter(&f->entries.pool);
	f->entries.root = dbert_json_object();
	json_object_set_new(f->entries.root, "__metadata__", json_pack("{s:s}", "format", "pt"));
	dbert_json_pool_leave(&f->entries.pool);
	return DBERT_OK;
}

/*
 * Offsets count from the end of the header until it is there.  The shape
 * becomes the entry's.
 */
static void
add_piece(DbertTensorFile *f, const char *name, json_t *shape, const char *dtype, uint64_t bytes,
		  const void *data)
{
	uint64_t	end = f->size + bytes;

	json_object_set_new(f->entries.root, name,
						json_pack("{s:s,s:o,s:[I,I]}", "dtype", dtype, "shape", shape,
								  "data_offsets", (json_int_t) f->size, (json_int_t) end));
	f->pieces[f->n_pieces++] = (DbertTensorPiece) {f->size, bytes, data};
	f->size = end;
}

/* rows 0: a vector of cols */
void
dbert_tensorfile_add_matrix(DbertTensorFile *f, const char *name, int rows, int cols,
							const char *dtype, int element, const void *data)
{
	json_t	   *shape;

	dbert_json_pool_enter(&f->entries.pool);
	shape = json_array();
	if (rows > 0)
		json_array_append_new(shape, json_integer(rows));
	json_array_append_new(shape, json_integer(cols));
	add_piece(f, name, shape, dtype, (uint64_t) (rows > 0 ? rows : 1) * cols * element, data);
	dbert_json_pool_leave(&f->entries.pool);
}

void
dbert_tensorfile_add(DbertTensorFile *f, const char *name, const DbertSlot *slot, int parts,
					 const char *dtype, int element, const void *data)
{
	bool		matrix = dbert_slot_is_matrix(slot);

	dbert_tensorfile_add_matrix(f, name, matrix ? slot->rows / parts : 0,
								matrix ? slot->cols : slot->cols / parts, dtype, element, data);
}

void
dbert_tensorfile_add_copy(DbertTensorFile *f, const DbertTensor *tensor, int64_t rows)
{
	uint64_t	bytes = tensor->bytes;
	json_t	   *shape;

	dbert_json_pool_enter(&f->entries.pool);
	shape = json_array();
	for (int i = 0; i < tensor->rank; i++)
		json_array_append_new(shape, json_integer(i == 0 ? rows : tensor->shape[i]));
	if (tensor->rank > 0 && tensor->shape[0] > 0)
		bytes = tensor->bytes / (uint64_t) tensor->shape[0] * (uint64_t) rows;
	add_piece(f, tensor->name, shape, tensor->dtype_name, bytes, NULL);
	dbert_json_pool_leave(&f->entries.pool);
}

DbertStatus
dbert_tensorfile_end(DbertTensorFile *f, DbertError *err)
{
	DBERT_TRY(
		dbert_json_dump(&f->entries, JSON_COMPACT, f->alloc, &f->header, &f->header_text, err));
	f->header_size = (f->header_text + 7) / 8 * 8;
	for (int i = 0; i < f->n_pieces; i++)
		f->pieces[i].offset += 8 + f->header_size;
	f->size += 8 + f->header_size;
	return DBERT_OK;
}

void
dbert_tensorfile_free(DbertTensorFile *f)
{
	dbert_json_free(&f->entries);
	dbert_free(f->alloc, f->header);
	dbert_free(f->alloc, f->pieces);
}

void
dbert_copy_overlap(uint64_t from, void *buf, size_t len, uint64_t offset, const void *text,
				   uint64_t size)
{
	uint64_t	first = from > offset ? from : offset,
				end = from + len < offset + size ? from + len : offset + size;

	if (first < end)
		memcpy((char *) buf + (first - from), (const char *) text + (first - offset),
			   (size_t) (end - first));
}

static DbertStatus
fetch_overlap(const DbertTensorFile *f, int piece, uint64_t from, char *buf, size_t len,
			  DbertFetch fetch, void *ctx, DbertError *err)
{
	const DbertTensorPiece *p = &f->pieces[piece];
	uint64_t	first = from > p->offset ? from : p->offset,
				end = from + len < p->offset + p->bytes ? from + len : p->offset + p->bytes;

	if (first >= end)
		return DBERT_OK;
	return fetch(ctx, piece, first - p->offset, buf + (first - from), (size_t) (end - first), err);
}

DbertStatus
dbert_tensorfile_read(const DbertTensorFile *f, uint64_t from, void *buf, size_t len,
					  DbertFetch fetch, void *ctx, DbertError *err)
{
	char		size[8];

	for (int i = 0; i < 8; i++)
		size[i] = (char) ((uint64_t) f->header_size >> (8 * i));
	memset(buf, ' ', len);		/* pads the header */
	dbert_copy_overlap(from, buf, len, 0, size, sizeof(size));
	dbert_copy_overlap(from, buf, len, 8, f->header, f->header_text);
	for (int i = 0; i < f->n_pieces; i++)
	{
		const DbertTensorPiece *p = &f->pieces[i];

		if (p->data != NULL)
			dbert_copy_overlap(from, buf, len, p->offset, p->data, p->bytes);
		else
			DBERT_TRY(fetch_overlap(f, i, from, buf, len, fetch, ctx, err));
	}
	return DBERT_OK;
}
