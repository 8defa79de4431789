/* overlay.c -- see overlay.h. */
#include "train/overlay.h"

#include <stdio.h>
#include <string.h>

#define WEIGHTS_FILE "model.safetensors"
#define INDEX_FILE "model.safetensors.index.json"

static const DbertOverlayFile *
find_file(const DbertOverlay *o, const char *name)
{
	for (int i = 0; i < o->n_files; i++)
		if (strcmp(o->files[i].name, name) == 0)
			return &o->files[i];
	return NULL;
}

static DbertStatus
overlay_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	const DbertOverlay *o = ctx;
	const DbertOverlayFile *file = find_file(o, name);

	if (file != NULL)
		*size = file->text != NULL ? (int64_t) file->size : -1;
	else if (strcmp(name, o->weights_name) == 0)
		*size = (int64_t) o->weights.size;
	else
		return o->under->size(o->under->ctx, name, size, err);
	return DBERT_OK;
}

static DbertStatus
overlay_read(void *ctx, const char *name, uint64_t offset, void *buf, size_t len, DbertError *err)
{
	const DbertOverlay *o = ctx;
	const DbertOverlayFile *file = find_file(o, name);

	if (strcmp(name, o->weights_name) == 0)
		return dbert_tensorfile_read(&o->weights, offset, buf, len, o->fetch, o->ctx, err);
	if (file == NULL)
		return o->under->read(o->under->ctx, name, offset, buf, len, err);
	if (file->text == NULL)
		return dbert_fail(err, DBERT_E_IO, "there is no file \"%s\"", name);
	dbert_copy_overlap(offset, buf, len, 0, file->text, file->size);
	return DBERT_OK;
}

/* Room for one more. */
static DbertStatus
add_file(DbertOverlay *o, const char *path, char *text, size_t size, DbertError *err)
{
	DbertOverlayFile *file = &o->files[o->n_files];

	if (o->n_files == DBERT_OVERLAY_FILES)
	{
		dbert_free(o->alloc, text);
		return dbert_fail(err, DBERT_E_INTERNAL, "more than %d files are replaced",
						  DBERT_OVERLAY_FILES);
	}
	snprintf(file->name, sizeof(file->name), "%s", path);
	file->text = text;
	file->size = size;
	o->n_files++;
	return DBERT_OK;
}

DbertStatus
dbert_overlay_begin(DbertOverlay *o, const DbertSource *under, const char *dir,
					const DbertAllocator *alloc, DbertFetch fetch, void *ctx, DbertError *err)
{
	char		index[DBERT_FILE_NAME_MAX];

	*o = (DbertOverlay) {
		.alloc = alloc, .under = under, .weights.alloc = alloc, .fetch = fetch, .ctx = ctx
	};
	o->source = (DbertSource) {overlay_size, overlay_read, o};
	DBERT_TRY(dbert_file_join(o->weights_name, dir, WEIGHTS_FILE, err));
	DBERT_TRY(dbert_file_join(index, dir, INDEX_FILE, err));
	return dbert_overlay_hide(o, index, err);
}

DbertStatus
dbert_overlay_put(DbertOverlay *o, const char *dir, const char *name, char *text, size_t size,
				  DbertError *err)
{
	char		path[DBERT_FILE_NAME_MAX];
	DbertStatus status = dbert_file_join(path, dir, name, err);

	if (status == DBERT_OK)
		return add_file(o, path, text, size, err);
	dbert_free(o->alloc, text);
	return status;
}

DbertStatus
dbert_overlay_put_json(DbertOverlay *o, const char *dir, const char *name, DbertJsonTree *tree,
					   size_t flags, DbertError *err)
{
	char	   *text;
	size_t		size;

	DBERT_TRY(dbert_json_dump(tree, flags, o->alloc, &text, &size, err));
	return dbert_overlay_put(o, dir, name, text, size, err);
}

DbertStatus
dbert_overlay_hide(DbertOverlay *o, const char *path, DbertError *err)
{
	return find_file(o, path) != NULL ? DBERT_OK : add_file(o, path, NULL, 0, err);
}

void
dbert_overlay_free(DbertOverlay *o)
{
	for (int i = 0; i < o->n_files; i++)
		dbert_free(o->alloc, o->files[i].text);
	o->n_files = 0;
	dbert_tensorfile_free(&o->weights);
}
