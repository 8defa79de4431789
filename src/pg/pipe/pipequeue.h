/*
 * pipequeue.h -- the keys that pipelines have to do.
 *
 * A queued key means: make the target of this key equal to what the model says
 * of its source row, or remove it if there is no such row.  Writers add rows at
 * the end of their transactions; the worker reads some, does them, and deletes
 * the rows that it read.
 */
#ifndef DISTILBERT_PG_PIPEQUEUE_H
#define DISTILBERT_PG_PIPEQUEUE_H

#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/timestamp.h"

/* Keys of a row of the queue. */
#define DISTIL_QUEUE_KEYS 1000

typedef struct DistilQueued
{
	int64		seq;
	ArrayType  *keys;			/* text[n][columns of the key] */
	int			n;
	TimestampTz queued_at;
} DistilQueued;

/* The queue's table; InvalidOid: the extension is not there. */
extern Oid	distil_queue_table(void);

/* Add a row.  Nobody needs a privilege for it, and no user's code runs. */
extern void distil_queue_add(const char *pipeline, ArrayType *keys);

/* A row of one key, text[columns]. */
extern void distil_queue_add_key(const char *pipeline, ArrayType *key);

/*
 * Rows behind seq in its order until they have most keys, a List of palloc'd
 * DistilQueued; begin with PG_INT64_MIN.  As numbers are not given in the order
 * of commits, whoever comes to the end begins anew before he calls it empty.
 */
extern List *distil_queue_read(const char *pipeline, int64 seq, int most);

/* The number of the last row that there is; PG_INT64_MIN: there is none. */
extern int64 distil_queue_last(const char *pipeline);

/* Delete rows that were read. */
extern void distil_queue_delete(const char *pipeline, List *rows);

/* Of a row that was read, these keys are left. */
extern void distil_queue_keep(const char *pipeline, const DistilQueued *row, ArrayType *keys);

/* All rows of a pipeline. */
extern void distil_queue_clear(const char *pipeline);

/* Keys that wait (no more than most are counted), and since when. */
extern int64 distil_queue_length(const char *pipeline, int64 most, TimestampTz *oldest);

/*
 * A key's text forms, and back.  They do not depend on a session's settings
 * (DateStyle and the like): begin before a number of keys, and end.
 */
extern int	distil_key_text_begin(void);
extern void distil_key_text_end(int nestlevel);

#endif
