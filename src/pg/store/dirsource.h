/*
 * dirsource.h -- a DbertSource over a directory of the server.
 */
#ifndef DISTILBERT_PG_DIRSOURCE_H
#define DISTILBERT_PG_DIRSOURCE_H

#include "dbert.h"

/* No file of a model may be larger. */
#define DISTIL_MAX_FILE_BYTES (INT64CONST(16) * 1024 * 1024 * 1024)

/*
 * A source over the directory that the current user may name by path: relative
 * to distilbert.model_path, or absolute for those who may read any file of the
 * server.  Symbolic links may lead anywhere for the latter, and to places
 * under distilbert.model_path for everybody else.  Raises if there is no such
 * directory.  Closed when context is reset.
 */
extern const DbertSource *distil_dirsource_open(const char *path, MemoryContext context);

/* Same, over an absolute path that the server itself chose. */
extern const DbertSource *distil_dirsource_installed(const char *path, MemoryContext context);

/* Called once by _PG_init. */
extern void distil_dirsource_init(void);

#endif
