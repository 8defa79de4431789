/*
 * catalog.h -- the extension's tables: one row per loaded model, its files in
 * chunks.
 *
 * C code finds the tables by the schema "distilbert" and reads and writes them
 * itself.  So the user needs no privilege on them, and search_path does not
 * matter.  Readers say with which snapshot; whoever sees a model's row by a
 * snapshot sees its chunks by the same one.
 */
#ifndef DISTILBERT_PG_CATALOG_H
#define DISTILBERT_PG_CATALOG_H

#include "access/genam.h"
#include "access/htup.h"
#include "access/skey.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"

#include "pg/bridge/sha256.h"

/* Longest name of a model, in bytes. */
#define DISTIL_MAX_NAME 63

/*
 * A file is stored in chunks of this many bytes; the last may be shorter.  An
 * empty file is one empty chunk.
 */
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

/*
 * Add info's row, with the current time and user.  As all that is written here
 * it is visible after the next CommandCounterIncrement.
 */
extern void distil_catalog_insert(DistilInfo *info);

/* info's labels as text[] */
extern Datum distil_labels_datum(const DistilInfo *info);

/* Remove a model's row and chunks. */
extern void distil_catalog_delete(const char *name, Snapshot snapshot);

/* Tell every session, at commit, that names may mean something else now. */
extern void distil_catalog_changed(void);

/*
 * For all tables of the schema "distilbert".  A table that is not there raises;
 * try: gives NULL, as where the extension is not installed or is just being
 * dropped.
 */
extern Oid	distil_find_table(const char *relname);
extern Relation distil_try_open_table(const char *relname, LOCKMODE lockmode);
extern Relation distil_open_table(const char *relname, LOCKMODE lockmode);

/*
 * A scan by the first nkeys columns of the primary key, in its order.  A
 * snapshot NULL is a fresh one.
 */
extern SysScanDesc distil_begin_scan(Relation rel, Snapshot snapshot, int nkeys, ScanKey keys);
extern void distil_key_text(ScanKey key, AttrNumber column, const char *value);

/* A column's value; raises where it is NULL. */
extern Datum distil_column(HeapTuple tuple, AttrNumber attnum, Relation rel);

/* Writing chunks: begin, one call for each, end. */
typedef struct DistilChunkWriter DistilChunkWriter;
extern DistilChunkWriter *distil_chunks_begin(const char *name);
extern void distil_chunks_add(DistilChunkWriter *writer, const char *file, int32 seq,
							  const void *data, size_t len);
extern void distil_chunks_end(DistilChunkWriter *writer);

/*
 * Reading chunks.  visit calls back for each chunk of the model, in order of
 * file and seq, with the length of its data, which is not fetched; the table
 * stays locked for reading until the transaction ends.  get copies the data of
 * one chunk to buf (of DISTIL_CHUNK_BYTES); false: there is no such chunk, or
 * its length is not len.
 */
typedef void (*DistilChunkVisitor) (void *ctx, const char *file, int32 seq, size_t len);
extern void distil_chunks_visit(const char *name, Snapshot snapshot,
								DistilChunkVisitor visitor, void *ctx);
extern bool distil_chunks_get(const char *name, const char *file, int32 seq,
							  Snapshot snapshot, void *buf, size_t len);

#endif
