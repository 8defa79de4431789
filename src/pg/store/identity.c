/*
 * identity.c -- hashing a model's files.
 *
 * The SHA-256 is over each file, in order of name: its name with a zero byte,
 * its length in eight bytes (least significant first), its bytes.  Then come a
 * zero byte, and task and precision, each with a zero byte.  So no two models
 * give the same sequence of bytes.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "pg/bridge/errors.h"
#include "pg/bridge/sha256.h"
#include "pg/store/catalog.h"
#include "pg/store/identity.h"

/* A multiple of DISTIL_CHUNK_BYTES */
#define PROGRESS_BYTES (16 * 1024 * 1024)

static void
add_size_of(DistilSha256 *sha, uint64 size)
{
	uint8		le[8];

	for (int i = 0; i < 8; i++)
		le[i] = (uint8) (size >> (8 * i));
	distil_sha256_add(sha, le, sizeof(le));
}

/*
 * Whoever sets client_min_messages to debug1 sees the progress.  PostgreSQL's
 * progress views have a fixed list of commands, and there is shared memory for
 * a view of ours only where the library is preloaded.
 */
static void
tell_progress(const char *file, int64 done, int64 size)
{
	if (size > PROGRESS_BYTES && (done % PROGRESS_BYTES == 0 || done == size))
		ereport(DEBUG1,
				(errmsg_internal("file \"%s\": %lld of %lld MB", file,
								 (long long) (done >> 20), (long long) (size >> 20))));
}

static void
add_file(DistilSha256 *sha, const DbertSource *source, const char *file,
		 void *buffer, DistilChunkSink sink, void *sink_ctx, int64 *bytes)
{
	DbertError	err = {0};
	int64_t		size;
	int64		offset = 0;
	int32		seq = 0;

	if (source->size(source->ctx, file, &size, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	if (size < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("file \"%s\" of the model has disappeared", file)));
	distil_sha256_add_string(sha, file);
	add_size_of(sha, size);
	do
	{
		size_t		len = Min(size - offset, DISTIL_CHUNK_BYTES);

		CHECK_FOR_INTERRUPTS();
		if (source->read(source->ctx, file, offset, buffer, len, &err) != DBERT_OK)
			distil_raise(&err, NULL);
		distil_sha256_add(sha, buffer, len);
		if (sink != NULL)
			sink(sink_ctx, file, seq, buffer, len);
		offset += len;
		seq++;
		tell_progress(file, offset, size);
	} while (offset < size);
	*bytes += size;
}

void
distil_identity(const DbertSource *source, const char *const *files,
				const char *task, const char *precision,
				DistilChunkSink sink, void *sink_ctx,
				uint8 *sha256, int64 *bytes)
{
	DistilSha256 *sha = distil_sha256_begin();
	void	   *buffer = palloc(DISTIL_CHUNK_BYTES);

	*bytes = 0;
	for (int i = 0; files[i] != NULL; i++)
		add_file(sha, source, files[i], buffer, sink, sink_ctx, bytes);
	distil_sha256_add_string(sha, "");
	distil_sha256_add_string(sha, task);
	distil_sha256_add_string(sha, precision);
	distil_sha256_end(sha, sha256);
	pfree(buffer);
}
