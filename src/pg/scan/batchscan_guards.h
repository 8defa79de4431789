/*
 * batchscan_guards.h -- calls in arms of CASE, AND, OR and COALESCE.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_GUARDS_H
#define DISTILBERT_PG_BATCHSCAN_GUARDS_H

#include "pg/scan/batchscan_calls.h"

/*
 * The expression with its guarded calls made such that distil_next_call finds
 * them: f(x) in CASE WHEN c THEN f(x) END as f(CASE WHEN c THEN x END).  Calls
 * in always, a List, are left alone, and so are all that must be.
 */
extern Node *distil_guard_calls(const DistilStatement *s, Node *node, List *always);

#endif
