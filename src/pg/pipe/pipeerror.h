/*
 * pipeerror.h -- what failed: keys, and whole pipelines.
 *
 * A key that failed is tried again, later each time, and given up after some
 * attempts; a write of its row queues it anew.  A fault of a pipeline (its
 * model is gone, the disk is full) is no key's: it stands under the empty key.
 */
#ifndef DISTILBERT_PG_PIPEERROR_H
#define DISTILBERT_PG_PIPEERROR_H

#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/timestamp.h"

/* After so many attempts a key is given up. */
#define DISTIL_MOST_ATTEMPTS 5

/* Seconds until a pipeline is tried again, after so many faults in a row. */
extern int	distil_fault_seconds(int faults);

/* A key failed again, key is text[columns]. */
extern void distil_error_add(const char *pipeline, ArrayType *key, const ErrorData *error);

/* A key could not be done now, which is nobody's fault. */
extern void distil_error_put_off(const char *pipeline, ArrayType *key, const ErrorData *error);

/* A pipeline failed, so many times in a row. */
extern void distil_error_fault(const char *pipeline, int faults, const ErrorData *error);

/* The key is done, and the pipeline works again. */
extern void distil_error_forget(const char *pipeline, ArrayType *key);
extern void distil_error_forget_fault(const char *pipeline);

/* Has anything failed? */
extern bool distil_errors_exist(const char *pipeline);

/* Keys whose time has come, at most so many: a List of palloc'd ArrayTypes. */
extern List *distil_errors_due(const char *pipeline, int most);

/* All keys that failed, whether or not they were given up. */
extern List *distil_errors_keys(const char *pipeline);

/* What there is of a pipeline. */
typedef struct DistilErrorCounts
{
	bool		fault;			/* of the pipeline */
	int64		keys;			/* that failed */
	int64		put_off;		/* keys */
	char	   *last;			/* message of the latest; NULL: there is none */
} DistilErrorCounts;

extern DistilErrorCounts distil_errors_count(const char *pipeline);

/* When the next key's time comes; 0: never. */
extern TimestampTz distil_errors_next(const char *pipeline);

#endif
