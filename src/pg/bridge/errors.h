/*
 * errors.h -- the one place where the core's failures become ereport(ERROR).
 */
#ifndef DISTILBERT_PG_ERRORS_H
#define DISTILBERT_PG_ERRORS_H

#include "dbert.h"
#include "pg/bridge/compat.h"

/*
 * Raise err as a PostgreSQL error; never returns.  What the poll caught (see
 * alloc.h) is raised instead.  subject says what failed: "could not load model
 * \"x\"" becomes the message, the core's sentence its detail.  Where subject is
 * NULL, the core's sentence is the message.
 */
pg_noreturn extern void distil_raise(const DbertError *err, const char *subject);

/*
 * A text could not be evaluated.  If the fault is the text's (too long, not
 * UTF-8) and distilbert.on_error is "null", warns and returns true: the answer
 * is NULL.  Raises otherwise.
 */
extern bool distil_answer_null(const DbertError *err);

#endif
