/*
 * packtrust.h -- which packs this server has verified since it started.
 *
 * A pack's weights are compared with their checksum before the server uses them
 * for the first time since its start.  That reads the whole file, so it is
 * remembered for all backends: by what fstat says of the file, for one that is
 * exchanged or written to is another.  Where it cannot be remembered, each
 * backend verifies for itself.
 */
#ifndef DISTILBERT_PG_PACKTRUST_H
#define DISTILBERT_PG_PACKTRUST_H

#include <sys/stat.h>

/* What tells a file from others; without padding. */
typedef struct DistilPackId
{
	uint64		device;
	uint64		inode;
	uint64		size;
	int64		written;		/* mtime and ctime in nanoseconds */
	int64		changed;
} DistilPackId;

extern DistilPackId distil_pack_id(const struct stat *st);

extern bool distil_pack_trusted(const DistilPackId *id);
extern void distil_pack_trust(const DistilPackId *id);

/* Called once by _PG_init. */
extern void distil_packtrust_init(void);

#endif
