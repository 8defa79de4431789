/*
 * example.h -- a row of a user's query: a text, or two, and what is true of it.
 */
#ifndef DISTILBERT_PG_EXAMPLE_H
#define DISTILBERT_PG_EXAMPLE_H

#include "pg/bridge/textvalue.h"

/* What the query's last column is. */
typedef enum DistilLabelKind
{
	DISTIL_LABEL_ONE,			/* text, an enum, an integer, a boolean: a class */
	DISTIL_LABEL_MANY,			/* text[]: any number of classes */
	DISTIL_LABEL_NUMBER,
	DISTIL_LABEL_SPANS,			/* jsonb: entities with their places */
	DISTIL_LABEL_NONE,			/* there is no such column: one text is all */
	DISTIL_LABEL_PAIR,			/* two texts, each for itself; perhaps a number behind them */
	DISTIL_LABEL_QUESTION,		/* a question and the text to answer it from, without an answer */
	DISTIL_LABEL_REFERENCE		/* a text and its translation; perhaps the language behind them */
} DistilLabelKind;

/* What the query is to give: texts, and what its last column is read as. */
typedef enum DistilLearn
{
	DISTIL_LEARN_CLASSES,		/* ONE or MANY, by its type */
	DISTIL_LEARN_NUMBERS,		/* NUMBER */
	DISTIL_LEARN_MANY_OR_NUMBERS,	/* of which arrays are MANY */
	DISTIL_LEARN_SPANS,			/* SPANS */
	DISTIL_LEARN_TEXTS,			/* NONE */
	DISTIL_LEARN_PAIRS,			/* PAIR */
	DISTIL_LEARN_QUESTIONS,		/* QUESTION */
	DISTIL_LEARN_TRANSLATIONS,	/* REFERENCE */

	/* with one of the others: labels may be NULL, or their column missing */
	DISTIL_LEARN_OPTIONAL = 0x10
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
	const char **labels;		/* [n_labels], UTF-8: 1 for ONE, none for NUMBER, a language */
	int			n_labels;
	bool		unlabelled;		/* where labels are optional */
	float		number;			/* of NUMBER; of PAIR, NaN where there is no such column */
	DistilSpan *spans;			/* [n_spans] of SPANS, as they stand in the array */
	int			n_spans;

	/* of SPANS given as tags of words, apart by one blank each; else NULL */
	DistilWord *words;			/* [n_words] */
	int			n_words;
} DistilExample;

#endif
