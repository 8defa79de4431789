/*
 * zeroshot.h -- a text and labels that it may have, as distil_zero_shot asks.
 */
#ifndef DISTILBERT_PG_ZEROSHOT_H
#define DISTILBERT_PG_ZEROSHOT_H

#include "pg/run/runtext.h"

typedef struct DistilQuestion
{
	Datum		text;
	Datum		array;			/* the labels as they were given, */
	const Datum *labels;		/* [n] and its elements */
	int			n;
	/* what is said of the text, with a place for the label; by inference one */
	const char *const *templates;
	int			n_templates;
	DistilTextRules rules;
} DistilQuestion;

/* Template t filled with label i, a text, palloc'd. */
extern Datum distil_hypothesis(const DistilQuestion *q, int i, int t);

/*
 * The scores [n] of the labels by a model of embeddings; false: there are none,
 * as the rules say.  The call site keeps the labels' vectors for its next row.
 */
extern bool distil_score_by_vectors(FmgrInfo *flinfo, DistilModel *model, const DistilQuestion *q,
									bool multi_label, float *scores);

#endif
