/*
 * errors.h -- the one place where the core's failures become ereport(ERROR).
 */
#ifndef DISTILBERT_PG_ERRORS_H
#define DISTILBERT_PG_ERRORS_H

#include "dbert.h"
#include "pg/bridge/compat.h"
#include "pg/bridge/textrules.h"

/*
 * Raise err as a PostgreSQL error; never returns.  What the poll caught (see
 * alloc.h) is raised instead.  subject says what failed: "could not load model
 * \"x\"" becomes the message, the core's sentence its detail.  Where subject is
 * NULL, the core's sentence is the message.
 */
pg_noreturn extern void distil_raise(const DbertError *err, const char *subject);

/*
 * A text could not be evaluated.  If the fault is the text's (too long, not
 * UTF-8, or no finite numbers came of it) and the rules say that such errors
 * give NULL, warns and returns true: the answer is NULL.  Raises otherwise.  Of
 * the rules, long_text is for the hint alone.
 */
extern bool distil_answer_null(const DbertError *err, DistilTextRules rules);

#endif
