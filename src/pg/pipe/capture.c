/*
 * capture.c -- see capture.h.
 *
 * Keys are kept as datums and become text at once, in the end: settings that
 * texts must not depend on are set once then, not for each row.
 *
 * Keys of each level of subtransactions have a buffer of their own.  If many
 * are written early, they are written by the level that changed their rows, and
 * a rollback to a savepoint takes back both.  A buffer whose level commits is
 * added to that of the level above.
 *
 * The last ones are written when the transaction is about to commit: deferred
 * triggers are through, and no user's code runs any more.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/capture.h"
#include "pg/pipe/pipequeue.h"
#include "pg/pipe/pipewake.h"

typedef struct KeyBuffer
{
	struct KeyBuffer *next;
	int			level;			/* of subtransactions; 1: the transaction itself */
	char		pipeline[DISTIL_MAX_PIPELINE + 1];
	int			n_columns;
	DistilKeyType types[INDEX_MAX_KEYS];
	MemoryContext context;		/* of this and of all keys */
	Datum	   *keys;			/* [n][n_columns] */
	int			n;
	int			capacity;
} KeyBuffer;

static KeyBuffer *buffers;		/* of this transaction, of deeper levels first */
static bool dropped;			/* a pipeline, in this transaction */
static uint64 captured;			/* keys, in this session */

/* ---- buffers ---- */

static KeyBuffer *
find_buffer(const char *pipeline, int level)
{
	for (KeyBuffer *b = buffers; b != NULL; b = b->next)
	{
		if (b->level == level && strcmp(b->pipeline, pipeline) == 0)
			return b;
	}
	return NULL;
}

static KeyBuffer *
make_buffer(const char *pipeline, int level, int n_columns, const DistilKeyType *types)
{
	MemoryContext context = AllocSetContextCreate(TopTransactionContext, "distilbert keys",
												  ALLOCSET_SMALL_SIZES);
	KeyBuffer  *b = MemoryContextAllocZero(context, sizeof(KeyBuffer));

	b->level = level;
	strlcpy(b->pipeline, pipeline, sizeof(b->pipeline));
	b->n_columns = n_columns;
	memcpy(b->types, types, n_columns * sizeof(DistilKeyType));
	b->context = context;
	b->next = buffers;
	buffers = b;
	return b;
}

/* Take a buffer off the list; its memory is the caller's to free. */
static void
unlink_buffer(KeyBuffer *b)
{
	KeyBuffer	  **link = &buffers;

	while (*link != b)
		link = &(*link)->next;
	*link = b->next;
}

/* Room for one key more: its columns, which the caller writes. */
static Datum *
next_key(KeyBuffer *b)
{
	Size		size = sizeof(Datum) * b->n_columns;

	if (b->n == b->capacity)
	{
		int			capacity = Max(64, 2 * b->capacity);

		b->keys = b->keys == NULL ? MemoryContextAllocHuge(b->context, capacity * size)
								  : repalloc_huge(b->keys, capacity * size);
		b->capacity = capacity;
	}
	return b->keys + (Size) b->n * b->n_columns;
}

static void
copy_key(KeyBuffer *b, const Datum *key)
{
	Datum	   *copy = next_key(b);
	MemoryContext old = MemoryContextSwitchTo(b->context);

	for (int i = 0; i < b->n_columns; i++)
		copy[i] = datumCopy(key[i], b->types[i].byval, b->types[i].length);
	MemoryContextSwitchTo(old);
	b->n++;
}

/* ---- writing ---- */

/* A row of the queue: keys of a buffer from the first to before the end. */
static void
write_row(const KeyBuffer *b, FmgrInfo *outputs, int first, int end)
{
	int			dims[2] = {end - first, b->n_columns};
	int			lbounds[2] = {1, 1};
	int			n = dims[0] * dims[1];
	const Datum *keys = b->keys + (Size) first * b->n_columns;
	Datum	   *texts = palloc(sizeof(Datum) * n);

	for (int i = 0; i < n; i++)
		texts[i] = CStringGetTextDatum(OutputFunctionCall(&outputs[i % b->n_columns], keys[i]));
	distil_queue_add(b->pipeline, construct_md_array(texts, NULL, 2, dims, lbounds, TEXTOID, -1,
													 false, TYPALIGN_INT));
}

/* Could a setting change the text form of the keys?  Of most it cannot. */
static bool
depends_on_settings(const KeyBuffer *b)
{
	for (int i = 0; i < b->n_columns; i++)
	{
		switch (b->types[i].output)
		{
			case F_INT2OUT:
			case F_INT4OUT:
			case F_INT8OUT:
			case F_NUMERIC_OUT:
			case F_TEXTOUT:
			case F_VARCHAROUT:
			case F_UUID_OUT:
				break;
			default:
				return true;
		}
	}
	return false;
}

/* All keys of a buffer to the queue; the buffer is empty then. */
static void
write_buffer(KeyBuffer *b)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "distilbert queue",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	FmgrInfo	outputs[INDEX_MAX_KEYS];
	bool		settings = depends_on_settings(b);
	int			nestlevel = settings ? distil_key_text_begin() : 0;

	for (int i = 0; i < b->n_columns; i++)
		fmgr_info_cxt(b->types[i].output, &outputs[i], old);
	for (int first = 0; first < b->n; first += DISTIL_QUEUE_KEYS)
	{
		write_row(b, outputs, first, Min(first + DISTIL_QUEUE_KEYS, b->n));
		MemoryContextReset(context);
	}
	if (settings)
		distil_key_text_end(nestlevel);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	b->n = 0;
	distil_pipeline_wake();
}

/* The keys of a buffer that is full, at its own level; a new one begins. */
static void
write_full(KeyBuffer *b)
{
	write_buffer(b);
	unlink_buffer(b);
	MemoryContextDelete(b->context);
}

/* The extension, too, may have been dropped. */
static void
write_all(void)
{
	if (buffers == NULL || !OidIsValid(distil_queue_table()))
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	for (KeyBuffer *b = buffers; b != NULL; b = b->next)
	{
		if (b->n > 0 && !(dropped && distil_pipeline_find(b->pipeline) == NULL))
			write_buffer(b);
	}
	PopActiveSnapshot();
	buffers = NULL;
}

void
distil_capture_key(const char *pipeline, const DistilPipelineColumns *columns,
				   const DistilKeyType *types, TupleTableSlot *row, bool hold)
{
	int			level = GetCurrentTransactionNestLevel();
	KeyBuffer  *b = find_buffer(pipeline, level);
	Datum		key[INDEX_MAX_KEYS];

	for (int i = 0; i < columns->n_keys; i++)
	{
		bool		isnull;

		key[i] = slot_getattr(row, columns->keys[i], &isnull);
		if (isnull)
			return;				/* the primary key is gone, and with it the row's name */
		if (types[i].length == -1)
			key[i] = PointerGetDatum(PG_DETOAST_DATUM_PACKED(key[i]));
	}
	if (b != NULL && ((b->n >= DISTIL_CAPTURE_KEYS && !hold) || b->n_columns != columns->n_keys))
	{
		write_full(b);
		b = NULL;
	}
	if (b == NULL)
		b = make_buffer(pipeline, level, columns->n_keys, types);
	copy_key(b, key);
	captured++;
}

uint64
distil_capture_count(void)
{
	return captured;
}

List *
distil_capture_take(const char *pipeline)
{
	KeyBuffer  *b = find_buffer(pipeline, GetCurrentTransactionNestLevel());
	List	   *keys = NIL;
	FmgrInfo	outputs[INDEX_MAX_KEYS];
	Datum		texts[INDEX_MAX_KEYS];
	bool		settings;
	int			nestlevel;

	if (b == NULL)
		return NIL;
	settings = depends_on_settings(b);
	nestlevel = settings ? distil_key_text_begin() : 0;
	for (int i = 0; i < b->n_columns; i++)
		fmgr_info(b->types[i].output, &outputs[i]);
	for (int k = 0; k < b->n; k++)
	{
		for (int i = 0; i < b->n_columns; i++)
			texts[i] = CStringGetTextDatum(
				OutputFunctionCall(&outputs[i], b->keys[(Size) k * b->n_columns + i]));
		keys = lappend(keys, construct_array(texts, b->n_columns, TEXTOID, -1, false,
											 TYPALIGN_INT));
	}
	if (settings)
		distil_key_text_end(nestlevel);
	unlink_buffer(b);
	MemoryContextDelete(b->context);
	return keys;
}

void
distil_capture_note_drop(void)
{
	dropped = true;
}

/* ---- ends of transactions ---- */

static void
at_xact_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			write_all();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			buffers = NULL;		/* their memory is the transaction's */
			dropped = false;
			break;
		default:
			break;
	}
}

/* What is in a buffer of a level that commits belongs to the level above. */
static void
merge_upwards(KeyBuffer *b)
{
	KeyBuffer  *above = find_buffer(b->pipeline, b->level - 1);

	if (above == NULL || above->n_columns != b->n_columns)
	{
		b->level--;
		return;
	}
	for (int i = 0; i < b->n; i++)
		copy_key(above, b->keys + (Size) i * b->n_columns);
	unlink_buffer(b);
	MemoryContextDelete(b->context);
}

static void
at_subxact_end(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	KeyBuffer  *next;

	if (event != SUBXACT_EVENT_PRE_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)
		return;
	for (KeyBuffer *b = buffers; b != NULL; b = next)
	{
		next = b->next;
		if (b->level < level)
			continue;
		if (event == SUBXACT_EVENT_PRE_COMMIT_SUB)
			merge_upwards(b);
		else
		{
			unlink_buffer(b);
			MemoryContextDelete(b->context);
		}
	}
}

void
distil_capture_init(void)
{
	RegisterXactCallback(at_xact_end, NULL);
	RegisterSubXactCallback(at_subxact_end, NULL);
}
