/*
 * examples.h -- rows of a text, or two, and what is to be said of it, from a
 * user's query.
 */
#ifndef DISTILBERT_PG_EXAMPLES_H
#define DISTILBERT_PG_EXAMPLES_H

#include "pg/run/runtext.h"

/* What the query's last column is. */
typedef enum DistilLabelKind
{
	DISTIL_LABEL_ONE,			/* text, an enum, an integer, a boolean: a class */
	DISTIL_LABEL_MANY,			/* text[]: any number of classes */
	DISTIL_LABEL_NUMBER,
	DISTIL_LABEL_SPANS,			/* jsonb: entities with their places */
	DISTIL_LABEL_NONE,			/* there is no such column: one text is all */
	DISTIL_LABEL_PAIR,			/* two texts, each for itself; perhaps a number behind them */
	DISTIL_LABEL_QUESTION		/* a question and the text to answer it from, without an answer */
} DistilLabelKind;

/* What the last column is to be read as. */
typedef enum DistilLearn
{
	DISTIL_LEARN_CLASSES,		/* ONE or MANY, by its type */
	DISTIL_LEARN_NUMBERS,
	DISTIL_LEARN_MANY_OR_NUMBERS,	/* of which arrays are MANY */
	DISTIL_LEARN_SPANS,
	DISTIL_LEARN_TEXTS,			/* NONE */
	DISTIL_LEARN_PAIRS,			/* PAIR */
	DISTIL_LEARN_QUESTIONS,		/* QUESTION */
	DISTIL_LEARN_OPTIONAL =
		0x10 /* with one of the others: the label may be NULL, or no column be there */
} DistilLearn;

/* An entity in a text. */
typedef struct DistilSpan
{
	int32		start;			/* characters from 0 */
	int32		end;			/* exclusive */
	const char *label;			/* UTF-8 */
} DistilSpan;

/* A word of a text that is given in words. */
typedef struct DistilWord
{
	int32		start;			/* characters from 0 */
	int32		end;			/* exclusive */
} DistilWord;

typedef struct DistilExample
{
	DistilText	texts[2];		/* the second one of pairs alone */
	bool		pair;
	const char **labels;		/* [n_labels], UTF-8: 1 for ONE, none for NUMBER */
	int			n_labels;
	bool		unlabelled;		/* where labels are optional */
	float		number;			/* of NUMBER; of PAIR, NaN where there is no such column */
	DistilSpan *spans;			/* [n_spans] of SPANS, as they stand in the array */
	int			n_spans;
	/*
	 * [n_words] of SPANS given as tags of words, apart by one blank each; else
	 * NULL
	 */
	DistilWord *words;
	int			n_words;
} DistilExample;

typedef struct DistilExampleCounts
{
	int64		rows;
	int64		null_texts;
	int64		null_labels;	/* of rows with a text */
	bool		optional;		/* labels were; then there are none of the last */
	bool		only_texts;		/* NONE, QUESTION, and PAIR without numbers */
	/*
	 * of the others, as distilbert.on_error allows; counted by the visitor's
	 * owner
	 */
	int64 null_answers;
} DistilExampleCounts;

/*
 * Called with each block of complete rows, in order; rows and what they point
 * to are gone after it.
 */
typedef void (*DistilExampleVisitor) (void *ctx, DistilLabelKind kind, bool integers,
									  const DistilExample *rows, int n);

/*
 * Run query with the caller's rights, through a cursor, and visit its rows;
 * rows where a text or the label is NULL are only counted.  argument names the
 * SQL argument in errors.  Raises unless there are two columns, or three for
 * pairs, of fitting types; for NONE one; for QUESTION two; for PAIR two, or
 * three.
 */
extern DistilExampleCounts distil_examples_visit(const char *query, const char *argument,
												 DistilLearn want, DistilExampleVisitor visitor,
												 void *ctx);

/* A NULL-safe mention of what was left out, as NOTICE, if anything was. */
extern void distil_examples_report(const DistilExampleCounts *counts);

#endif
