/*
 * pipevisit.h -- a visit to a pipeline: some of what it has to do is done.
 */
#ifndef DISTILBERT_PG_PIPEVISIT_H
#define DISTILBERT_PG_PIPEVISIT_H

#include "utils/timestamp.h"

typedef struct DistilVisit
{
	/* what the caller says */
	const char *name;
	bool		in_call;
	int64		most_keys;
	int			milliseconds;	/* begin no batch behind so many */
	int64		seq;			/* read the queue behind it; PG_INT64_MIN: all of it */

	/* what came of it */
	int64		keys;			/* done */
	bool		more;			/* there is more to be done at once */
	ErrorData  *fault;			/* of the pipeline; NULL: there was none */
	TimestampTz next;			/* when something is to be tried again; 0: nothing is */
} DistilVisit;

/*
 * Do keys of the queue, or else of the backfill, or else those whose time to be
 * tried again has come.  The caller has the pipeline's lock and is in a
 * transaction that has done nothing; so it is afterwards.  seq becomes where to
 * read on.
 */
extern void distil_visit(DistilVisit *visit);

/*
 * Would a visit find something to do?  *next: when a key is to be tried again;
 * 0: none is.  Nothing is done, and no lock of the source is waited for.
 */
extern bool distil_visit_look(const char *name, TimestampTz *next);

#endif
