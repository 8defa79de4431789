/*
 * pipeline.h -- a pipeline as the catalogue has it.
 *
 * A pipeline keeps a target, a column of its source or a table of its own,
 * equal to what a model says of the source's texts.  Its rows are in the schema
 * "distilbert", found by C code whatever search_path says.
 *
 * Its columns are found by the trigger for UPDATE, whose condition is
 *		distilbert.touched(number of pairs, old and new keys ..., old and new
 *						   text, new values ...)
 * so they follow renames, dumps and restores, and PostgreSQL refuses to drop
 * them.  Partitions have clones of it with their own column numbers.  That for
 * INSERT has no condition: the server would read and compile it for each
 * statement, which costs more than all else that is done for a row.
 */
#ifndef DISTILBERT_PG_PIPELINE_H
#define DISTILBERT_PG_PIPELINE_H

#include "nodes/pg_list.h"
#include "utils/relcache.h"
#include "utils/timestamp.h"

#include "pg/bridge/sha256.h"
#include "pg/pipe/pipetask.h"

/* Longest name, in bytes: the triggers' names have to fit, too. */
#define DISTIL_MAX_PIPELINE 46

/* Generations at a time: the live one, and the one that is built. */
#define DISTIL_MAX_GENERATIONS 2

/* Where a relation, the source or a partition of it, has the columns. */
typedef struct DistilPipelineColumns
{
	int			n_keys;
	AttrNumber	keys[INDEX_MAX_KEYS];
	AttrNumber	text;
	int			n_values;		/* 0 where the target is a table */
	AttrNumber	values[DISTIL_MAX_GENERATIONS]; /* in the generations' order */
	bool		always;			/* the trigger fires for a subscription's changes, too */
} DistilPipelineColumns;

typedef struct DistilGeneration
{
	int32		number;
	char	   *model;
	uint8		sha256[DISTIL_SHA256_BYTES];	/* of the model's content (pipetask.h) */
	NullableDatum *options;		/* [task->n_options], with defaults (pipetask.h) */
	Oid			target;			/* the table; InvalidOid: a column */
	AttrNumber	column;			/* of the source, where the target is one */
	ArrayType  *position;		/* last key of the backfill; NULL: not begun */
	TimestampTz done_at;		/* the backfill ended; 0: it has not */
	int64		rows_done;		/* by the worker, ever */
	double		seconds;		/* that they took */
} DistilGeneration;

typedef struct DistilPipeline
{
	char	   *name;
	Oid			source;
	Oid			owner;			/* the source's: who computes and writes */
	const DistilPipeTask *task;
	bool		sync;
	bool		remove_stale;
	bool		paused;
	TimestampTz created_at;
	List	   *parts;			/* OIDs of the partitions that are seen to (pipepartitions.h) */

	/*
	 * Is it whole: does the source exist, with the trigger, and every target
	 * with the source's owner?  If not, only name, source and task are
	 * certain, and broken says what is the matter.
	 */
	bool		whole;
	const char *broken;

	/*
	 * Whole, but a subscription brings the values: they are another server's to
	 * compute.
	 */
	bool		elsewhere;

	DistilPipelineColumns columns;	/* of the source */
	int			n_generations;
	DistilGeneration generations[DISTIL_MAX_GENERATIONS];	/* the first is live */
} DistilPipeline;

/* May anything be done for it? */
static inline bool
distil_pipeline_works(const DistilPipeline *p)
{
	return p->whole && !p->elsewhere && !p->paused;
}

/* Is a generation being filled? */
extern bool distil_pipeline_is_filling(const DistilPipeline *p);

/* Is it kept up by another server, whose changes a subscription brings? */
extern bool distil_pipeline_is_elsewhere(const DistilPipeline *p);

/*
 * The pipeline of this name as it is now, with the source locked (AccessShare)
 * until the transaction ends; NULL: there is none.  palloc'd.
 */
extern DistilPipeline *distil_pipeline_find(const char *name);

/*
 * What its rows alone say, without a lock of the source: not whether it is
 * whole, nor its owner and columns.
 */
extern DistilPipeline *distil_pipeline_read(const char *name);

/* The same as distil_pipeline_find; raises where there is none. */
extern DistilPipeline *distil_pipeline_get(const char *name);

/* Is its source gone, and it with it? */
extern bool distil_pipeline_is_dead(const char *name);

/* Raise unless the current user owns the source. */
extern void distil_pipeline_check_owner(const DistilPipeline *pipeline);

/* The names of all, sorted: a List of palloc'd strings. */
extern List *distil_pipeline_names(void);

/* Those whose source is this table. */
extern List *distil_pipelines_of(Oid source);

/*
 * Where rel, the source or a partition of it, has the pipeline's columns; false
 * if it has no such trigger.
 */
extern bool distil_pipeline_columns(Relation rel, const char *name,
									DistilPipelineColumns *columns);

/* Is this the function of that name in the schema "distilbert"? */
extern bool distil_pipe_function(Oid function, const char *name);

/*
 * Write rows; the caller holds distil_pipeline_lock, unless it is the one that
 * computes for the pipeline and writes how far a generation is.  update finds
 * the rows by name and number and writes all their columns; what follows in the
 * transaction sees them.
 */
extern void distil_pipeline_insert(const DistilPipeline *pipeline);
extern void distil_pipeline_update(const DistilPipeline *pipeline);
/* ... with its generations, queue and errors */
extern void distil_pipeline_delete(const DistilPipeline *pipeline);

extern void distil_generation_insert(const DistilPipeline *pipeline, const DistilGeneration *g);
extern void distil_generation_update(const DistilPipeline *pipeline, const DistilGeneration *g);
extern void distil_generation_delete(const DistilPipeline *pipeline, int32 number);

/* Lock the catalogue against other changes until the transaction ends. */
extern void distil_pipeline_lock(void);

#endif
