/*
 * zipfile.h -- the directory of a zip archive whose entries are not compressed,
 * as torch.save writes it.
 *
 * Format: PKWARE's APPNOTE.TXT 6.3, sections 4.3 (records) and 4.5.3 (zip64).
 */
#ifndef DBERT_MODEL_ZIPFILE_H
#define DBERT_MODEL_ZIPFILE_H

#include "model/modelfiles.h"

#define DBERT_ZIP_DIRECTORY_MAX (16 << 20)

typedef struct DbertZipEntry
{
	const char *name;
	uint64_t	header;			/* where its local header begins, in the file */
	uint64_t	offset;			/* and its bytes */
	uint64_t	size;
} DbertZipEntry;

/* Sorted by name; everything belongs to the arena it was read with. */
typedef struct DbertZip
{
	const char *file;			/* as the source names it */
	DbertZipEntry *entries;
	size_t		count;
} DbertZip;

/* Do these bytes, the file's first four, begin such an archive? */
extern bool dbert_zip_begins(const unsigned char *magic);

/*
 * Read the directory, and each entry's header.  Names are printable and
 * differ; entries lie in the file, one behind the other, and overlap nowhere.
 * E_UNSUPPORTED for one that is compressed or encrypted, E_FORMAT for all else.
 */
extern DbertStatus dbert_zip_open(const DbertSource *source, const char *file, DbertArena *arena,
								  const DbertPoll *poll, DbertZip *zip, DbertError *err);

/* NULL: none of that name */
extern const DbertZipEntry *dbert_zip_find(const DbertZip *zip, const char *name);

#endif
