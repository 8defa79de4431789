/*
 * packfile.h -- pack files: images of models in the data directory.
 *
 * $PGDATA/distilbert/<sha256>-<format version>-<kernel layout>.pack is a
 * cache: any of them may be removed at any time, and is built again by the
 * next session that needs it.  A pack is complete when it has its name, and
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
 * Between these two no other backend builds a pack.  Take locks on tables
 * before.  An error releases the lock.
 */
extern int	distil_pack_lock(void);
extern void distil_pack_unlock(int lock);

/*
 * Write the pack's image to a file of this path; under the lock.  subject: see
 * errors.h.
 */
extern void distil_pack_create(const char *path, DbertPack *pack, const char *subject);

/* Remove the file; not to find it, or not to be able to, is no error. */
extern void distil_pack_remove(const char *path);

/*
 * Remove a content's pack when the current (sub)transaction commits (dropped
 * models), or when it aborts (a model loaded in it, and perhaps used).
 */
extern void distil_pack_remove_at_end(const uint8 *sha256, const char *precision,
									  bool at_commit);

#endif
