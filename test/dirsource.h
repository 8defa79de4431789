/*
 * dirsource.h -- a DbertSource over a directory, with stdio, for tests.
 *
 *     DbertSource source = dir_source("test/fixtures/x");
 *
 * A file is opened and closed again by every call: slow, and nothing to
 * release.
 */
#ifndef DBERT_DIRSOURCE_H
#define DBERT_DIRSOURCE_H

#include "model/source.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static inline DbertStatus
dir_source_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	char		path[8192];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", (const char *) ctx, name);
	*size = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (int64_t) st.st_size : -1;
	return DBERT_OK;
}

static inline DbertStatus
dir_source_read(void *ctx, const char *name, uint64_t offset,
				void *buf, size_t len, DbertError *err)
{
	char		path[8192];
	FILE	   *f;
	size_t		got = 0;

	snprintf(path, sizeof(path), "%s/%s", (const char *) ctx, name);
	f = fopen(path, "rb");
	if (f == NULL)
		return dbert_fail(err, DBERT_E_IO, "could not open \"%s\"", name);
	if (fseek(f, (long) offset, SEEK_SET) == 0)
		got = fread(buf, 1, len, f);
	fclose(f);
	if (got != len)
		return dbert_fail(err, DBERT_E_IO, "could not read \"%s\": got %zu of %zu bytes",
						  name, got, len);
	return DBERT_OK;
}

/* dir stays the caller's and must outlive the source. */
static inline DbertSource
dir_source(const char *dir)
{
	DbertSource source = {dir_source_size, dir_source_read, (void *) dir};

	return source;
}

/*
 * The folder of the shared test data (DBERT_SHARED, else ../shared), or NULL
 * when it is absent.
 */
static inline const char *
shared_dir(void)
{
	const char *dir = getenv("DBERT_SHARED");
	struct stat st;

	if (dir == NULL)
		dir = "../shared";
	return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) ? dir : NULL;
}

/*
 * The shared folder holds models of families that are still to come.  May this
 * one have been refused with this error?  It is then skipped.  The families
 * that were always there are known by name, so that the skip hides no break;
 * static embeddings (no encoder) are refused for their modules.json already.
 */
static inline bool
may_be_refused(const char *dir, const DbertError *err)
{
	static const char *const known[] = {"distilbert-", "bert-base", "bert-ner", "bert-sentiment"};
	const char *name = strrchr(dir, '/');

	name = name == NULL ? dir : name + 1;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(name, known[i], strlen(known[i])) == 0)
			return false;
	return err->code == DBERT_E_UNSUPPORTED || strncmp(name, "static-", 7) == 0;
}

#endif
