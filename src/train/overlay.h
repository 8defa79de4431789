/*
 * overlay.h -- a model's files, some of them replaced or hidden: how a new
 * model that keeps most of an old one is given to whoever reads models.
 *
 * The weights are one model.safetensors, whatever the old model has them in.
 */
#ifndef DBERT_TRAIN_OVERLAY_H
#define DBERT_TRAIN_OVERLAY_H

#include "model/modelfiles.h"
#include "train/tensorfile.h"

#define DBERT_OVERLAY_FILES 24

typedef struct DbertOverlayFile
{
	char		name[DBERT_FILE_NAME_MAX];	/* with its folder */
	char	   *text;			/* NULL: there is no such file */
	size_t		size;
} DbertOverlayFile;

typedef struct DbertOverlay
{
	const DbertAllocator *alloc;
	const DbertSource *under;	/* the old model */
	DbertSource source;			/* the new one; the overlay must stay where it is */
	DbertOverlayFile files[DBERT_OVERLAY_FILES];
	int			n_files;
	char		weights_name[DBERT_FILE_NAME_MAX];
	DbertTensorFile weights;	/* begun and ended by the caller */
	DbertFetch	fetch;			/* its pieces that have no data */
	void	   *ctx;
} DbertOverlay;

/*
 * dir is the folder of config.json.  under must outlive the overlay, which
 * shows no weights before they are there.
 */
extern DbertStatus dbert_overlay_begin(DbertOverlay *o, const DbertSource *under, const char *dir,
									   const DbertAllocator *alloc, DbertFetch fetch, void *ctx,
									   DbertError *err);

/* dir/name becomes text, which is the overlay's from now on, failing or not. */
extern DbertStatus dbert_overlay_put(DbertOverlay *o, const char *dir, const char *name, char *text,
									 size_t size, DbertError *err);

/* The same of a tree, which is released, in the given format of jansson's. */
extern DbertStatus dbert_overlay_put_json(DbertOverlay *o, const char *dir, const char *name,
										  DbertJsonTree *tree, size_t flags, DbertError *err);

/* There is no such file, unless one was put there; path with its folder. */
extern DbertStatus dbert_overlay_hide(DbertOverlay *o, const char *path, DbertError *err);

extern void dbert_overlay_free(DbertOverlay *o);

#endif
