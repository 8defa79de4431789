/*
 * examples.h -- examples from a user's query, block by block.
 */
#ifndef DISTILBERT_PG_EXAMPLES_H
#define DISTILBERT_PG_EXAMPLES_H

#include "pg/eval/example.h"

/* What a query gave. */
typedef struct DistilExampleCounts
{
	int64		rows;
	int64		null_texts;
	int64		null_labels;	/* of rows with a text */
	bool		optional;		/* labels were; then there are none of the last */
	bool		only_texts;		/* NONE, QUESTION, REFERENCE, and PAIR without numbers */

	/*
	 * rows that a model could not answer, as distilbert.on_error allows;
	 * counted by the visitor's owner
	 */
	int64		null_answers;
} DistilExampleCounts;

/*
 * Called with each block of complete rows, in order; rows and what they point
 * to are gone after it.  integers: the labels' type is one of integers.
 */
typedef void (*DistilExampleVisitor) (void *ctx, DistilLabelKind kind, bool integers,
									  const DistilExample *rows, int n);

/*
 * Run query with the caller's rights, through a cursor, and visit its rows;
 * rows where a text or the label is NULL are only counted.  argument names the
 * SQL argument in errors.  Raises unless the columns fit what is learnt
 * (exampleread.h).
 */
extern DistilExampleCounts distil_examples_visit(const char *query, const char *argument,
												 DistilLearn learn, DistilExampleVisitor visitor,
												 void *ctx);

/* Tells in a NOTICE which rows were left out, if any were. */
extern void distil_examples_report(const DistilExampleCounts *counts);

#endif
