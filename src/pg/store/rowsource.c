/*
 * rowsource.c -- reading files from rows, some bytes at a time.
 *
 * The last piece is kept, so that a walk through the weights fetches each once.
 * Fetching may raise below the core's frames: the error is caught here and kept
 * for distil_raise.
 */
#include "postgres.h"

#include "pg/bridge/alloc.h"
#include "pg/store/catalog.h"
#include "pg/store/rowsource.h"

typedef struct RowFile
{
	const char *name;
	int64		size;
} RowFile;

struct DistilRowSource
{
	DbertSource source;
	DistilRowFetch fetch;
	void	   *ctx;
	RowFile    *files;
	int			n_files;
	int			capacity;
	const RowFile *cached;		/* whose bytes from cached_at on are in piece; or NULL */
	int64		cached_at;
	char	   *piece;			/* [DISTIL_CHUNK_BYTES] */
};

static const RowFile *
find_file(const DistilRowSource *rs, const char *name)
{
	for (int i = 0; i < rs->n_files; i++)
	{
		if (strcmp(rs->files[i].name, name) == 0)
			return &rs->files[i];
	}
	return NULL;
}

static DbertStatus
row_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	const RowFile *file = find_file(ctx, name);

	*size = file != NULL ? file->size : -1;
	return DBERT_OK;
}

/* Bring the piece that begins at this offset; may raise. */
static void
fetch_piece(DistilRowSource *rs, const RowFile *file, int64 at)
{
	if (rs->cached == file && rs->cached_at == at)
		return;
	rs->cached = NULL;
	rs->fetch(rs->ctx, file->name, at, rs->piece, Min(file->size - at, DISTIL_CHUNK_BYTES));
	rs->cached = file;
	rs->cached_at = at;
}

static DbertStatus
row_read(void *ctx, const char *name, uint64_t offset, void *buf, size_t len, DbertError *err)
{
	DistilRowSource *rs = ctx;
	MemoryContext context = CurrentMemoryContext;
	const RowFile *file = find_file(rs, name);
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
			size_t		in_piece = at % DISTIL_CHUNK_BYTES;
			size_t		n = Min(left, DISTIL_CHUNK_BYTES - in_piece);

			fetch_piece(rs, file, at - in_piece);
			memcpy(to, rs->piece + in_piece, n);
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

DistilRowSource *
distil_rowsource_create(DistilRowFetch fetch, void *ctx)
{
	DistilRowSource *rs = palloc0(sizeof(DistilRowSource));

	rs->source.size = row_size;
	rs->source.read = row_read;
	rs->source.ctx = rs;
	rs->fetch = fetch;
	rs->ctx = ctx;
	rs->capacity = 8;
	rs->files = palloc(sizeof(RowFile) * rs->capacity);
	rs->piece = palloc(DISTIL_CHUNK_BYTES);
	return rs;
}

void
distil_rowsource_add(DistilRowSource *rs, const char *name, int64 size)
{
	if (rs->n_files == rs->capacity)
	{
		rs->capacity *= 2;
		rs->files = repalloc(rs->files, sizeof(RowFile) * rs->capacity);
	}
	rs->files[rs->n_files++] = (RowFile) {.name = pstrdup(name),.size = size};
}

const DbertSource *
distil_rowsource(DistilRowSource *rs)
{
	return &rs->source;
}

const char *const *
distil_rowsource_files(DistilRowSource *rs)
{
	const char **names = palloc(sizeof(char *) * (rs->n_files + 1));

	for (int i = 0; i < rs->n_files; i++)
		names[i] = rs->files[i].name;
	names[rs->n_files] = NULL;
	return names;
}
