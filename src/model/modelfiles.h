/*
 * modelfiles.h -- the files of a model: names, whole reads, the list that is
 * kept.
 */
#ifndef DBERT_MODEL_MODELFILES_H
#define DBERT_MODEL_MODELFILES_H

#include "base/memory.h"
#include "base/status.h"
#include "base/arena.h"
#include "model/source.h"

/* Longest name of a file that is read, module folder included. */
#define DBERT_FILE_NAME_MAX 256

/* Largest files that are read as a whole. */
#define DBERT_JSON_MAX		(16 << 20)
#define DBERT_VOCAB_MAX		(64 << 20)

/* Reads go in blocks of so many bytes, asking the poll between them. */
#define DBERT_READ_BLOCK	(1 << 20)

/* A name without '/', "..", a leading '.', or control characters. */
extern bool dbert_file_name_plain(const char *name);

/* out = dir/name, or name when dir is ""; E_FORMAT when it does not fit. */
extern DbertStatus dbert_file_join(char out[DBERT_FILE_NAME_MAX], const char *dir,
								   const char *name, DbertError *err);

/* *exists: there is a file dir/name */
extern DbertStatus dbert_file_exists(const DbertSource *source, const char *dir,
									 const char *name, bool *exists, DbertError *err);

/*
 * The whole file, a terminating zero added; *text belongs to alloc.
 * E_FORMAT: no such file; E_LIMIT: more than max bytes.
 */
extern DbertStatus dbert_file_load(const DbertSource *source, const char *name, size_t max,
								   const DbertAllocator *alloc, const DbertPoll *poll,
								   char **text, size_t *len, DbertError *err);

/* Read a range in blocks.  The caller has checked it against the size. */
extern DbertStatus dbert_file_read(const DbertSource *source, const char *name,
								   uint64_t offset, void *buf, size_t len,
								   const DbertPoll *poll, DbertError *err);

/* A list of names, sorted on demand, without duplicates. */
typedef struct DbertFileList
{
	const char **names;
	size_t		count;
	size_t		capacity;
} DbertFileList;

/* Add dir/name when it exists and is not yet there. */
extern DbertStatus dbert_file_list_add(DbertFileList *list, DbertArena *arena,
									   const DbertSource *source, const char *dir,
									   const char *name, DbertError *err);

extern void dbert_file_list_sort(DbertFileList *list);

#endif
