/*
 * batchscan_reads.h -- what reading rows early could disturb.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_READS_H
#define DISTILBERT_PG_BATCHSCAN_READS_H

#include "pg/scan/batchscan_calls.h"

typedef struct DistilReads
{
	bool		is_volatile;	/* functions that count their calls */
	bool		may_raise;		/* expressions that fail for some rows */
} DistilReads;

/* What happens when a row of plan is fetched, beyond the first. */
extern DistilReads distil_inspect_rows(const DistilStatement *s, Plan *plan);

/* May evaluating the expression raise for some rows? */
extern bool distil_may_raise(Node *node);

/* May evaluating the arguments of a batch node's calls raise for some rows? */
extern bool distil_arguments_may_raise(const CustomScan *scan);

/* Are there volatile functions in the statement that could change a setting? */
extern bool distil_is_unruly(PlannedStmt *stmt);

/* Are there volatile functions in the statement that we can see? */
extern bool distil_is_volatile(PlannedStmt *stmt);

/* Does the statement have calls of ours?  Batch nodes? */
extern bool distil_statement_has_task(PlannedStmt *stmt);
extern bool distil_statement_has_scan(PlannedStmt *stmt);

#endif
