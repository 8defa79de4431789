/*
 * spanplace.h -- do entities begin and end where words do?
 */
#ifndef DISTILBERT_PG_SPANPLACE_H
#define DISTILBERT_PG_SPANPLACE_H

#include "dbert.h"
#include "pg/eval/example.h"

/* What was found so far; begins with zeroes and a context. */
typedef struct DistilSpanPlaces
{
	MemoryContext context;		/* of the example */
	int64		spans;
	int64		astray;			/* those that do not */
	char	   *example;		/* a sentence on the first of them */
} DistilSpanPlaces;

/*
 * Look at the spans of a row whose text has these tokens; cut: there may be
 * more of the text behind them.  A row of words with tags has none to look at.
 */
extern void distil_span_places_look(DistilSpanPlaces *places, const DbertToken *tokens, size_t n,
									bool cut, const DistilExample *row);

/* Tells in a NOTICE if there are such spans. */
extern void distil_span_places_report(const DistilSpanPlaces *places);

#endif
