/*
 * installedcontent.h -- the content of installed models, once it was read.
 *
 * Their files are hashed once: in this process, or since the server started
 * where the library is preloaded.  The key is that of builtin.h, which an
 * upgrade of the files changes.
 */
#ifndef DISTILBERT_PG_INSTALLEDCONTENT_H
#define DISTILBERT_PG_INSTALLEDCONTENT_H

#include "pg/bridge/sha256.h"

typedef struct DistilContent
{
	uint8		sha256[DISTIL_SHA256_BYTES];
	int64		bytes;
} DistilContent;

/* false: it is not known. */
extern bool distil_content_recall(const uint8 *key, DistilContent *content);
extern void distil_content_remember(const uint8 *key, const DistilContent *content);

/* Called once by _PG_init. */
extern void distil_installedcontent_init(void);

#endif
