/* modelfiles.c -- see modelfiles.h. */
#include "model/modelfiles.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
dbert_file_name_plain(const char *name)
{
	if (name[0] == '\0' || name[0] == '.' || strlen(name) > 200)
		return false;
	for (const char *p = name; *p; p++)
		if (*p == '/' || *p == '\\' || (unsigned char) *p < 0x20 || *p == 0x7f)
			return false;
	return strstr(name, "..") == NULL;
}

DbertStatus
dbert_file_join(char out[DBERT_FILE_NAME_MAX], const char *dir, const char *name, DbertError *err)
{
	int			n = snprintf(out, DBERT_FILE_NAME_MAX, "%s%s%s", dir, dir[0] ? "/" : "", name);

	if (n < 0 || n >= DBERT_FILE_NAME_MAX)
		return dbert_fail(err, DBERT_E_FORMAT, "file name \"%.100s...\" is too long", out);
	return DBERT_OK;
}

DbertStatus
dbert_file_exists(const DbertSource *source, const char *dir, const char *name,
				  bool *exists, DbertError *err)
{
	char		path[DBERT_FILE_NAME_MAX];
	int64_t		size;

	DBERT_TRY(dbert_file_join(path, dir, name, err));
	DBERT_TRY(source->size(source->ctx, path, &size, err));
	*exists = size >= 0;
	return DBERT_OK;
}

DbertStatus
dbert_file_read(const DbertSource *source, const char *name, uint64_t offset,
				void *buf, size_t len, const DbertPoll *poll, DbertError *err)
{
	for (size_t done = 0; done < len;)
	{
		size_t		n = len - done < DBERT_READ_BLOCK ? len - done : DBERT_READ_BLOCK;

		if (dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled while reading \"%s\"", name);
		DBERT_TRY(source->read(source->ctx, name, offset + done, (char *) buf + done, n, err));
		done += n;
	}
	return DBERT_OK;
}

DbertStatus
dbert_file_load(const DbertSource *source, const char *name, size_t max,
				const DbertAllocator *alloc, const DbertPoll *poll,
				char **text, size_t *len, DbertError *err)
{
	int64_t		size;
	char	   *buf;
	DbertStatus status;

	DBERT_TRY(source->size(source->ctx, name, &size, err));
	if (size < 0)
		return dbert_fail(err, DBERT_E_FORMAT, "the model has no file \"%s\"", name);
	if ((uint64_t) size > max)
		return dbert_fail(err, DBERT_E_LIMIT, "file \"%s\" has %" PRId64 " bytes, the limit is %zu",
						  name, size, max);
	buf = dbert_alloc(alloc, (size_t) size + 1);
	if (buf == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory while reading \"%s\"", name);
	status = dbert_file_read(source, name, 0, buf, (size_t) size, poll, err);
	if (status != DBERT_OK)
	{
		dbert_free(alloc, buf);
		return status;
	}
	buf[size] = '\0';
	*text = buf;
	*len = (size_t) size;
	return DBERT_OK;
}

DbertStatus
dbert_file_list_add(DbertFileList *list, DbertArena *arena, const DbertSource *source,
					const char *dir, const char *name, DbertError *err)
{
	char		path[DBERT_FILE_NAME_MAX];
	char	   *copy;
	bool		exists;

	DBERT_TRY(dbert_file_join(path, dir, name, err));
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->names[i], path) == 0)
			return DBERT_OK;
	DBERT_TRY(dbert_file_exists(source, dir, name, &exists, err));
	if (!exists)
		return DBERT_OK;
	if (list->count == list->capacity)
	{
		size_t		capacity = list->capacity ? 2 * list->capacity : 32;
		const char **names = dbert_arena_alloc(arena, capacity, sizeof(*names));

		if (names == NULL)
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
		if (list->count > 0)
			memcpy(names, list->names, list->count * sizeof(*names));
		list->names = names;
		list->capacity = capacity;
	}
	copy = dbert_arena_strndup(arena, path, strlen(path));
	if (copy == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	list->names[list->count++] = copy;
	return DBERT_OK;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

void
dbert_file_list_sort(DbertFileList *list)
{
	if (list->count > 0)
		qsort(list->names, list->count, sizeof(*list->names), compare_names);
}
