/*
 * redact.h -- a text without its entities.
 */
#ifndef DISTILBERT_PG_REDACT_H
#define DISTILBERT_PG_REDACT_H

#include "lib/stringinfo.h"

#include "pg/run/runtext.h"

#define DISTIL_DEFAULT_MASK "[{label}]"

/* Which entities go, and what stands in their place. */
typedef struct DistilRedaction
{
	bool		any;			/* label */
	const Datum *labels;		/* [n_labels] texts, else */
	int			n_labels;
	const char *mask;
} DistilRedaction;

/*
 * Text t, which is a batch's text i, with each wanted entity whose score is
 * min_score or more masked.
 */
extern StringInfoData distil_redact(const DbertBatch *batch, int i, const DistilText *t,
									float min_score, const DistilRedaction *r);

/* The same for entities of one label (NULL: of any).  palloc'd. */
extern char *distil_redact_label(const DbertBatch *batch, int i, const DistilText *t,
								 const char *label, float min_score, const char *mask);

/* The mask with the label in the place of "{label}".  palloc'd. */
extern char *distil_fill_mask_template(const char *mask, const char *label);

#endif
