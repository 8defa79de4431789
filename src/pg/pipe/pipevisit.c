/*
 * pipevisit.c -- see pipevisit.h.
 *
 * A visit takes some rows of the queue (each has up to a thousand keys), does
 * their keys in batches, and deletes each row when all of its keys are done.  A
 * row of which some are done when the time is up keeps the others.  So whatever
 * ends the process loses nothing, and repeats what one visit did at most.
 *
 * New keys come first, then the backfill, then those that failed before.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipebatch.h"
#include "pg/pipe/pipeerror.h"
#include "pg/pipe/pipepartitions.h"
#include "pg/pipe/pipetarget.h"
#include "pg/pipe/pipequeue.h"
#include "pg/pipe/pipetry.h"
#include "pg/pipe/pipevisit.h"

/* Where the keys of a batch come from. */
typedef enum KeySource
{
	FROM_QUEUE,
	FROM_BACKFILL,
	FROM_ERRORS
} KeySource;

typedef struct Visitor
{
	DistilVisit *visit;
	MemoryContext context;		/* of the visit */
	DistilJob  *job;
	instr_time	start;
	List	   *rows;			/* of the queue */
	int			rows_done;		/* and deleted: the first so many */
	KeySource	from;
	DistilKey  *keys;			/* [n] */
	int		   *row_of;			/* [n] the row each key came with */
	int			n;
	int			done;			/* the first so many */
	DistilKeyBatch batch;
	bool		last;			/* no batch comes behind this one */
} Visitor;

static int
elapsed_ms(const Visitor *v)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, v->start);
	return (int) INSTR_TIME_GET_MILLISEC(now);
}

static bool
time_is_up(const Visitor *v)
{
	return elapsed_ms(v) >= v->visit->milliseconds || v->visit->keys >= v->visit->most_keys;
}

/* ---- beginning ---- */

/* Without work nothing is opened: a look costs some dozen microseconds. */
static void
begin_job(void *arg)
{
	Visitor    *v = arg;
	DistilVisit *visit = v->visit;
	DistilPipeline *p = distil_pipeline_find(visit->name);

	if (p == NULL || !distil_pipeline_works(p))
		return;
	distil_targets_follow_source(p);
	(void) distil_partitions_follow(p);
	v->rows = distil_queue_read(visit->name, visit->seq, (int) Min(visit->most_keys,
																   DISTIL_QUEUE_KEYS));
	visit->next = distil_errors_next(visit->name);
	if (v->rows != NIL || distil_errors_due(visit->name, 1) != NIL ||
		distil_pipeline_is_filling(p))
		v->job = distil_job_begin(visit->name, visit->in_call);
}

/* ---- keys ---- */

/* Room for so many keys. */
static void
make_keys(Visitor *v, KeySource from, int n)
{
	v->from = from;
	v->keys = palloc0_array(DistilKey, Max(n, 1));
	v->row_of = palloc0_array(int, Max(n, 1));
	v->n = v->done = 0;
}

/* text[columns] of key i of a row: text[n][columns] */
static ArrayType *
key_of_row(const DistilQueued *row, const Datum *texts, int i)
{
	int			columns = ARR_DIMS(row->keys)[1];

	return construct_array(unconstify(Datum *, texts) + (Size) i * columns, columns, TEXTOID, -1,
						   false, TYPALIGN_INT);
}

typedef struct SeenKey
{
	uint32		hash;
	ArrayType  *key;
} SeenKey;

/* Was this key met before in the visit?  Different keys of one hash: no. */
static bool
is_seen(HTAB *seen, ArrayType *key)
{
	uint32		hash = hash_bytes((const unsigned char *) key, (int) VARSIZE(key));
	bool		found;
	SeenKey    *entry = hash_search(seen, &hash, HASH_ENTER, &found);

	if (found)
		return VARSIZE(entry->key) == VARSIZE(key) && memcmp(entry->key, key, VARSIZE(key)) == 0;
	entry->key = key;
	return false;
}

/* The keys of all rows, each once. */
static void
collect_keys(Visitor *v)
{
	HASHCTL		ctl = {.keysize = sizeof(uint32),.entrysize = sizeof(SeenKey)};
	HTAB	   *seen;
	int			total = 0;

	ctl.hcxt = v->context;
	seen = hash_create("distilbert keys", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int r = 0; r < list_length(v->rows); r++)
		total += ((DistilQueued *) list_nth(v->rows, r))->n;
	make_keys(v, FROM_QUEUE, total);
	for (int r = 0; r < list_length(v->rows); r++)
	{
		const DistilQueued *row = list_nth(v->rows, r);
		Datum	   *texts;
		int			n;

		deconstruct_array(row->keys, TEXTOID, -1, false, TYPALIGN_INT, &texts, NULL, &n);
		for (int i = 0; i < row->n; i++)
		{
			ArrayType  *key = key_of_row(row, texts, i);

			if (is_seen(seen, key))
				continue;
			v->row_of[v->n] = r;
			v->keys[v->n++].key = key;
		}
	}
	hash_destroy(seen);
}

/* ---- what is written beside the values ---- */

static void
note_key(const Visitor *v, const DistilKey *key)
{
	const char *name = v->visit->name;
	static char message[] = "another transaction has locked the row";
	static const ErrorData locked = {
		.sqlerrcode = ERRCODE_LOCK_NOT_AVAILABLE,.message = message
	};

	if (key->error != NULL)
		distil_error_add(name, key->key, key->error);
	else if (key->locked)
		distil_error_put_off(name, key->key, &locked);
	else if (v->job->errors)
		distil_error_forget(name, key->key);
	v->job->errors |= key->error != NULL || key->locked;
}

/* The keys of a row that are not done, text[n][columns]. */
static ArrayType *
rest_of_row(const Visitor *v, int row, int done)
{
	int			columns = v->job->pipeline->columns.n_keys;
	Datum	   *texts = palloc_array(Datum, (Size) v->n * columns);
	int			dims[2] = {0, columns};
	int			lbounds[2] = {1, 1};

	for (int i = done; i < v->n && v->row_of[i] == row; i++)
	{
		Datum	   *key;
		int			n;

		deconstruct_array(v->keys[i].key, TEXTOID, -1, false, TYPALIGN_INT, &key, NULL, &n);
		if (n != columns)
			continue;
		memcpy(texts + (Size) dims[0]++ * columns, key, columns * sizeof(Datum));
	}
	return construct_md_array(texts, NULL, 2, dims, lbounds, TEXTOID, -1, false, TYPALIGN_INT);
}

/* Delete the rows of the queue that are done; keep what is left of the next. */
static void
delete_done(Visitor *v, int done)
{
	int			row = done < v->n ? v->row_of[done] : list_length(v->rows);
	List	   *over = NIL;

	for (; v->rows_done < row; v->rows_done++)
		over = lappend(over, list_nth(v->rows, v->rows_done));
	distil_queue_delete(v->visit->name, over);
	if (row < list_length(v->rows) && v->last && done > 0 && v->row_of[done - 1] == row)
		distil_queue_keep(v->visit->name, list_nth(v->rows, row), rest_of_row(v, row, done));
}

static void
note_position(Visitor *v)
{
	DistilGeneration *g = &v->job->pipeline->generations[v->batch.only];
	MemoryContext old = MemoryContextSwitchTo(v->job->context);

	g->position = DatumGetArrayTypePCopy(PointerGetDatum(v->batch.keys[v->batch.n - 1].key));
	MemoryContextSwitchTo(old);
	distil_generation_update(v->job->pipeline, g);
}

static void
note_batch(void *arg)
{
	Visitor    *v = arg;
	bool		errors = v->job->errors;

	for (int i = 0; i < v->batch.n; i++)
		note_key(v, &v->batch.keys[i]);
	if (errors)
		distil_error_forget_fault(v->visit->name);
	if (v->from == FROM_QUEUE)
		delete_done(v, v->done + v->batch.n);
	if (v->from == FROM_BACKFILL)
		note_position(v);
}

/* ---- batches ---- */

/* The fault of a pipeline; of keys that are tried again, it is theirs. */
static bool
is_fault(Visitor *v, ErrorData *fault)
{
	if (fault == NULL || v->from == FROM_ERRORS)
		return false;
	v->visit->fault = fault;
	return true;
}

static bool
wants_computing(const DistilKeyBatch *batch)
{
	for (int i = 0; i < batch->n; i++)
	{
		for (int g = 0; g < batch->job->pipeline->n_generations; g++)
		{
			if (batch->keys[i].has_text && batch->keys[i].wanted[g])
				return true;
		}
	}
	return false;
}

/* Read and compute; false: the visit is over. */
static bool
compute_batch(Visitor *v)
{
	DistilKeyBatch *batch = &v->batch;

	if (is_fault(v, distil_keys_read(batch)) || batch->outdated)
		return false;
	if (!wants_computing(batch))
		return true;
	distil_next_transaction(v->visit->in_call);
	if (is_fault(v, distil_keys_compute(batch)))
		return false;
	distil_next_transaction(v->visit->in_call);
	return true;
}

static bool
has_locked(const DistilKeyBatch *batch)
{
	for (int i = 0; i < batch->n; i++)
	{
		if (batch->keys[i].locked)
			return true;
	}
	return false;
}

static bool
write_batch(Visitor *v)
{
	DistilKeyBatch *batch = &v->batch;

	if (is_fault(v, distil_keys_write(batch)) || batch->outdated)
		return false;
	if (has_locked(batch) && is_fault(v, distil_keys_write_locked(batch)))
		return false;
	v->visit->keys += batch->n;
	v->last = time_is_up(v);
	v->visit->fault = distil_try(note_batch, v, true);
	return v->visit->fault == NULL;
}

/* Do the next keys of those that were collected; false: the visit is over. */
static bool
do_batch(Visitor *v, int only)
{
	int64		left = v->visit->most_keys - v->visit->keys;
	MemoryContext old;
	bool		done;

	MemoryContextReset(v->job->batch);
	v->batch = (DistilKeyBatch) {.job = v->job,.only = only,.keys = v->keys + v->done};
	v->batch.n = (int) Min(Min(v->n - v->done, DISTIL_JOB_KEYS), left);
	old = MemoryContextSwitchTo(v->job->batch);
	done = compute_batch(v) && write_batch(v);
	MemoryContextSwitchTo(old);
	v->visit->more |= v->batch.outdated;
	if (done)
		v->done += v->batch.n;
	distil_next_transaction(v->visit->in_call);
	return done && !v->last;
}

/* ---- the queue ---- */

/* Where to read on: behind the rows that are done. */
static int64
seq_behind(const Visitor *v)
{
	if (v->rows_done == 0)
		return v->visit->seq;
	return ((DistilQueued *) list_nth(v->rows, v->rows_done - 1))->seq;
}

static void
delete_empty(void *arg)
{
	delete_done(arg, 0);
}

static void
do_queue(Visitor *v)
{
	if (v->rows == NIL)
		return;
	v->visit->more = true;
	collect_keys(v);
	if (v->n == 0)
		v->visit->fault = distil_try(delete_empty, v, true);
	while (v->done < v->n && do_batch(v, -1))
		;
	v->visit->seq = seq_behind(v);
}

/* ---- the backfill ---- */

typedef struct NextKeys
{
	Visitor    *visitor;
	int			generation;
	List	   *keys;			/* of ArrayTypes */
} NextKeys;

/* The keys behind the position, as the source's owner. */
static void
find_keys(NextKeys *next)
{
	Visitor    *v = next->visitor;
	DistilJob  *job = v->job;
	DistilGeneration *g = &job->pipeline->generations[next->generation];
	Datum		columns[INDEX_MAX_KEYS] = {0};
	MemoryContext spi;

	SPI_connect();
	distil_job_prepare_next(job, next->generation);
	if (g->position != NULL)
		distil_key_columns(job, g->position, columns);
	distil_sql_plan(job->generations[next->generation].next, columns, NULL, true, SPI_OK_SELECT);
	spi = MemoryContextSwitchTo(v->context);
	for (uint64 i = 0; i < SPI_processed; i++)
		next->keys = lappend(next->keys, distil_sql_fetched(i, job->pipeline->columns.n_keys));
	MemoryContextSwitchTo(spi);
	SPI_finish();
}

static void
next_keys(void *arg)
{
	NextKeys   *next = arg;
	DistilJob  *job = next->visitor->job;
	DistilGeneration *g = &job->pipeline->generations[next->generation];
	DistilOwnerState state;
	int			nestlevel;

	next->visitor->batch.outdated = !distil_job_is_current(job);
	if (next->visitor->batch.outdated)
		return;
	state = distil_become_owner(job->pipeline->owner, true);
	nestlevel = distil_key_text_begin();
	find_keys(next);
	distil_key_text_end(nestlevel);
	distil_resign_owner(state);
	if (next->keys != NIL)
		return;
	g->done_at = GetCurrentTimestamp();
	distil_generation_update(job->pipeline, g);
}

/* Some keys of a generation that is being filled; false: none, or no time. */
static bool
fill_generation(Visitor *v, int generation)
{
	NextKeys	next = {.visitor = v,.generation = generation};
	int			i = 0;
	ListCell   *lc;

	v->visit->fault = distil_try(next_keys, &next, true);
	distil_next_transaction(v->visit->in_call);
	if (v->visit->fault != NULL || next.keys == NIL)
	{
		v->visit->more |= v->batch.outdated;
		return false;
	}
	v->visit->more = true;
	make_keys(v, FROM_BACKFILL, list_length(next.keys));
	foreach(lc, next.keys)
		v->keys[i++].key = lfirst(lc);
	v->n = i;
	while (v->done < v->n)
	{
		if (!do_batch(v, generation))
			return false;
	}
	return true;
}

static void
do_backfill(Visitor *v)
{
	for (int i = 0; i < v->job->pipeline->n_generations; i++)
	{
		while (v->job->pipeline->generations[i].done_at == 0 && fill_generation(v, i))
			;
		if (v->visit->fault != NULL || time_is_up(v) || v->batch.outdated)
			return;
	}
}

/* ---- keys that failed ---- */

static void
read_due(void *arg)
{
	Visitor    *v = arg;
	List	   *due = distil_errors_due(v->visit->name, DISTIL_JOB_KEYS);

	make_keys(v, FROM_ERRORS, list_length(due));
	for (int i = 0; i < list_length(due); i++)
		v->keys[v->n++].key = list_nth(due, i);
}

static void
do_errors(Visitor *v)
{
	v->visit->fault = distil_try(read_due, v, true);
	distil_next_transaction(v->visit->in_call);
	if (v->visit->fault != NULL || v->n == 0)
		return;
	v->visit->more = true;
	(void) do_batch(v, -1);
}

/* ---- the visit ---- */

static char *
copied(const char *s)
{
	return s != NULL ? pstrdup(s) : NULL;
}

/* A fault in the current context, so that it outlives the visit. */
static ErrorData *
copy_fault(const ErrorData *fault)
{
	ErrorData  *copy = palloc0(sizeof(ErrorData));

	copy->elevel = ERROR;
	copy->sqlerrcode = fault->sqlerrcode;
	copy->message = copied(fault->message);
	copy->detail = copied(fault->detail);
	copy->hint = copied(fault->hint);
	copy->context = copied(fault->context);
	copy->filename = fault->filename;
	copy->lineno = fault->lineno;
	copy->funcname = fault->funcname;
	copy->assoc_context = CurrentMemoryContext;
	return copy;
}

/* What was done and how long it took, for the views. */
static void
note_progress(void *arg)
{
	Visitor    *v = arg;

	if (!distil_job_is_current(v->job))
		return;
	for (int i = 0; i < v->job->pipeline->n_generations; i++)
	{
		DistilGeneration *g = &v->job->pipeline->generations[i];

		g->rows_done += v->visit->keys;
		g->seconds += elapsed_ms(v) / 1000.0;
		distil_generation_update(v->job->pipeline, g);
	}
}

static void
do_job(Visitor *v)
{
	do_queue(v);
	if (v->visit->fault == NULL && !time_is_up(v) && !v->batch.outdated)
		do_backfill(v);
	if (v->visit->fault == NULL && v->visit->keys == 0 && !v->batch.outdated && v->job->errors)
		do_errors(v);
	if (v->visit->fault != NULL || v->visit->keys == 0)
		return;
	v->visit->fault = distil_try(note_progress, v, true);
	distil_next_transaction(v->visit->in_call);
}

void
distil_visit(DistilVisit *visit)
{
	MemoryContext caller = CurrentMemoryContext;
	Visitor		v = {.visit = visit};

	v.context = AllocSetContextCreate(caller, "distilbert visit", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(v.context);
	INSTR_TIME_SET_CURRENT(v.start);
	visit->fault = distil_try(begin_job, &v, true);
	distil_next_transaction(visit->in_call);
	if (v.job != NULL)
		do_job(&v);
	MemoryContextSwitchTo(caller);
	if (visit->fault != NULL)
		visit->fault = copy_fault(visit->fault);
	MemoryContextDelete(v.context);
}

bool
distil_visit_look(const char *name, TimestampTz *next)
{
	const DistilPipeline *p = distil_pipeline_read(name);

	*next = 0;
	if (p == NULL || p->paused)
		return false;
	*next = distil_errors_next(name);
	return distil_pipeline_is_filling(p) || distil_queue_last(name) != PG_INT64_MIN;
}
