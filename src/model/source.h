/*
 * source.h -- where the files of a model come from.
 *
 * A model is read from a directory (distil_load_model, shipped models) or
 * from rows of the extension's tables (building a pack on any node).  The
 * readers see both through this interface.  Names are relative to the model's
 * directory, with '/' ("1_Pooling/config.json"); the readers pass only names
 * without "..", without a leading '/' and without control characters.
 */
#ifndef DBERT_MODEL_SOURCE_H
#define DBERT_MODEL_SOURCE_H

#include "base/status.h"

#include <stdint.h>

typedef struct DbertSource
{
	/* *size = bytes of the file, or -1 when there is none of that name */
	DbertStatus (*size) (void *ctx, const char *name, int64_t *size, DbertError *err);
	/*
	 * exactly len bytes from offset; the caller has checked the range against
	 * size
	 */
	DbertStatus (*read) (void *ctx, const char *name, uint64_t offset,
						 void *buf, size_t len, DbertError *err);
	void	   *ctx;
} DbertSource;

#endif
