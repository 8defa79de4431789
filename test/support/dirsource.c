/*
 * dirsource.c -- a source over a directory.
 */
#include "test/support/dirsource.h"

#include <stdio.h>
#include <sys/stat.h>

static DbertStatus
dir_source_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	char		path[8192];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", (const char *) ctx, name);
	*size = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (int64_t) st.st_size : -1;
	return DBERT_OK;
}

static DbertStatus
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

DbertSource
dir_source(const char *dir)
{
	DbertSource source = {dir_source_size, dir_source_read, (void *) dir};

	return source;
}
