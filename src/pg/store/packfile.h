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
#include "pg/store/packtrust.h"

#define DISTIL_PACK_FOLDER "distilbert"	/* in the data directory */
#define DISTIL_PACK_TEMP ".tmp"	/* ends the names of files that are not complete */

typedef struct DistilMapping
{
	void	   *image;			/* NULL: unmapped */
	size_t		size;
	DistilPackId id;			/* of the file */
	MemoryContextCallback callback;
} DistilMapping;

/* A pack that is open for reading. */
typedef struct DistilPackFile
{
	int			fd;				/* of OpenTransientFile; -1: there is no pack */
	DistilPackId id;
} DistilPackFile;

/* The path, relative to the data directory, of a content's pack; palloc'd. */
extern char *distil_pack_path(const uint8 *sha256, const char *precision);

/*
 * Open the pack of this path, if it is one by its header and size.  Whatever
 * else is there (a FIFO, a folder, a link, a file that may not be read) is
 * none: it is neither waited for nor followed, and distil_pack_create puts a
 * pack in its place.
 */
extern DistilPackFile distil_pack_open(const char *path);
extern void distil_pack_close(DistilPackFile *file);

/* Map it for reading, until context is reset or it is unmapped. */
extern DistilMapping *distil_pack_map(const DistilPackFile *file, MemoryContext context);
extern void distil_pack_unmap(DistilMapping *mapping);

/*
 * Read all weights of a pack that is mapped and has been opened, and compare
 * them with their checksum.  Serves interrupts.  false: they are damaged.
 */
extern bool distil_pack_weights_are_whole(const char *path, const DistilPackFile *file,
										  const DistilMapping *mapping);

/* Is there a file of this path? */
extern bool distil_pack_exists(const char *path);

/*
 * Between these two calls no other backend builds a pack.  Lock tables before,
 * not after.  An error releases the lock.
 */
extern int	distil_pack_lock(void);
extern void distil_pack_unlock(int lock);

/*
 * Write the pack's image to a file of this path; under the lock.  subject: see
 * errors.h.  check, which may be NULL, is called before the file gets its name,
 * and raises if it must not.
 */
extern void distil_pack_create(const char *path, DbertPack *pack, const char *subject,
							   void (*check) (void *arg), void *arg);

/*
 * Remove a content's pack when the current (sub)transaction commits (of a model
 * that it drops) or when it aborts (of one that it loads, and may have used).
 */
extern void distil_pack_remove_at_end(const uint8 *sha256, const char *precision,
									  bool at_commit);

#endif
