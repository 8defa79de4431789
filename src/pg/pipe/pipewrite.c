/*
 * pipewrite.c -- writing what was computed (pipebatch.h).
 *
 * The key's row is locked first, without waiting: rows that somebody else holds
 * are written afterwards, each in a transaction of its own that waits for its
 * row a little.  So nobody waits for a row of this transaction while it waits
 * for one of his.  If the text is not the one that was computed, its change has
 * queued the key again, and nothing is written.
 *
 * A synchronous pipeline's rows are those that its transaction has written: no
 * lock is needed, and none is taken unless a trigger of the target has written
 * to a source since they were read.
 *
 * A column is written as the server's replication does it: no trigger of the
 * user's fires, unless it is ENABLE ALWAYS, and nothing is queued again.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/capture.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipebatch.h"
#include "pg/pipe/pipetry.h"

static void
run_plan(SPIPlanPtr plan, Datum *values, const char *nulls, int wanted)
{
	distil_sql_plan(plan, values, nulls, false, wanted);
	SPI_freetuptable(SPI_tuptable);
}

typedef enum RowState
{
	ROW_SAME,					/* locked, with the text that was read */
	ROW_CHANGED,				/* it has another one, or there is one again */
	ROW_LOCKED,					/* by somebody else */
	ROW_GONE
} RowState;

/* Of a row that is locked by us: has it the text that was read? */
static bool
has_text(const DistilKey *key)
{
	bool		isnull;
	Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	bytea	   *hash;

	if (isnull || !key->has_text)
		return isnull && !key->has_text;
	hash = DatumGetByteaPP(value);
	return memcmp(VARDATA_ANY(hash), key->hash, DISTIL_SHA256_BYTES) == 0;
}

static RowState
lock_row(const DistilJob *job, DistilKey *key, bool waits)
{
	RowState	state;

	distil_sql_plan(waits ? job->wait : job->lock, key->columns, NULL, false, SPI_OK_SELECT);
	if (SPI_processed > 0)
	{
		state = key->found && has_text(key) ? ROW_SAME : ROW_CHANGED;
		SPI_freetuptable(SPI_tuptable);
		return state;
	}
	SPI_freetuptable(SPI_tuptable);
	distil_sql_plan(job->read, key->columns, NULL, false, SPI_OK_SELECT);
	state = SPI_processed > 0 ? ROW_LOCKED : ROW_GONE;
	SPI_freetuptable(SPI_tuptable);
	return state;
}

/* The key's columns, then an answer's row. */
static int
fill(const DistilJob *job, const DistilKey *key, const NullableDatum *row, int n, Datum *values,
	 char *nulls)
{
	int			n_keys = job->pipeline->columns.n_keys;

	memcpy(values, key->columns, n_keys * sizeof(Datum));
	memset(nulls, ' ', n_keys + n);
	for (int i = 0; i < n; i++)
	{
		values[n_keys + i] = row[i].value;
		nulls[n_keys + i] = row[i].isnull ? 'n' : ' ';
	}
	return n_keys + n;
}

#define MOST_PARAMETERS (INDEX_MAX_KEYS + DISTIL_MOST_COLUMNS + 1)

static void
write_column(const DistilJob *job, const DistilJobGeneration *plans, const DistilKey *key,
			 const DistilAnswer *answer)
{
	static const NullableDatum none = {.isnull = true};
	Datum		values[MOST_PARAMETERS];
	char		nulls[MOST_PARAMETERS];

	(void) fill(job, key, answer->n > 0 ? &answer->rows[0][DISTIL_VALUE] : &none, 1, values,
				nulls);
	run_plan(plans->put, values, nulls, SPI_OK_UPDATE);
}

static void
write_rows(const DistilJob *job, const DistilJobGeneration *plans, DistilKey *key,
		   const DistilAnswer *answer)
{
	Oid			types[DISTIL_MOST_COLUMNS];
	int			columns = distil_answer_types(job->pipeline->task, types);
	bytea	   *hash = palloc(VARHDRSZ + DISTIL_SHA256_BYTES);
	Datum		values[MOST_PARAMETERS];
	char		nulls[MOST_PARAMETERS];

	SET_VARSIZE(hash, VARHDRSZ + DISTIL_SHA256_BYTES);
	memcpy(VARDATA(hash), key->hash, DISTIL_SHA256_BYTES);
	for (int i = 0; i < answer->n; i++)
	{
		int			n = fill(job, key, answer->rows[i], columns, values, nulls);

		CHECK_FOR_INTERRUPTS();
		values[n] = PointerGetDatum(hash);
		nulls[n] = ' ';
		run_plan(plans->put, values, nulls, SPI_OK_INSERT);
	}
	pfree(hash);
}

/* Are the rows as this transaction has written and read them? */
static bool
is_ours(const DistilKeyBatch *batch)
{
	return batch->sync && batch->captured == distil_capture_count();
}

static RowState
state_of(const DistilKeyBatch *batch, DistilKey *key)
{
	if (is_ours(batch))
		return key->found ? ROW_SAME : ROW_GONE;
	return lock_row(batch->job, key, batch->waits);
}

static bool
write_key(DistilKeyBatch *batch, DistilKey *key)
{
	DistilJob  *job = batch->job;
	RowState	state = state_of(batch, key);

	key->locked = state == ROW_LOCKED;
	if (state == ROW_LOCKED || state == ROW_CHANGED)
		return true;
	for (int i = 0; i < job->pipeline->n_generations; i++)
	{
		const DistilJobGeneration *plans = &job->generations[i];

		if (!key->wanted[i])
			continue;
		if (plans->remove == NULL && state == ROW_SAME)
			write_column(job, plans, key, &key->answers[i]);
		if (plans->remove == NULL)
			continue;
		if (!key->empty[i] || !is_ours(batch))
			run_plan(plans->remove, key->columns, NULL, SPI_OK_DELETE);
		if (state == ROW_SAME)
			write_rows(job, plans, key, &key->answers[i]);
	}
	return true;
}

ErrorData *
distil_keys_write(DistilKeyBatch *batch)
{
	bool		columns = !OidIsValid(batch->job->pipeline->generations[0].target);

	return distil_keys_each(batch, columns, write_key);
}

/* Key i alone; false: its row is still not free. */
static bool
write_locked(const DistilKeyBatch *batch, int i, ErrorData **fault)
{
	DistilKeyBatch alone = *batch;
	DistilKey  *key = &batch->keys[i];

	alone.keys = key;
	alone.n = 1;
	alone.waits = true;
	key->locked = false;
	*fault = distil_keys_write(&alone);
	if (key->error != NULL && key->error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
	{
		key->error = *fault = NULL;
		key->locked = true;
	}
	distil_next_transaction(batch->job->in_call);
	return !key->locked;
}

ErrorData *
distil_keys_write_locked(DistilKeyBatch *batch)
{
	ErrorData  *fault = NULL;

	distil_next_transaction(batch->job->in_call);
	for (int i = 0; i < batch->n && fault == NULL; i++)
	{
		if (batch->keys[i].locked && !write_locked(batch, i, &fault))
			break;
	}
	return fault;
}
