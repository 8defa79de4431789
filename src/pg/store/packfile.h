/*
 * packfile.h -- pack files: images of models in the data directory.
 *
 * They are called $PGDATA/distilbert/<sha256>-<format>-<kernel layout>.pack and
 * are a cache: any of them may be removed at any time, and the next session
 * that needs it builds it again.  A file of such a name is complete and is
 * never written again.
 */
#ifndef DISTILBERT_PG_PACKFILE_H
#define DISTILBERT_PG_PACKFILE_H

#include "dbert.h"
#include "pg/bridge/sha256.h"

typedef struct DistilMapping
{
	void	   *image;			/* NULL: unmapped */
	size_t		size;
	MemoryContextCallback callback;
} DistilMapping;

/* The path, relative to the data directory, of a content's pack; palloc'd. */
extern char *distil_pack_path(const uint8 *sha256, const char *precision);

/*
 * Map a pack for reading, until context is reset or it is unmapped.  NULL:
 * there is no such file, or it is empty.
 */
extern DistilMapping *distil_pack_map(const char *path, MemoryContext context);
extern void distil_pack_unmap(DistilMapping *mapping);

/* Is there a pack of this path, whole or not? */
extern bool distil_pack_exists(const char *path);

/*
 * Between these two calls no other backend builds a pack.  Lock tables before,
 * not after.  An error releases the lock.
 */
extern int	distil_pack_lock(void);
extern void distil_pack_unlock(int lock);

/*
 * Write the pack's image to a file of this path; under the lock.  subject: see
 * errors.h.
 */
extern void distil_pack_create(const char *path, DbertPack *pack, const char *subject);

/* Remove the file.  That it is not there, or stays, is no error. */
extern void distil_pack_remove(const char *path);

/*
 * Remove a content's pack when the current (sub)transaction commits (of a model
 * that it drops) or when it aborts (of one that it loads, and may have used).
 */
extern void distil_pack_remove_at_end(const uint8 *sha256, const char *precision,
									  bool at_commit);

#endif
