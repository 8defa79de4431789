/*
 * capture.h -- keys of rows that writers change, on their way to the queue.
 *
 * Triggers put keys into the transaction's memory; they go to the queue when it
 * is about to commit or to be prepared, or sooner when there are many.  What a
 * savepoint's rollback undoes is forgotten.
 */
#ifndef DISTILBERT_PG_CAPTURE_H
#define DISTILBERT_PG_CAPTURE_H

#include "executor/tuptable.h"

#include "pg/pipe/pipeline.h"

/* Keys of a pipeline in memory, before they are written. */
#define DISTIL_CAPTURE_KEYS 65536

/* How the columns of a key are copied and written. */
typedef struct DistilKeyType
{
	int16		length;
	bool		byval;
	Oid			output;			/* function */
} DistilKeyType;

/*
 * Remember the key of a row; hold: however many there are, until they are
 * taken.
 */
extern void distil_capture_key(const char *pipeline, const DistilPipelineColumns *columns,
							   const DistilKeyType *types, TupleTableSlot *row, bool hold);

/*
 * Take the keys of a pipeline that are remembered at this level of
 * transactions, a List of text[columns]: they are the caller's to do.
 */
extern List *distil_capture_take(const char *pipeline);

/* Keys that this session has captured: it grows with each. */
extern uint64 distil_capture_count(void);

/*
 * A pipeline is dropped in this transaction: look, before keys are written,
 * whether it is there.  A savepoint may bring it back.
 */
extern void distil_capture_note_drop(void);

/* Called once by _PG_init. */
extern void distil_capture_init(void);

#endif
