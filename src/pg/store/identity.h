/*
 * identity.h -- the hash that names a model's content.
 */
#ifndef DISTILBERT_PG_IDENTITY_H
#define DISTILBERT_PG_IDENTITY_H

#include "dbert.h"

/*
 * What a model is computed in unless a user says otherwise; part of its
 * identity.
 */
#define DISTIL_DEFAULT_PRECISION "fp32"

/*
 * Receives each chunk of a file: DISTIL_CHUNK_BYTES, of the last one perhaps
 * fewer.
 */
typedef void (*DistilChunkSink) (void *ctx, const char *file, int32 seq,
								 const void *data, size_t len);

/*
 * Read files (NULL-terminated, sorted) once, from the first byte to the last.
 * Their hash, with task and precision, goes to sha256 [DISTIL_SHA256_BYTES],
 * their size to *bytes, their chunks to sink, which may be NULL.  Raises, so
 * the core must not call it.
 */
extern void distil_identity(const DbertSource *source, const char *const *files,
							const char *task, const char *precision,
							DistilChunkSink sink, void *sink_ctx,
							uint8 *sha256, int64 *bytes);

#endif
