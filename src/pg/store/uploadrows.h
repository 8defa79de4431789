/*
 * uploadrows.h -- the parts of models that clients are sending, as rows.
 *
 * An upload is what one role has sent under one name.  Its parts stand in
 * distilbert.upload_part until the model is stored, or they are dropped.
 */
#ifndef DISTILBERT_PG_UPLOADROWS_H
#define DISTILBERT_PG_UPLOADROWS_H

#include "utils/snapshot.h"

#include "dbert.h"

/* A part may have so many bytes. */
#define DISTIL_PART_BYTES (16 * 1024 * 1024)

/* An upload to which nothing was added for so long is abandoned. */
#define DISTIL_UPLOAD_SECONDS (24 * 60 * 60)

/*
 * Wait for those who finish or drop uploads, and keep others from it, until the
 * transaction ends.  Parts may still be added.  false: wait was false, and
 * somebody does.
 */
extern bool distil_uploads_lock(bool wait);

/* Bytes that parts take. */
typedef struct DistilUploadBytes
{
	int64		all;			/* in all uploads */
	int64		own;			/* in the one of this name, by the current user */
	bool		old;			/* some are as old as those of abandoned uploads */
} DistilUploadBytes;

extern DistilUploadBytes distil_upload_bytes(const char *name);

/*
 * Add a part to the current user's upload.  false: it was there already, the
 * same; raises where it was another.
 */
extern bool distil_upload_add(const char *name, const char *file, int32 part, struct varlena *data);

/* Drop the current user's upload; false: there is none. */
extern bool distil_upload_drop(const char *name);

/* Drop everybody's abandoned uploads; the lock must be held. */
extern void distil_uploads_drop_abandoned(void);

/*
 * The files of the current user's upload, as sent; snapshot must stay
 * registered.  Raises where there is none, or where parts are missing.  Memory
 * is of the current context.
 */
extern const DbertSource *distil_upload_source(const char *name, Snapshot snapshot);

#endif
