/*
 * pipebatch.c -- see pipebatch.h: trying keys together and alone, reading their
 * texts, computing.  Writing is pipewrite.c.
 *
 * Whose fault is an error?  If some keys of a batch can be done and others
 * cannot, it is those keys'.  If none can, and the error is of a kind that no
 * text causes (no space, no such table, no right), it is the pipeline's.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipebatch.h"
#include "pg/pipe/pipequeue.h"
#include "pg/pipe/pipetry.h"

PG_FUNCTION_INFO_V1(distil_pipeline_hash);

/* ---- the hash of a text ---- */

void
distil_text_hash(const text *t, uint8 *hash)
{
	DistilSha256 *sha = distil_sha256_begin();

	distil_sha256_add(sha, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
	distil_sha256_end(sha, hash);
}

Datum
distil_pipeline_hash(PG_FUNCTION_ARGS)
{
	text	   *t = PG_GETARG_TEXT_PP(0);
	bytea	   *hash = palloc(VARHDRSZ + DISTIL_SHA256_BYTES);

	distil_text_hash(t, (uint8 *) VARDATA(hash));
	SET_VARSIZE(hash, VARHDRSZ + DISTIL_SHA256_BYTES);
	PG_FREE_IF_COPY(t, 0);
	PG_RETURN_BYTEA_P(hash);
}

/* ---- together and alone ---- */

typedef struct EachCall
{
	DistilKeyBatch *batch;
	bool		replica;
	bool		(*each) (DistilKeyBatch *batch, DistilKey *key);
	DistilKey  *alone;			/* NULL: all */
	bool		stopped;		/* each wants no key behind this one */
} EachCall;

/* replica: no user's trigger fires, and nothing is queued again. */
static DistilOwnerState
become_owner(const EachCall *call)
{
	DistilOwnerState state = distil_become_owner(call->batch->job->pipeline->owner, true);

	(void) set_config_option("lock_timeout", call->batch->waits ? "200ms" : "1s", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (call->replica)
		(void) set_config_option("session_replication_role", "replica", PGC_SUSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return state;
}

static void
call_each(void *arg)
{
	EachCall   *call = arg;
	DistilKeyBatch *batch = call->batch;
	DistilOwnerState state;
	int			nestlevel;

	batch->outdated = !distil_job_is_current(batch->job);
	if (batch->outdated)
		return;
	state = become_owner(call);
	nestlevel = distil_key_text_begin();
	SPI_connect();
	if (call->alone != NULL)
		call->stopped = !call->each(batch, call->alone);
	for (int i = 0; call->alone == NULL && i < batch->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (batch->keys[i].error == NULL && !call->each(batch, &batch->keys[i]))
			batch->n = i + 1;
	}
	SPI_finish();
	distil_key_text_end(nestlevel);
	distil_resign_owner(state);
}

/* Errors that no text causes. */
static bool
may_be_fault(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_INTERNAL_ERROR:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_INVALID_TRANSACTION_STATE:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
		case ERRCODE_INVALID_SCHEMA_NAME:
			return true;
		default:
			return false;
	}
}

ErrorData *
distil_keys_each(DistilKeyBatch *batch, bool replica,
				  bool (*each) (DistilKeyBatch *batch, DistilKey *key))
{
	EachCall	call = {.batch = batch,.replica = replica,.each = each};
	int			n = batch->n,
				tried = 0,
				failed = 0;
	ErrorData  *last = NULL;

	if (batch->sync)
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		call_each(&call);
		PopActiveSnapshot();
		return NULL;
	}
	if (distil_try(call_each, &call, true) == NULL)
		return NULL;
	batch->n = n;
	for (int i = 0; i < batch->n && !batch->outdated; i++)
	{
		if (batch->keys[i].error != NULL)
			continue;
		call.alone = &batch->keys[i];
		call.alone->error = distil_try(call_each, &call, true);
		tried++;
		if (call.stopped)
			batch->n = i + 1;
		if (call.alone->error == NULL)
			continue;
		failed++;
		last = call.alone->error;
	}
	return tried > 0 && failed == tried && may_be_fault(last) ? last : NULL;
}

/* ---- reading ---- */

void
distil_key_columns(const DistilJob *job, ArrayType *key, Datum *columns)
{
	Datum	   *texts;
	int			n;

	deconstruct_array(key, TEXTOID, -1, false, TYPALIGN_INT, &texts, NULL, &n);
	if (n != job->pipeline->columns.n_keys)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("a key in the queue has %d columns, that of the table %d", n,
						job->pipeline->columns.n_keys)));
	for (int i = 0; i < n; i++)
	{
		const DistilJobKey *k = &job->keys[i];

		columns[i] =
			InputFunctionCall(unconstify(FmgrInfo *, &k->input), TextDatumGetCString(texts[i]),
							  k->ioparam, k->typmod);
	}
}

/* The first column of the first row, if there is one that is not NULL. */
static bool
result_value(Datum *value)
{
	bool		isnull;

	if (SPI_processed == 0)
		return false;
	*value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	return !isnull;
}

static void
read_text(const DistilJob *job, DistilKey *key)
{
	Datum		value;

	distil_sql_plan(job->read, key->columns, NULL, true, SPI_OK_SELECT);
	key->found = SPI_processed > 0;
	key->has_text = result_value(&value);
	if (key->has_text)
	{
		key->text = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
		distil_text_hash(DatumGetTextPP(key->text), key->hash);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Does a table have the answer to this text already? */
static bool
is_known(const DistilJobGeneration *plans, DistilKey *key, bool *empty)
{
	Datum		value;
	bool		known = false;

	if (plans->known == NULL || !key->has_text)
		return false;
	distil_sql_plan(plans->known, key->columns, NULL, true, SPI_OK_SELECT);
	*empty = SPI_processed == 0;
	if (result_value(&value))
	{
		bytea	   *hash = DatumGetByteaPP(value);

		known = VARSIZE_ANY_EXHDR(hash) == DISTIL_SHA256_BYTES &&
			memcmp(VARDATA_ANY(hash), key->hash, DISTIL_SHA256_BYTES) == 0;
	}
	SPI_freetuptable(SPI_tuptable);
	return known;
}

/* What the batch has read so far. */
static size_t
bytes_up_to(const DistilKeyBatch *batch, const DistilKey *key)
{
	size_t		bytes = 0;

	for (const DistilKey *k = batch->keys; k <= key; k++)
		bytes += k->has_text ? VARSIZE_ANY(DatumGetPointer(k->text)) : 0;
	return bytes;
}

static bool
read_key(DistilKeyBatch *batch, DistilKey *key)
{
	DistilJob  *job = batch->job;
	MemoryContext old = MemoryContextSwitchTo(job->batch);

	distil_key_columns(job, key->key, key->columns);
	read_text(job, key);
	for (int i = 0; i < job->pipeline->n_generations; i++)
		key->wanted[i] = (batch->only < 0 || batch->only == i) &&
			!is_known(&job->generations[i], key, &key->empty[i]);
	MemoryContextSwitchTo(old);
	return bytes_up_to(batch, key) < distil_job_text_bytes(job);
}

ErrorData *
distil_keys_read(DistilKeyBatch *batch)
{
	return distil_keys_each(batch, false, read_key);
}

/* ---- computing ---- */

/* The texts of the keys that want an answer, [n] of them. */
static int
collect_texts(const DistilKeyBatch *batch, int generation, DistilKey **keys, Datum *texts)
{
	int			n = 0;

	for (int i = 0; i < batch->n; i++)
	{
		DistilKey  *key = &batch->keys[i];

		if (key->error != NULL || !key->has_text || !key->wanted[generation])
			continue;
		keys[n] = key;
		texts[n++] = key->text;
	}
	return n;
}

/* What all texts fail for is a fault, if memory is short. */
static ErrorData *
give_answers(DistilKey **keys, const DistilAnswer *answers, int n, int generation)
{
	ErrorData  *last = NULL;
	int			failed = 0;

	for (int i = 0; i < n; i++)
	{
		keys[i]->answers[generation] = answers[i];
		if (answers[i].error == NULL)
			continue;
		keys[i]->error = last = answers[i].error;
		failed++;
	}
	return n > 1 && failed == n && may_be_fault(last) ? last : NULL;
}

ErrorData *
distil_keys_compute(DistilKeyBatch *batch)
{
	DistilJob  *job = batch->job;
	MemoryContext old = MemoryContextSwitchTo(job->batch);
	DistilKey **keys = palloc_array(DistilKey *, batch->n);
	Datum	   *texts = palloc_array(Datum, batch->n);
	DistilAnswer *answers = palloc_array(DistilAnswer, batch->n);
	ErrorData  *fault = NULL;

	InvalidateCatalogSnapshotConditionally();
	for (int i = 0; i < job->pipeline->n_generations && fault == NULL; i++)
	{
		int			n = collect_texts(batch, i, keys, texts);

		if (n == 0)
			continue;
		distil_pipe_compute(job->pipeline->task, job->generations[i].model,
							job->pipeline->generations[i].options, texts, n, answers);
		fault = give_answers(keys, answers, n, i);
	}
	MemoryContextSwitchTo(old);
	return fault;
}
