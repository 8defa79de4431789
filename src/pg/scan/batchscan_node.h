/*
 * batchscan_node.h -- the plan node Custom Scan (DistilBatch).
 */
#ifndef DISTILBERT_PG_BATCHSCAN_NODE_H
#define DISTILBERT_PG_BATCHSCAN_NODE_H

#include "nodes/extensible.h"
#include "nodes/plannodes.h"

/*
 * The node's name, of its methods, too: whoever has this very string is one.
 *
 * custom_scan_tlist: the child's columns, Vars of OUTER_VAR; then the calls,
 * FuncExprs over Vars of OUTER_VAR.  targetlist and qual refer to it by
 * INDEX_VAR.  The child is the left one.  custom_private as below.
 */
extern const char distil_scan_name[];

extern bool distil_is_scan(const Plan *plan);

/* When a row may be read before it is asked for, and more often than it is. */
typedef enum DistilAhead
{
	DISTIL_AHEAD_FREE,			/* always: nobody can tell */
	DISTIL_AHEAD_RUN,			/* when the statement is run to its end */
	DISTIL_AHEAD_NEVER
} DistilAhead;

/* custom_private, which workers get as text: one Integer */
extern void distil_scan_set_ahead(CustomScan *scan, DistilAhead ahead);
extern DistilAhead distil_scan_ahead(const CustomScan *scan);

/* A List of FuncExprs: what custom_scan_tlist has after the child's columns. */
extern List *distil_scan_calls(const CustomScan *scan);

/* One more, as the last column. */
extern void distil_scan_add_call(CustomScan *scan, FuncExpr *call);

/* The setting distilbert.enable_batching: are plans to have such nodes? */
extern bool distil_guc_enable_batching;
extern void distil_scan_define_setting(void);

#endif
