/*
 * dirsource.h -- a DbertSource over a directory of the server.
 */
#ifndef DISTILBERT_PG_DIRSOURCE_H
#define DISTILBERT_PG_DIRSOURCE_H

#include "dbert.h"

/* No file of a model may be larger. */
#define DISTIL_MAX_FILE_BYTES (INT64CONST(16) * 1024 * 1024 * 1024)

/*
 * A source over a directory that the current user names.  The path is relative
 * to distilbert.model_path, or absolute for roles that may read any file of the
 * server.  For these, symbolic links may lead anywhere; for others they must
 * stay under distilbert.model_path.  Raises if there is no such directory.
 * Closed when context is reset.
 */
extern const DbertSource *distil_dirsource_open(const char *path, MemoryContext context);

/* The same for an absolute path that comes from the server itself. */
extern const DbertSource *distil_dirsource_installed(const char *path, MemoryContext context);

/* Called once by _PG_init. */
extern void distil_dirsource_init(void);

#endif
