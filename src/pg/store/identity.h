/*
 * identity.h -- the hash that names a model's content.
 */
#ifndef DISTILBERT_PG_IDENTITY_H
#define DISTILBERT_PG_IDENTITY_H

#include "dbert.h"

/*
 * What a model's weights are computed in unless told otherwise; part of its
 * identity.
 */
#define DISTIL_DEFAULT_PRECISION "fp32"

/*
 * Receives every chunk (of DISTIL_CHUNK_BYTES, the last may be shorter) of a
 * file.
 */
typedef void (*DistilChunkSink) (void *ctx, const char *file, int32 seq,
								 const void *data, size_t len);

/*
 * Read files (NULL-terminated, sorted) once, from first to last byte: their
 * hash with task and precision to sha256 [DISTIL_SHA256_BYTES], their size to
 * *bytes, their chunks
 * to sink, which may be NULL.  Not for calls from within the core: it raises.
 */
extern void distil_identity(const DbertSource *source, const char *const *files,
							const char *task, const char *precision,
							DistilChunkSink sink, void *sink_ctx,
							uint8 *sha256, int64 *bytes);

#endif
