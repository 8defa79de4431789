/*
 * batchscan.h -- Custom Scan (DistilBatch): calls of model functions, evaluated
 * for many rows at a time.
 *
 * A plan node that computes such calls,
 *
 *		Seq Scan on t						SELECT id, distil_sentiment(body)
 *			tlist: id, f(body)				FROM t WHERE n > 3 AND f(body) > 0.5
 *			qual: n > 3, f(body) > 0.5
 *
 * becomes one that computes what they need, and a node above it that collects
 * its rows and appends the answers as columns:
 *
 *		Custom Scan (DistilBatch)
 *			tlist: id, f					of the columns (id, body, f)
 *			qual: f > 0.5
 *			-> Seq Scan on t
 *				tlist: id, body
 *				qual: n > 3
 *
 * The files, each of which includes only those above it:
 *
 *		batchscan_node		the plan node
 *		batchscan_runs		is a statement run to its end?
 *		batchscan_calls		which calls, in which places of an expression
 *		batchscan_walk		through a plan
 *		batchscan_reads		what reading rows early could disturb
 *		batchscan_guards	calls in arms of CASE, AND, OR, COALESCE
 *	at run time
 *		batchstate			what the node keeps
 *		batchscan_window	texts through models
 *		batchscan_counts	its counts, in parallel queries
 *		batchscan_explain	what EXPLAIN says of it
 *		batchscan_exec		the node at work
 *	while a plan is made
 *		batchscan_stages	batch nodes on top of a plan node
 *		batchscan_split		one plan node into nodes with and without calls
 *		batchscan_append	the same for asynchronous appends
 *		batchscan_arguments	the same for arguments of aggregates
 *		batchscan_plan		the finished plan, from top to bottom
 *		batchscan_hooks		where PostgreSQL lets us in
 */
#ifndef DISTILBERT_PG_BATCHSCAN_H
#define DISTILBERT_PG_BATCHSCAN_H

/* Called once, when the library is loaded. */
extern void distil_scan_init(void);

#endif
