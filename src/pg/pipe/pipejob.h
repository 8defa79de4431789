/*
 * pipejob.h -- one visit to a pipeline: what stays the same while some of its
 * keys are done.
 *
 * The statements name tables and columns as they are called now.  Each of the
 * visit's transactions asks first whether something has changed; then the visit
 * is over, and the next one begins with what there is then.
 */
#ifndef DISTILBERT_PG_PIPEJOB_H
#define DISTILBERT_PG_PIPEJOB_H

#include "executor/spi.h"

#include "pg/pipe/pipecompute.h"
#include "pg/pipe/pipeline.h"

/* Keys that are done at a time, at most. */
#define DISTIL_JOB_KEYS 64

/* How a column of the key is read from its text form. */
typedef struct DistilJobKey
{
	Oid			type;
	int32		typmod;
	Oid			ioparam;
	FmgrInfo	input;
} DistilJobKey;

/* A generation's model and statements. */
typedef struct DistilJobGeneration
{
	FmgrInfo	call;			/* pins the model */
	DistilModel *model;
	SPIPlanPtr	known;			/* of a table: the hash of the text that it has */
	SPIPlanPtr	remove;			/* of a table: a key's rows */
	SPIPlanPtr	put;			/* a row of a table, or a column's value */
	SPIPlanPtr	next;			/* of the backfill: keys behind the last one */
} DistilJobGeneration;

typedef struct DistilJob
{
	MemoryContext context;		/* of the visit */
	MemoryContext batch;		/* of some keys */
	bool		in_call;
	DistilPipeline *pipeline;
	char	   *signature;		/* of all that the statements name */
	uint64		changes;		/* when it was known to be so: distil_watched_changes */
	DistilJobKey keys[INDEX_MAX_KEYS];
	SPIPlanPtr	read;			/* a key's text */
	SPIPlanPtr	lock;			/* the hash of a key's text, its row locked if it is free */
	SPIPlanPtr	wait;			/* the same, waiting for the row */
	DistilJobGeneration generations[DISTIL_MAX_GENERATIONS];
	bool		errors;			/* something of the pipeline has failed */
} DistilJob;

/*
 * A visit to the pipeline of this name, in a context below the current one;
 * NULL: there is none, or nothing may be done for it now.  Opens its models.
 * Raises where one is gone or is not the one that it was.
 */
extern DistilJob *distil_job_begin(const char *name, bool in_call);
extern void distil_job_end(DistilJob *job);

/* Keys of the backfill behind the generation's position, which has changed. */
extern void distil_job_prepare_next(DistilJob *job, int generation);

/*
 * Is all still called as the statements say?  Locks it until the transaction
 * ends.
 */
extern bool distil_job_is_current(DistilJob *job);

/* How many bytes of text make a full batch of its models. */
extern size_t distil_job_text_bytes(const DistilJob *job);

#endif
