/*
 * errors.h -- the one place where the core's failures become ereport(ERROR).
 */
#ifndef DISTILBERT_PG_ERRORS_H
#define DISTILBERT_PG_ERRORS_H

#include "dbert.h"

/*
 * Raise err as a PostgreSQL error; never returns.  E_CANCELLED re-raises what
 * the poll caught (see poll.h).  subject, or NULL, names what was worked on:
 * "could not load model \"x\"" becomes the message, the core's sentence the
 * detail; without it the core's sentence is the message.
 */
extern void distil_raise(const DbertError *err, const char *subject) pg_attribute_noreturn();

#endif
