/*
 * pipebatch.h -- some keys of a pipeline on their way: read, computed, written.
 *
 *		read		a short transaction: the keys' texts
 *		compute		no snapshot is held, and no lock on a table
 *		write		a short transaction: where the text is still the same, the
 *					target becomes what was computed
 *
 * Each tries all keys together.  If that fails it tries them one by one, and
 * those that fail have their error; a fault that is no key's is returned.  Of a
 * synchronous batch the first error is raised instead.
 */
#ifndef DISTILBERT_PG_PIPEBATCH_H
#define DISTILBERT_PG_PIPEBATCH_H

#include "pg/pipe/pipejob.h"

typedef struct DistilKey
{
	ArrayType  *key;			/* text[columns] */
	Datum		columns[INDEX_MAX_KEYS];	/* the same, as the source has them */
	bool		found;			/* the source has the key */
	bool		has_text;		/* and a text, that is not NULL */
	Datum		text;			/* detoasted */
	uint8		hash[DISTIL_SHA256_BYTES];	/* of the text */
	bool		wanted[DISTIL_MAX_GENERATIONS];	/* is to be made equal */
	bool		empty[DISTIL_MAX_GENERATIONS];	/* the target has no row of the key */
	DistilAnswer answers[DISTIL_MAX_GENERATIONS];
	ErrorData  *error;			/* the key failed */
	bool		locked;			/* somebody else has the row: later */
} DistilKey;

typedef struct DistilKeyBatch
{
	DistilJob  *job;
	int			only;			/* this generation alone; -1: all */
	DistilKey  *keys;			/* [n], in the job's batch context */
	int			n;
	bool		waits;			/* write waits for rows that others hold */
	bool		sync;			/* the transaction has written the rows; errors are raised */
	uint64		captured;		/* of sync: keys in the session when they were read */
	bool		outdated;		/* the job is not current any more: nothing was done */
} DistilKeyBatch;

/*
 * read looks at less than n keys where their texts are long, and makes n so
 * many.  NULL, or the fault.
 */
extern ErrorData *distil_keys_read(DistilKeyBatch *batch);
extern ErrorData *distil_keys_compute(DistilKeyBatch *batch);
extern ErrorData *distil_keys_write(DistilKeyBatch *batch);

/*
 * Keys whose rows were locked, written one by one, each in a transaction that
 * waits for its row and holds no other.  Those behind the first one that does
 * not become free are not waited for.  Ends the transaction.
 */
extern ErrorData *distil_keys_write_locked(DistilKeyBatch *batch);

/*
 * Call each for all keys without an error, as the source's owner, in one
 * subtransaction; if it fails, for one after the other.  What fails then is the
 * key's error.  A fault is what all of several keys fail for, or a single one
 * for which it may not be blamed.  each returns false to stop behind this key.
 */
extern ErrorData *distil_keys_each(DistilKeyBatch *batch, bool replica,
									bool (*each) (DistilKeyBatch *batch, DistilKey *key));

/*
 * A key's columns as the source has them, from their texts.  To be called
 * between distil_key_text_begin and _end.
 */
extern void distil_key_columns(const DistilJob *job, ArrayType *key, Datum *columns);

/* The hash of a text (distilbert.pipeline_hash). */
extern void distil_text_hash(const text *t, uint8 *hash);

#endif
