/*
 * tablesource.c -- reading a model from its stored chunks.
 *
 * Names and sizes of the files are read once, when the source is opened.  The
 * last chunk is kept, so that a walk through the weights fetches each chunk
 * once.  Fetching may raise below the core's frames: the error is caught here
 * and kept for distil_raise.
 */
#include "postgres.h"


#include "pg/bridge/alloc.h"
#include "pg/store/catalog.h"
#include "pg/store/tablesource.h"

typedef struct StoredFile
{
	const char *name;
	int64		size;
	int32		chunks;
	bool		complete;		/* a short chunk has been seen: the last */
} StoredFile;

typedef struct TableSource
{
	DbertSource source;
	const char *name;			/* the model's */
	Snapshot	snapshot;
	StoredFile *files;
	int			n_files;
	int			capacity;
	const StoredFile *cached;	/* whose chunk cached_seq is in chunk; or NULL */
	int32		cached_seq;
	char	   *chunk;
} TableSource;

static void
raise_damaged(const char *model, const char *file)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored model \"%s\" is damaged", model),
			 errdetail("Chunks of file \"%s\" are missing or have wrong lengths.", file)));
}

static StoredFile *
append_file(TableSource *ts, const char *name)
{
	StoredFile *file;

	if (ts->n_files == ts->capacity)
	{
		ts->capacity *= 2;
		ts->files = repalloc(ts->files, sizeof(StoredFile) * ts->capacity);
	}
	file = &ts->files[ts->n_files++];
	memset(file, 0, sizeof(*file));
	file->name = pstrdup(name);
	return file;
}

/* Chunks come in order of file and seq: all full, but the last of each file. */
static void
visit_chunk(void *ctx, const char *name, int32 seq, size_t len)
{
	TableSource *ts = ctx;
	StoredFile *file = ts->n_files > 0 ? &ts->files[ts->n_files - 1] : NULL;

	if (file == NULL || strcmp(file->name, name) != 0)
		file = append_file(ts, name);
	if (file->complete || seq != file->chunks || len > DISTIL_CHUNK_BYTES)
		raise_damaged(ts->name, name);
	file->complete = len < DISTIL_CHUNK_BYTES;
	file->size += len;
	file->chunks++;
}

static const StoredFile *
find_file(const TableSource *ts, const char *name)
{
	for (int i = 0; i < ts->n_files; i++)
	{
		if (strcmp(ts->files[i].name, name) == 0)
			return &ts->files[i];
	}
	return NULL;
}

static DbertStatus
table_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	const StoredFile *file = find_file(ctx, name);

	*size = file != NULL ? file->size : -1;
	return DBERT_OK;
}

/* Bring a chunk into ts->chunk; may raise. */
static void
fetch_chunk(TableSource *ts, const StoredFile *file, int32 seq)
{
	size_t		len = Min(file->size - (int64) seq * DISTIL_CHUNK_BYTES, DISTIL_CHUNK_BYTES);

	if (ts->cached == file && ts->cached_seq == seq)
		return;
	ts->cached = NULL;
	if (!distil_chunks_get(ts->name, file->name, seq, ts->snapshot, ts->chunk, len))
		raise_damaged(ts->name, file->name);
	ts->cached = file;
	ts->cached_seq = seq;
}

static DbertStatus
table_read(void *ctx, const char *name, uint64_t offset, void *buf, size_t len, DbertError *err)
{
	TableSource *ts = ctx;
	MemoryContext context = CurrentMemoryContext;
	const StoredFile *file = find_file(ts, name);
	char	   *volatile to = buf;
	volatile uint64 at = offset;
	volatile size_t left = len;
	volatile bool failed = false;

	if (file == NULL || offset > (uint64) file->size || len > (uint64) file->size - offset)
		return dbert_fail(err, DBERT_E_IO, "file \"%s\" is not stored", name);

	PG_TRY();
	{
		while (left > 0)
		{
			size_t		in_chunk = at % DISTIL_CHUNK_BYTES;
			size_t		n = Min(left, DISTIL_CHUNK_BYTES - in_chunk);

			fetch_chunk(ts, file, (int32) (at / DISTIL_CHUNK_BYTES));
			memcpy(to, ts->chunk + in_chunk, n);
			to += n;
			at += n;
			left -= n;
		}
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		distil_keep_error();
		failed = true;
	}
	PG_END_TRY();

	if (failed)
		return dbert_fail(err, DBERT_E_CANCELLED, "file \"%s\" could not be read", name);
	return DBERT_OK;
}

const DbertSource *
distil_tablesource_open(const char *name, Snapshot snapshot, const char *const **files)
{
	TableSource *ts = palloc0(sizeof(TableSource));
	const char **names;

	ts->source.size = table_size;
	ts->source.read = table_read;
	ts->source.ctx = ts;
	ts->name = pstrdup(name);
	ts->snapshot = snapshot;
	ts->capacity = 8;
	ts->files = palloc(sizeof(StoredFile) * ts->capacity);
	ts->chunk = palloc(DISTIL_CHUNK_BYTES);
	distil_chunks_visit(name, snapshot, visit_chunk, ts);

	names = palloc(sizeof(char *) * (ts->n_files + 1));
	for (int i = 0; i < ts->n_files; i++)
		names[i] = ts->files[i].name;
	names[ts->n_files] = NULL;
	*files = names;
	return &ts->source;
}
