/*
 * batchstate.h -- what a batch node keeps while it runs.
 */
#ifndef DISTILBERT_PG_BATCHSTATE_H
#define DISTILBERT_PG_BATCHSTATE_H

#include "nodes/execnodes.h"

#include "pg/scan/batchscan_calls.h"
#include "pg/scan/batchscan_node.h"

/* Where a call's answer for a row is. */
typedef enum DistilCellState
{
	DISTIL_CELL_NULL,
	DISTIL_CELL_READY,
	DISTIL_CELL_LATER			/* to be computed when the row is passed on */
} DistilCellState;

typedef struct DistilCell
{
	Datum		texts[2];		/* arguments; live as long as the window */
	bool		text_is_null;	/* one of them is */
	DistilCellState state;
	Datum		answer;			/* as long as the window */
} DistilCell;

typedef struct DistilCall
{
	const DistilTask *task;
	FmgrInfo	flinfo;
	Oid			collation;
	int			n_args;
	ExprState  *args[DISTIL_MAX_ARGS];	/* texts, model, options, rules: see task.h */
	int			model_arg;		/* -1: the setting says the model's name */
	int			same_texts;		/* the first call with equal texts */
	bool		proven;			/* the model has been opened for a row that was asked for */
	DistilCell *cells;			/* [capacity] */

	/* while a window is computed */
	NullableDatum values[DISTIL_MAX_ARGS];	/* of all but the texts */
	bool		is_null;		/* whatever the text */
	DistilModel *model;			/* NULL: not to be opened yet */
	DistilTextRules rules;		/* if there is a model */
} DistilCall;

/* What EXPLAIN ANALYZE counts; workers add theirs. */
typedef struct DistilCounts
{
	int64		rows;
	DistilUsage usage;			/* of the models, by the node */
} DistilCounts;

/* The counts of all processes, in a parallel query's shared memory. */
typedef struct DistilSharedCounts
{
	int			n;
	DistilCounts counts[FLEXIBLE_ARRAY_MEMBER];
} DistilSharedCounts;

typedef struct DistilScanState
{
	CustomScanState css;		/* must be first field */
	int			n_inputs;		/* columns of the child */
	int			n_calls;
	DistilCall *calls;
	DistilAhead ahead;			/* how far we may read ahead */
	TupleTableSlot *row;		/* one of the window's rows */
	ScanState  *scan;			/* the scan whose rows ours are, for WHERE CURRENT OF; or NULL */
	bool		enabled;		/* distilbert.enable_batching when the statement began */

	/* the window: rows that have been read and not been passed on */
	MemoryContext window;		/* everything of these rows */
	int			capacity;
	int			count;
	int			next;			/* the one to be passed on */
	MinimalTuple *tuples;		/* [capacity] */
	ItemPointerData *tids;		/* [capacity], if there is a scan */
	Oid		   *tableoids;		/* [capacity] */
	int			target;			/* rows of the next window */
	Size		bytes;			/* of rows and texts */
	Size		text_bytes;		/* of texts */
	int64		window_tokens;

	/* the child */
	bool		started;
	bool		done;			/* it has no more rows, and must not be asked */
	bool		ended;			/* so have we */
	bool		by_row;			/* we were asked to go back: no windows any more */

	/* between batch nodes on top of each other */
	bool		early;			/* set by the one above: this row is not asked for yet */
	bool		paused;			/* our answer to it: a row that may only be computed when it is */

	DistilCounts counts;
	DistilSharedCounts *shared;
} DistilScanState;

#endif
