/*
 * errors.h -- the one place where the core's failures become ereport(ERROR).
 */
#ifndef DISTILBERT_PG_ERRORS_H
#define DISTILBERT_PG_ERRORS_H

#include "dbert.h"
#include "pg/bridge/compat.h"

/*
 * Raise err as a PostgreSQL error; never returns.  E_CANCELLED re-raises what
 * the poll caught (see alloc.h).  subject, or NULL, says what failed:
 * "could not load model \"x\"" becomes the message, the core's sentence the
 * detail; without it the core's sentence is the message.
 */
pg_noreturn extern void distil_raise(const DbertError *err, const char *subject);

/*
 * A function on text failed.  Returns true after a warning if the fault is the
 * text's (too long, not UTF-8) and distilbert.on_error is "null": the answer is
 * NULL then.  Raises else.
 */
extern bool distil_answer_null(const DbertError *err);

#endif
