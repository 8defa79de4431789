/*
 * examples.c -- see examples.h.
 *
 * The query runs by SPI as the user who called: what he may not read, he cannot
 * train on.  A cursor hands out blocks of rows, fewer if they are large, so
 * that memory grows neither with the table nor with its texts.  Classes may be
 * of any type whose values name things; their names are the type's output.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "lib/qunique.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/eval/examples.h"
#include "pg/eval/spans.h"

/* A block has at most so many rows, fewer if they take more memory. */
#define BLOCK_ROWS 256
#define BLOCK_BYTES ((Size) 16 * 1024 * 1024)

typedef struct Reader
{
	DistilLabelKind kind;
	bool		integers;
	DistilLearn want;
	bool		optional;		/* is the label? */
	Oid			label;			/* its type, below domains */
	FmgrInfo	output;			/* of that type, or of its elements' */
	Oid			element;		/* of MANY */
	int16		length;
	bool		by_value;
	char		align;
	bool		pair;			/* two columns of texts */
	bool		labelled;		/* and one more */
	bool		words;			/* arrays of words and of their tags */
	Oid			text_types[2];
	FmgrInfo	text_outputs[2];	/* of types that are not text inside */
	DistilExample *rows;
	int			n;
	DistilExampleCounts counts;
} Reader;

static char
category(Oid type)
{
	char		category;
	bool		preferred;

	get_type_category_preferred(type, &category, &preferred);
	return category;
}

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

static bool
is_text_array(Oid type)
{
	Oid			element = get_element_type(getBaseType(type));

	return element == TEXTOID || element == VARCHAROID;
}

static bool
is_number(Oid type)
{
	return is_integer(type) || type == FLOAT4OID || type == FLOAT8OID || type == NUMERICOID;
}

/* Types whose values are names of classes. */
static bool
names_classes(Oid type)
{
	char		c = category(type);

	return c == TYPCATEGORY_STRING || c == TYPCATEGORY_ENUM || c == TYPCATEGORY_BOOLEAN ||
		c == TYPCATEGORY_UNKNOWN || is_integer(type);
}

static void
raise_columns(const Reader *r, const char *argument, const char *detail, const char *hint)
{
	ereport(ERROR,
		(errcode(ERRCODE_DATATYPE_MISMATCH),
		 r->want == DISTIL_LEARN_TEXTS
			 ? errmsg("argument \"%s\" must be a query that gives texts", argument)
		 : r->want == DISTIL_LEARN_PAIRS
			 ? errmsg("argument \"%s\" must be a query that gives pairs of texts", argument)
		 : r->want == DISTIL_LEARN_QUESTIONS
			 ? errmsg("argument \"%s\" must be a query that gives questions and texts", argument)
			 : errmsg("argument \"%s\" must be a query that gives texts and labels", argument),
		 errdetail_internal("%s", detail),
		 errhint("%s", hint)));
}

static const char *
how_to_write(const Reader *r)
{
	if (r->optional)
		return "Write it as SELECT text FROM ..., or SELECT text, label FROM ...; for pairs of "
			   "texts as SELECT text, text, label FROM ..., where the label may be NULL.";
	if (r->want == DISTIL_LEARN_TEXTS)
		return "Write it as SELECT text FROM ...";
	if (r->want == DISTIL_LEARN_QUESTIONS)
		return "Write it as SELECT question, text FROM ..., where the text is what the question is "
			   "answered from.";
	return r->want == DISTIL_LEARN_PAIRS
			   ? "Write it as SELECT text, text FROM ... for texts that belong together, or SELECT "
				 "text, text, number FROM ... for a number that says how near they are."
			   : "Write it as SELECT text, label FROM ..., or SELECT text, text, label FROM ... "
				 "for pairs of texts.";
}

static void
begin_label(Reader *r, Oid declared, const char *argument)
{
	Oid			type = getBaseType(declared);
	Oid			output;
	bool		varlena;

	r->label = type;
	r->element = get_element_type(type);
	r->integers = is_integer(type);
	if (r->want == DISTIL_LEARN_SPANS)
	{
		if (type != JSONBOID && type != JSONOID && !r->words)
			raise_columns(r, argument,
						  psprintf("Its last column is of type %s.", format_type_be(declared)),
						  "Entities are a jsonb array of objects, such as [{\"start\": 0, \"end\": "
						  "6, \"label\": \"LOC\"}], or tags of words: SELECT words, tags FROM ..., "
						  "both of type text[].");
		r->kind = DISTIL_LABEL_SPANS;
	}
	else if (r->want == DISTIL_LEARN_NUMBERS || r->want == DISTIL_LEARN_PAIRS ||
			 (r->want == DISTIL_LEARN_MANY_OR_NUMBERS && !OidIsValid(r->element)))
	{
		if (!is_number(type))
			raise_columns(
				r, argument, psprintf("Its last column is of type %s.", format_type_be(declared)),
				"Numbers are needed here: give a column of type real, numeric or integer.");
		r->kind = r->want == DISTIL_LEARN_PAIRS ? DISTIL_LABEL_PAIR : DISTIL_LABEL_NUMBER;
	}
	else if (OidIsValid(r->element) && names_classes(r->element))
	{
		r->kind = DISTIL_LABEL_MANY;
		get_typlenbyvalalign(r->element, &r->length, &r->by_value, &r->align);
	}
	else if (names_classes(type))
		r->kind = DISTIL_LABEL_ONE;
	else
		raise_columns(
			r, argument, psprintf("Its last column is of type %s.", format_type_be(declared)),
			"Labels are text, integers, booleans or an enum; text[] for texts with several labels; "
			"task => 'regression' learns numbers, task => 'entities' jsonb.");
	getTypeOutputInfo(r->kind == DISTIL_LABEL_MANY ? r->element : type, &output, &varlena);
	fmgr_info(output, &r->output);
}

/* Column i, counted from 0. */
static void
begin_text(Reader *r, int i, Oid declared, const char *argument)
{
	Oid			type = getBaseType(declared);
	Oid			output;
	bool		varlena;

	if (category(type) != TYPCATEGORY_STRING && type != UNKNOWNOID)
		raise_columns(r, argument,
					  psprintf("Its %s column is of type %s.", i == 0 ? "first" : "second",
							   format_type_be(declared)),
					  how_to_write(r));
	getTypeOutputInfo(type, &output, &varlena);
	r->text_types[i] = type;
	fmgr_info(output, &r->text_outputs[i]);
}

static DistilLabelKind
kind_without_column(const Reader *r)
{
	switch (r->want)
	{
		case DISTIL_LEARN_NUMBERS:
			return DISTIL_LABEL_NUMBER;
		case DISTIL_LEARN_SPANS:
			return DISTIL_LABEL_SPANS;
		case DISTIL_LEARN_TEXTS:
			return DISTIL_LABEL_NONE;
		case DISTIL_LEARN_PAIRS:
			return DISTIL_LABEL_PAIR;
		case DISTIL_LEARN_QUESTIONS:
			return DISTIL_LABEL_QUESTION;
		default:
			return DISTIL_LABEL_ONE;
	}
}

/* May the query give so many columns? */
static bool
columns_fit(const Reader *r, int n)
{
	switch (r->want)
	{
		case DISTIL_LEARN_TEXTS:
			return n == 1;
		case DISTIL_LEARN_QUESTIONS:
			return n == 2;
		default:
			return n == 2 || n == 3 || (n == 1 && r->optional);
	}
}

static void
begin_reader(Reader *r, TupleDesc desc, const char *argument)
{
	if (!columns_fit(r, desc->natts))
		raise_columns(r, argument, psprintf("The number of its columns is %d.", desc->natts),
					  how_to_write(r));
	r->pair =
		desc->natts == 3 || r->want == DISTIL_LEARN_PAIRS || r->want == DISTIL_LEARN_QUESTIONS;
	r->labelled = desc->natts == r->pair + 2;
	r->words = r->want == DISTIL_LEARN_SPANS && desc->natts == 2 &&
		is_text_array(SPI_gettypeid(desc, 1)) && is_text_array(SPI_gettypeid(desc, 2));
	for (int i = 0; i <= r->pair && !r->words; i++)
		begin_text(r, i, SPI_gettypeid(desc, i + 1), argument);
	if (!r->labelled)
		r->kind = kind_without_column(r);
	else
		begin_label(r, SPI_gettypeid(desc, desc->natts), argument);
	if (r->pair && r->kind == DISTIL_LABEL_SPANS)
		raise_columns(r, argument, "The number of its columns is 3.",
					  "Entities are those of one text.");
}

static DistilText
read_text(Reader *r, int i, Datum value)
{
	if (r->text_types[i] == TEXTOID || r->text_types[i] == VARCHAROID)
		return distil_text_get(value);
	return distil_text_get(CStringGetTextDatum(OutputFunctionCall(&r->text_outputs[i], value)));
}

/*
 * As a cast to text has it, which for booleans and char(n) is not the type's
 * output.
 */
static const char *
read_label(Reader *r, Datum value)
{
	char	   *name;

	if (r->output.fn_oid == F_BOOLOUT)
		return DatumGetBool(value) ? "true" : "false";
	if (r->output.fn_oid == F_BPCHAROUT)
		value = DirectFunctionCall1(rtrim1, value);
	name = OutputFunctionCall(&r->output, value);

	return pg_server_to_any(name, strlen(name), PG_UTF8);
}

static int
compare_labels(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Each label once; an element that is NULL is none. */
static void
read_labels(Reader *r, Datum value, DistilExample *row)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(value), r->element, r->length, r->by_value, r->align,
					  &elements, &nulls, &n);
	row->labels = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			row->labels[row->n_labels++] = read_label(r, elements[i]);
	}
	qsort(row->labels, row->n_labels, sizeof(char *), compare_labels);
	row->n_labels = qunique(row->labels, row->n_labels, sizeof(char *), compare_labels);
}

static double
number_of(Oid type, Datum value)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return (double) DatumGetInt64(value);
		case FLOAT4OID:
			return DatumGetFloat4(value);
		case FLOAT8OID:
			return DatumGetFloat8(value);
		default:
			return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
	}
}

static float
read_number(Reader *r, Datum value)
{
	float		number = (float) number_of(r->label, value);

	if (!isfinite(number))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("a number of the last column is %s", OutputFunctionCall(&r->output, value)),
				 errhint("Leave out rows with NaN or infinity, and scale numbers that do not fit "
						 "type real.")));
	return number;
}

/* The elements of a text[] as strings. */
static char **
read_strings(Datum array, int *n)
{
	Datum	   *elements;
	bool	   *nulls;
	char	  **strings;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, n);
	strings = palloc(sizeof(char *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("words and their tags must not be NULL")));
		strings[i] = TextDatumGetCString(elements[i]);
	}
	return strings;
}

/* Characters as the core counts them. */
static int32
count_chars(const char *s)
{
	int			encoding = GetDatabaseEncoding() == PG_SQL_ASCII ? PG_UTF8 : GetDatabaseEncoding();
	const char *end = s + strlen(s);
	int32		n = 0;

	for (; s < end; s += Min(pg_encoding_mblen(encoding, s), end - s))
		n++;
	return n;
}

/* The text is its words with blanks between them. */
static void
read_words(Datum words, Datum tags, DistilExample *row)
{
	int			n_tags;
	char	  **word = read_strings(words, &row->n_words);
	char	  **tag = read_strings(tags, &n_tags);
	int32		at = 0;
	StringInfoData text;

	if (row->n_words != n_tags)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a text of %d words has %d tags", row->n_words, n_tags)));
	initStringInfo(&text);
	row->words = palloc(sizeof(DistilWord) * Max(row->n_words, 1));
	for (int i = 0; i < row->n_words; i++)
	{
		int32		length = count_chars(word[i]);

		appendStringInfo(&text, "%s%s", i > 0 ? " " : "", word[i]);
		row->words[i] = (DistilWord) {at, at + length};
		at += length + 1;
		tag[i] = pg_server_to_any(tag[i], strlen(tag[i]), PG_UTF8);
	}
	row->texts[0] = distil_text_get(PointerGetDatum(cstring_to_text_with_len(text.data, text.len)));
	distil_spans_of_tags((const char *const *) tag, row);
}

static void
read_row(Reader *r, HeapTuple tuple, TupleDesc desc)
{
	bool		null_text,
				null_label,
				null_pair = false,
				unlabelled;
	Datum		text = SPI_getbinval(tuple, desc, 1, &null_text);
	Datum		pair = r->pair ? SPI_getbinval(tuple, desc, 2, &null_pair) : (Datum) 0;
	Datum		label = SPI_getbinval(tuple, desc, desc->natts, &null_label);
	DistilExample *row = &r->rows[r->n];

	r->counts.rows++;
	null_text |= null_pair;
	unlabelled =
		r->kind == DISTIL_LABEL_QUESTION || (r->optional && (null_label || desc->natts == 1));
	null_label &= !unlabelled;
	if (null_text || null_label)
	{
		r->counts.null_texts += null_text;
		r->counts.null_labels += !null_text;
		return;
	}
	memset(row, 0, sizeof(*row));
	if (r->words)
	{
		read_words(text, label, row);
		r->n++;
		return;
	}
	row->texts[0] = read_text(r, 0, text);
	row->pair = r->pair;
	if (r->pair)
		row->texts[1] = read_text(r, 1, pair);
	row->unlabelled = unlabelled;
	if (unlabelled)
		 /* that was all */ ;
	else if (r->kind == DISTIL_LABEL_NUMBER || r->kind == DISTIL_LABEL_PAIR)
		row->number = r->labelled ? read_number(r, label) : NAN;
	else if (r->kind == DISTIL_LABEL_SPANS)
		distil_spans_read(OutputFunctionCall(&r->output, label), row);
	else if (r->kind == DISTIL_LABEL_MANY)
		read_labels(r, label, row);
	else if (r->kind == DISTIL_LABEL_ONE)
	{
		row->labels = palloc(sizeof(char *));
		row->labels[row->n_labels++] = read_label(r, label);
	}
	r->n++;
}

/*
 * The rows just fetched; scratch is emptied after them.  Returns the bytes that
 * they took.
 */
static Size
visit_block(Reader *r, MemoryContext scratch, DistilExampleVisitor visitor, void *ctx)
{
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Size		bytes;

	r->rows = palloc(sizeof(DistilExample) * SPI_processed);
	r->n = 0;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_row(r, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	}
	if (r->n > 0)
		visitor(ctx, r->kind, r->integers, r->rows, r->n);
	bytes = MemoryContextMemAllocated(scratch, true) +
			MemoryContextMemAllocated(SPI_tuptable->tuptabcxt, true);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scratch);
	return bytes;
}

/* Rows of the next block, when so many took these bytes: texts may be long. */
static uint64
next_rows(uint64 rows, Size bytes)
{
	Size		fit = Max(rows * BLOCK_BYTES / bytes, 1);

	return Min(Min(fit, 2 * rows), BLOCK_ROWS);
}

DistilExampleCounts
distil_examples_visit(const char *query, const char *argument, DistilLearn want,
					  DistilExampleVisitor visitor, void *ctx)
{
	Reader		r = {
		.want = want & ~DISTIL_LEARN_OPTIONAL,.optional = want & DISTIL_LEARN_OPTIONAL,
		.counts.optional = want & DISTIL_LEARN_OPTIONAL
	};
	MemoryContext scratch;
	Portal		cursor;
	uint64		rows = 1;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	scratch =
		AllocSetContextCreate(CurrentMemoryContext, "distilbert examples", ALLOCSET_DEFAULT_SIZES);
	cursor =
		SPI_cursor_open_with_args(NULL, query, 0, NULL, NULL, NULL, false, CURSOR_OPT_NO_SCROLL);
	begin_reader(&r, cursor->tupDesc, argument);
	r.counts.only_texts = !r.labelled && !r.optional;
	for (;;)
	{
		Size		bytes;

		SPI_cursor_fetch(cursor, true, (long) rows);
		if (SPI_processed == 0)
			break;
		bytes = visit_block(&r, scratch, visitor, ctx);
		rows = next_rows(SPI_processed, bytes);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(cursor);
	SPI_finish();
	return r.counts;
}

void
distil_examples_report(const DistilExampleCounts *counts)
{
	int64		sum = counts->null_texts + counts->null_labels + counts->null_answers;

	if (counts->null_texts > 0 && counts->only_texts)
		ereport(NOTICE,
				(errmsg("%lld of %lld rows are left out: they have no text",
						(long long) counts->null_texts, (long long) counts->rows)));
	else if (sum > 0)
		ereport(NOTICE,
			(errmsg("%lld of %lld rows are left out: %lld without a text, %lld without a label%s",
					(long long) sum,
					(long long) counts->rows,
					(long long) counts->null_texts,
					(long long) counts->null_labels,
					counts->null_answers == 0
						? ""
						: psprintf(", %lld without an answer", (long long) counts->null_answers))));
}
