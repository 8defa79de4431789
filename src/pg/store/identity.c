/*
 * identity.c -- hashing a model's files.
 *
 * SHA-256 over, for each file in order of name: the name with its zero byte,
 * the length as eight bytes (least significant first), the bytes; then a zero
 * byte, and task and precision, each with its zero byte.  No two models have
 * the same sequence.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "miscadmin.h"

#include "pg/bridge/alloc.h"
#include "pg/store/catalog.h"
#include "pg/bridge/errors.h"
#include "pg/store/identity.h"

/* A multiple of DISTIL_CHUNK_BYTES */
#define PROGRESS_BYTES (16 * 1024 * 1024)

StaticAssertDecl(DISTIL_SHA256_BYTES == PG_SHA256_DIGEST_LENGTH, "length of a SHA-256");

static void
hash(pg_cryptohash_ctx *ctx, const void *data, size_t len)
{
	if (pg_cryptohash_update(ctx, data, len) < 0)
		elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(ctx));
}

static void
hash_size(pg_cryptohash_ctx *ctx, uint64 size)
{
	uint8		le[8];

	for (int i = 0; i < 8; i++)
		le[i] = (uint8) (size >> (8 * i));
	hash(ctx, le, sizeof(le));
}

/*
 * Progress for whoever sets client_min_messages to debug1.  PostgreSQL's own
 * progress views have a fixed list of commands, and shared memory of ours is
 * there in preloaded libraries alone.
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
hash_file(pg_cryptohash_ctx *ctx, const DbertSource *source, const char *file,
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
	hash(ctx, file, strlen(file) + 1);
	hash_size(ctx, size);
	do
	{
		size_t		len = Min(size - offset, DISTIL_CHUNK_BYTES);

		CHECK_FOR_INTERRUPTS();
		if (source->read(source->ctx, file, offset, buffer, len, &err) != DBERT_OK)
			distil_raise(&err, NULL);
		hash(ctx, buffer, len);
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
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);
	void	   *buffer = palloc(DISTIL_CHUNK_BYTES);

	*bytes = 0;
	if (ctx == NULL || pg_cryptohash_init(ctx) < 0)
		elog(ERROR, "could not initialize SHA-256");
	for (int i = 0; files[i] != NULL; i++)
		hash_file(ctx, source, files[i], buffer, sink, sink_ctx, bytes);
	hash(ctx, "", 1);
	hash(ctx, task, strlen(task) + 1);
	hash(ctx, precision, strlen(precision) + 1);
	if (pg_cryptohash_final(ctx, sha256, DISTIL_SHA256_BYTES) < 0)
		elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(ctx));
	pg_cryptohash_free(ctx);
	pfree(buffer);
}
