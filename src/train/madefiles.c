/*
 * madefiles.c -- see madefiles.h.
 *
 * model.safetensors is a header, followed by tensors where they lie: whoever
 * reads it reads them, nothing is copied.  Of the files of the model at the
 * beginning only its tokenizer's are the new one's, too, from the folder that
 * has them there.
 */
#include "train/madefiles.h"

#include "model/vocabsource.h"

#include <stdio.h>
#include <string.h>

#define WEIGHTS_FILE "model.safetensors"

DbertStatus
dbert_madefiles_add(DbertTrainedFiles *f, const char *name, DbertJsonTree *tree, DbertError *err)
{
	DbertMadeFile *made = &f->made[f->n_made++];

	made->name = name;
	return dbert_json_dump(tree, DBERT_CONFIG_FORMAT, f->alloc, &made->data,
						   &made->size, err);
}

/* The name of a tokenizer's file in the other model. */
static bool
base_name(const DbertTrainedFiles *f, const char *name, char out[DBERT_FILE_NAME_MAX])
{
	return dbert_is_tokenizer_file(name) && dbert_file_join(out, f->dir, name, NULL) == DBERT_OK;
}

/* NULL: it is none of those. */
static const DbertMadeFile *
find_made(const DbertTrainedFiles *f, const char *name)
{
	for (int i = 0; i < f->n_made; i++)
		if (strcmp(f->made[i].name, name) == 0)
			return &f->made[i];
	return NULL;
}

static DbertStatus
made_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	const DbertTrainedFiles *f = ctx;
	const DbertMadeFile *made = find_made(f, name);
	char		there[DBERT_FILE_NAME_MAX];

	*size = -1;
	if (made != NULL)
		*size = (int64_t) made->size;
	else if (strcmp(name, WEIGHTS_FILE) == 0)
		*size = (int64_t) f->weights.size;
	else if (base_name(f, name, there))
		return f->base->size(f->base->ctx, there, size, err);
	return DBERT_OK;
}

static DbertStatus
made_read(void *ctx, const char *name, uint64_t offset, void *buf, size_t len, DbertError *err)
{
	const DbertTrainedFiles *f = ctx;
	const DbertMadeFile *made = find_made(f, name);
	char		there[DBERT_FILE_NAME_MAX];

	if (made != NULL)
		dbert_copy_overlap(offset, buf, len, 0, made->data, made->size);
	else if (strcmp(name, WEIGHTS_FILE) == 0)
		return dbert_tensorfile_read(&f->weights, offset, buf, len, NULL, NULL, err);
	else if (base_name(f, name, there))
		return f->base->read(f->base->ctx, there, offset, buf, len, err);
	else
		return dbert_fail(err, DBERT_E_IO, "there is no file \"%s\"", name);
	return DBERT_OK;
}

DbertStatus
dbert_madefiles_begin(const DbertSource *base, const char *dir, const DbertAllocator *alloc,
					  DbertTrainedFiles **files, DbertError *err)
{
	DbertTrainedFiles *f = dbert_alloc_zero(alloc, 1, sizeof(*f));

	*files = f;
	if (f == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	f->alloc = alloc;
	f->base = base;
	f->source = (DbertSource) {made_size, made_read, f};
	snprintf(f->dir, sizeof(f->dir), "%s", dir);
	return DBERT_OK;
}

const DbertSource *
dbert_trained_source(const DbertTrainedFiles *files)
{
	return &files->source;
}

void
dbert_trained_free(DbertTrainedFiles *files)
{
	if (files == NULL)
		return;
	for (int i = 0; i < files->n_made; i++)
		dbert_free(files->alloc, files->made[i].data);
	dbert_tensorfile_free(&files->weights);
	dbert_free(files->alloc, files);
}
