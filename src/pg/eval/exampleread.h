/*
 * exampleread.h -- from a row of a query to an example.
 */
#ifndef DISTILBERT_PG_EXAMPLEREAD_H
#define DISTILBERT_PG_EXAMPLEREAD_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "fmgr.h"

#include "pg/eval/example.h"

/* How the rows of one query are read. */
typedef struct DistilExampleReader
{
	TupleDesc	desc;
	DistilLearn learn;			/* without OPTIONAL */
	bool		optional;		/* is the label? */
	DistilLabelKind kind;
	bool		integers;		/* labels are numbers of an integer type */
	bool		pair;			/* two columns of texts */
	bool		labelled;		/* and one more */
	bool		words;			/* arrays of words and of their tags */
	Oid			label;			/* type of the last column, below domains */
	FmgrInfo	output;			/* of that type, or of its elements' */
	Oid			element;		/* of MANY */
	int16		length;
	bool		by_value;
	char		align;
	Oid			text_types[2];
	FmgrInfo	text_outputs[2];	/* of types that are not text inside */
} DistilExampleReader;

/*
 * For rows of desc, which must live as long.  argument names the SQL argument
 * in errors.  Raises unless the columns fit what is learnt:
 *
 *		TEXTS			text
 *		QUESTIONS		text, text
 *		PAIRS			text, text [, number]
 *		TRANSLATIONS	text, text [, language], which may be NULL
 *		all others		text [, text], label; the label where it is not optional
 */
extern void distil_reader_begin(DistilExampleReader *r, TupleDesc desc, DistilLearn learn,
								const char *argument);

/* What a row lacks. */
typedef enum DistilLack
{
	DISTIL_LACKS_NOTHING,
	DISTIL_LACKS_TEXT,
	DISTIL_LACKS_LABEL
} DistilLack;

/* The row of a tuple, if it lacks nothing; memory is of the current context. */
extern DistilLack distil_reader_read(DistilExampleReader *r, HeapTuple tuple, DistilExample *row);

#endif
