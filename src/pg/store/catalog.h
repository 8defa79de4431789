/*
 * catalog.h -- the extension's tables: one row per loaded model, its files in
 * chunks.
 *
 * C code finds the tables through the schema "distilbert", reads and writes
 * them itself, and so asks no privilege on them of the user and is indifferent
 * to search_path.  Readers say with which snapshot; a row that a statement's
 * snapshot sees has its chunks under the same snapshot.
 */
#ifndef DISTILBERT_PG_CATALOG_H
#define DISTILBERT_PG_CATALOG_H

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"

#include "pg/bridge/sha256.h"

/* Longest name of a model, in bytes. */
#define DISTIL_MAX_NAME 63

/* A file is stored in chunks of this many bytes, the last may be shorter;
 * an empty file is one empty chunk. */
#define DISTIL_CHUNK_BYTES (1024 * 1024)

/* What is known of a model without opening it. */
typedef struct DistilInfo
{
	const char *name;
	uint8		sha256[DISTIL_SHA256_BYTES];
	const char *task;
	const char *architecture;
	const char *const *labels;	/* [n_labels], in the database's encoding */
	int			n_labels;		/* 0: shown as NULL */
	int32		layers;
	int32		hidden_size;
	int32		dimensions;		/* of an embedding */
	int64		parameters;
	int32		max_tokens;
	const char *precision;
	int64		bytes;
	bool		builtin;
	TimestampTz loaded_at;		/* not for builtin ones */
} DistilInfo;

/* The table's OID, or InvalidOid where the extension is not installed. */
extern Oid	distil_model_table(void);

/*
 * Lock the models against other loads and drops until the end of the
 * transaction; queries are not disturbed.
 */
extern void distil_catalog_lock(void);

/* Find a row: false if there is none.  Strings are palloc'd here. */
extern bool distil_catalog_find(const char *name, Snapshot snapshot, DistilInfo *info);

/* Does a row of another name hold the same content? */
extern bool distil_catalog_shares(const DistilInfo *info, Snapshot snapshot);

/* The names of all rows: a List of palloc'd strings. */
extern List *distil_catalog_names(Snapshot snapshot);

/* Add info's row, stamped with now and the current user.  Visible after the
 * next CommandCounterIncrement, as everything written here. */
extern void distil_catalog_insert(DistilInfo *info);

/* info's labels as text[] */
extern Datum distil_labels_datum(const DistilInfo *info);

/* Remove a model's row and chunks. */
extern void distil_catalog_delete(const char *name, Snapshot snapshot);

/* Tell every session, at commit, that names may mean something else now. */
extern void distil_catalog_changed(void);

/* Writing chunks: begin, one call for each, end. */
typedef struct DistilChunkWriter DistilChunkWriter;
extern DistilChunkWriter *distil_chunks_begin(const char *name);
extern void distil_chunks_add(DistilChunkWriter *writer, const char *file, int32 seq,
							  const void *data, size_t len);
extern void distil_chunks_end(DistilChunkWriter *writer);

/*
 * Reading chunks: visit calls back for each chunk of the model in order of
 * file and seq, with the length of its data, nothing being fetched (the table
 * stays locked for reading until the transaction ends); get
 * copies one chunk's bytes to buf (of DISTIL_CHUNK_BYTES), false when there is
 * none or it has another length than len.
 */
typedef void (*DistilChunkVisitor) (void *ctx, const char *file, int32 seq, size_t len);
extern void distil_chunks_visit(const char *name, Snapshot snapshot,
								DistilChunkVisitor visitor, void *ctx);
extern bool distil_chunks_get(const char *name, const char *file, int32 seq,
							  Snapshot snapshot, void *buf, size_t len);

#endif
