/*
 * pipesync.h -- synchronous pipelines: a statement's rows have their values
 * when it ends.
 */
#ifndef DISTILBERT_PG_PIPESYNC_H
#define DISTILBERT_PG_PIPESYNC_H

#include "nodes/pg_list.h"

/*
 * Make the target table equal for these keys (a List of text[columns]), in the
 * current transaction.  What fails is raised; a row that somebody else holds
 * goes to the queue.
 */
extern void distil_sync_keys(const char *pipeline, List *keys);

/* Called once by _PG_init. */
extern void distil_sync_init(void);

#endif
