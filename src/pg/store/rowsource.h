/*
 * rowsource.h -- a DbertSource over files that are stored in rows of a table.
 */
#ifndef DISTILBERT_PG_ROWSOURCE_H
#define DISTILBERT_PG_ROWSOURCE_H

#include "dbert.h"

/*
 * Copy len bytes of a file, from offset, to buf; raises where they are not
 * there.  Asked for DISTIL_CHUNK_BYTES at a multiple of it, or for the rest of
 * the file.
 */
typedef void (*DistilRowFetch) (void *ctx, const char *file, int64 offset, void *buf, size_t len);

typedef struct DistilRowSource DistilRowSource;

/* A source without files yet.  All its memory is of the current context. */
extern DistilRowSource *distil_rowsource_create(DistilRowFetch fetch, void *ctx);

/* Files are added by rising name; name is copied. */
extern void distil_rowsource_add(DistilRowSource *rs, const char *name, int64 size);

/* As readers see it, once all files are there. */
extern const DbertSource *distil_rowsource(DistilRowSource *rs);

/* The names of the files: NULL-terminated, in their order. */
extern const char *const *distil_rowsource_files(DistilRowSource *rs);

#endif
