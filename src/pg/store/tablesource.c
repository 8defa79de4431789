/*
 * tablesource.c -- reading a model from its stored chunks.
 *
 * Names and sizes of the files are read once, when the source is opened; that
 * no chunk is missing is checked then.
 */
#include "postgres.h"

#include "pg/store/catalog.h"
#include "pg/store/rowsource.h"
#include "pg/store/tablesource.h"

typedef struct TableSource
{
	const char *name;			/* the model's */
	Snapshot	snapshot;
	DistilRowSource *rows;
	/* the file whose chunks are visited */
	char	   *file;			/* NULL: none yet */
	int64		size;
	int32		chunks;
	bool		complete;		/* a short chunk has been seen: the last */
} TableSource;

static void
raise_damaged(const char *model, const char *file)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored model \"%s\" is damaged", model),
			 errdetail("Chunks of file \"%s\" are missing or have wrong lengths.", file)));
}

/* All chunks of the file have been visited. */
static void
end_file(TableSource *ts)
{
	if (ts->file != NULL)
		distil_rowsource_add(ts->rows, ts->file, ts->size);
}

/* Chunks come in order of file and seq: all full, but the last of each file. */
static void
visit_chunk(void *ctx, const char *name, int32 seq, size_t len)
{
	TableSource *ts = ctx;

	if (ts->file == NULL || strcmp(ts->file, name) != 0)
	{
		end_file(ts);
		ts->file = pstrdup(name);
		ts->size = ts->chunks = 0;
		ts->complete = false;
	}
	if (ts->complete || seq != ts->chunks || len > DISTIL_CHUNK_BYTES)
		raise_damaged(ts->name, name);
	ts->complete = len < DISTIL_CHUNK_BYTES;
	ts->size += len;
	ts->chunks++;
}

static void
fetch_chunk(void *ctx, const char *file, int64 offset, void *buf, size_t len)
{
	TableSource *ts = ctx;

	if (!distil_chunks_get(ts->name, file, (int32) (offset / DISTIL_CHUNK_BYTES), ts->snapshot,
						   buf, len))
		raise_damaged(ts->name, file);
}

const DbertSource *
distil_tablesource_open(const char *name, Snapshot snapshot, const char *const **files)
{
	TableSource *ts = palloc0(sizeof(TableSource));

	ts->name = pstrdup(name);
	ts->snapshot = snapshot;
	ts->rows = distil_rowsource_create(fetch_chunk, ts);
	distil_chunks_visit(name, snapshot, visit_chunk, ts);
	end_file(ts);
	*files = distil_rowsource_files(ts->rows);
	return distil_rowsource(ts->rows);
}
