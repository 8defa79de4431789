/*
 * redact.h -- a text without its entities (redactfunc.c).
 */
#ifndef DISTILBERT_PG_REDACT_H
#define DISTILBERT_PG_REDACT_H

#include "pg/run/runtext.h"

#define DISTIL_DEFAULT_MASK "[{label}]"

/*
 * Text t, which is a batch's text i, with each entity of that label (NULL: of
 * any) whose score is min_score or more masked.  palloc'd.
 */
extern char *distil_redact(const DbertBatch *batch, int i, const DistilText *t, const char *label,
						   float min_score, const char *mask);

/* The mask with the label in the place of "{label}".  palloc'd. */
extern char *distil_fill_mask_template(const char *mask, const char *label);

#endif
