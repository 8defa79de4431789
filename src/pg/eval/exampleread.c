/*
 * exampleread.c -- see exampleread.h.
 *
 * Classes may be of any type whose values name things; their names are what a
 * cast to text gives.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/qunique.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "pg/eval/exampleread.h"
#include "pg/eval/spans.h"

/* ---- types ---- */

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

/* Types that are taken for text wherever a function wants it. */
static bool
is_text(Oid type)
{
	return category(type) == TYPCATEGORY_STRING || getBaseType(type) == CHAROID;
}

static bool
is_text_array(Oid type)
{
	Oid			element = get_element_type(getBaseType(type));

	return OidIsValid(element) && is_text(element);
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

	return is_text(type) || c == TYPCATEGORY_ENUM || c == TYPCATEGORY_BOOLEAN ||
		c == TYPCATEGORY_UNKNOWN || is_integer(type);
}

/* ---- columns ---- */

/* What a query that is learnt from gives, and how to write it. */
typedef struct Form
{
	const char *gives;
	const char *hint;
} Form;

static const Form labelled_form = {
	"texts and labels",
	"Write it as SELECT text, label FROM ..., or SELECT text, text, label FROM ... for pairs of "
	"texts."
};

static const Form optional_form = {
	"texts and labels",
	"Write it as SELECT text FROM ..., or SELECT text, label FROM ...; for pairs of texts as "
	"SELECT text, text, label FROM ..., where the label may be NULL."
};

static const Form forms[] = {
	[DISTIL_LEARN_TEXTS] = {
		"texts",
		"Write it as SELECT text FROM ..."
	},
	[DISTIL_LEARN_PAIRS] = {
		"pairs of texts",
		"Write it as SELECT text, text FROM ... for texts that belong together, or SELECT text, "
		"text, number FROM ... for a number that says how near they are."
	},
	[DISTIL_LEARN_QUESTIONS] = {
		"questions and texts",
		"Write it as SELECT question, text FROM ..., where the text is what the question is "
		"answered from."
	},
	[DISTIL_LEARN_TRANSLATIONS] = {
		"texts and their translations",
		"Write it as SELECT text, translation FROM ..., or SELECT text, translation, language "
		"FROM ... for a model of several languages."
	}
};

static const Form *
form_of(const DistilExampleReader *r)
{
	if (r->optional)
		return &optional_form;
	return forms[r->learn].gives != NULL ? &forms[r->learn] : &labelled_form;
}

/* hint: NULL for that of the form. */
static void
raise_columns(const DistilExampleReader *r, const char *argument, const char *detail,
			  const char *hint)
{
	const Form *form = form_of(r);

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("argument \"%s\" must be a query that gives %s", argument, form->gives),
			 errdetail_internal("%s", detail),
			 errhint("%s", hint != NULL ? hint : form->hint)));
}

/* A column of numbers is what is learnt. */
static bool
learns_numbers(const DistilExampleReader *r)
{
	return r->learn == DISTIL_LEARN_NUMBERS || r->learn == DISTIL_LEARN_PAIRS ||
		   (r->learn == DISTIL_LEARN_MANY_OR_NUMBERS && !OidIsValid(r->element));
}

static void
raise_type(const DistilExampleReader *r, Oid declared, const char *argument, const char *hint)
{
	raise_columns(r, argument, psprintf("Its last column is of type %s.", format_type_be(declared)),
				  hint);
}

/* What the last column is; declared may be a domain of its type. */
static DistilLabelKind
kind_of_label(const DistilExampleReader *r, Oid declared, const char *argument)
{
	if (r->learn == DISTIL_LEARN_SPANS)
	{
		if (r->label != JSONBOID && r->label != JSONOID && !r->words)
			raise_type(r, declared, argument,
					   "Entities are a jsonb array of objects, such as [{\"start\": 0, \"end\": "
					   "6, \"label\": \"LOC\"}], or tags of words: SELECT words, tags FROM ..., "
					   "both of type text[].");
		return DISTIL_LABEL_SPANS;
	}
	if (learns_numbers(r))
	{
		if (!is_number(r->label))
			raise_type(r, declared, argument,
					   "Numbers are needed here: give a column of type real, numeric or integer.");
		return r->learn == DISTIL_LEARN_PAIRS ? DISTIL_LABEL_PAIR : DISTIL_LABEL_NUMBER;
	}
	if (r->learn == DISTIL_LEARN_TRANSLATIONS)
	{
		if (!names_classes(r->label))
			raise_type(r, declared, argument, "It is the language: give a column of type text.");
		return DISTIL_LABEL_REFERENCE;
	}
	if (OidIsValid(r->element) && names_classes(r->element))
		return DISTIL_LABEL_MANY;
	if (!names_classes(r->label))
		raise_type(r, declared, argument,
				   "Labels are text, integers, booleans or an enum; text[] for texts with several "
				   "labels; task => 'regression' learns numbers, task => 'entities' jsonb.");
	return DISTIL_LABEL_ONE;
}

static void
begin_label(DistilExampleReader *r, Oid declared, const char *argument)
{
	Oid			output;
	bool		varlena;

	r->label = getBaseType(declared);
	r->element = get_element_type(r->label);
	r->integers = is_integer(r->label);
	r->kind = kind_of_label(r, declared, argument);
	if (r->kind == DISTIL_LABEL_MANY)
		get_typlenbyvalalign(r->element, &r->length, &r->by_value, &r->align);
	getTypeOutputInfo(r->kind == DISTIL_LABEL_MANY ? r->element : r->label, &output, &varlena);
	fmgr_info(output, &r->output);
}

/* Column i, counted from 0. */
static void
begin_text(DistilExampleReader *r, int i, Oid declared, const char *argument)
{
	Oid			type = getBaseType(declared);
	Oid			output;
	bool		varlena;

	if (!is_text(type) && type != UNKNOWNOID)
		raise_columns(r, argument,
					  psprintf("Its %s column is of type %s.", i == 0 ? "first" : "second",
							   format_type_be(declared)),
					  NULL);
	getTypeOutputInfo(type, &output, &varlena);
	r->text_types[i] = type;
	fmgr_info(output, &r->text_outputs[i]);
}

static DistilLabelKind
kind_without_column(const DistilExampleReader *r)
{
	switch (r->learn)
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
		case DISTIL_LEARN_TRANSLATIONS:
			return DISTIL_LABEL_REFERENCE;
		default:
			return DISTIL_LABEL_ONE;
	}
}

/* May the query give so many columns? */
static bool
columns_fit(const DistilExampleReader *r, int n)
{
	switch (r->learn)
	{
		case DISTIL_LEARN_TEXTS:
			return n == 1;
		case DISTIL_LEARN_QUESTIONS:
			return n == 2;
		case DISTIL_LEARN_TRANSLATIONS:
			return n == 2 || n == 3;
		default:
			return n == 2 || n == 3 || (n == 1 && r->optional);
	}
}

void
distil_reader_begin(DistilExampleReader *r, TupleDesc desc, DistilLearn learn,
					const char *argument)
{
	int			n = desc->natts;

	*r = (DistilExampleReader) {.desc = desc};
	r->learn = learn & ~DISTIL_LEARN_OPTIONAL;
	r->optional = learn & DISTIL_LEARN_OPTIONAL;
	if (!columns_fit(r, n))
		raise_columns(r, argument, psprintf("The number of its columns is %d.", n), NULL);
	r->pair = n == 3 || r->learn == DISTIL_LEARN_PAIRS || r->learn == DISTIL_LEARN_QUESTIONS ||
		r->learn == DISTIL_LEARN_TRANSLATIONS;
	r->labelled = n == r->pair + 2;
	r->words = r->learn == DISTIL_LEARN_SPANS && n == 2 &&
		is_text_array(SPI_gettypeid(desc, 1)) && is_text_array(SPI_gettypeid(desc, 2));
	for (int i = 0; i <= r->pair && !r->words; i++)
		begin_text(r, i, SPI_gettypeid(desc, i + 1), argument);
	if (!r->labelled)
		r->kind = kind_without_column(r);
	else
		begin_label(r, SPI_gettypeid(desc, n), argument);
	if (r->pair && r->kind == DISTIL_LABEL_SPANS)
		raise_columns(r, argument, "The number of its columns is 3.",
					  "Entities are those of one text.");
}

/* ---- values ---- */

static DistilText
read_text(DistilExampleReader *r, int i, Datum value)
{
	DistilOnError on_error = distil_session_rules().on_error;

	if (r->text_types[i] == TEXTOID || r->text_types[i] == VARCHAROID)
		return distil_text_get(value, on_error);
	return distil_text_get(CStringGetTextDatum(OutputFunctionCall(&r->text_outputs[i], value)),
						   on_error);
}

/*
 * As a cast to text has it, which for booleans and char(n) is not the type's
 * output.
 */
static const char *
read_label(DistilExampleReader *r, Datum value)
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
read_labels(DistilExampleReader *r, Datum value, DistilExample *row)
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
read_number(DistilExampleReader *r, Datum value)
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

/* The elements of an array of texts as strings. */
static char **
read_strings(Datum value, int *n)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Oid			type = ARR_ELEMTYPE(array);
	Datum	   *elements;
	bool	   *nulls;
	char	  **strings;
	int16		length;
	bool		by_value,
				varlena;
	char		align;
	Oid			function;
	FmgrInfo	output;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	getTypeOutputInfo(type, &function, &varlena);
	fmgr_info(function, &output);
	deconstruct_array(array, type, length, by_value, align, &elements, &nulls, n);
	strings = palloc(sizeof(char *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("words and their tags must not be NULL")));
		if (function == F_BPCHAROUT)	/* as a cast to text has it */
			elements[i] = DirectFunctionCall1(rtrim1, elements[i]);
		strings[i] = OutputFunctionCall(&output, elements[i]);
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
read_words(Datum words, DistilExample *row)
{
	char	  **word = read_strings(words, &row->n_words);
	int32		at = 0;
	StringInfoData text;

	initStringInfo(&text);
	row->words = palloc(sizeof(DistilWord) * Max(row->n_words, 1));
	for (int i = 0; i < row->n_words; i++)
	{
		int32		length = count_chars(word[i]);

		appendStringInfo(&text, "%s%s", i > 0 ? " " : "", word[i]);
		row->words[i] = (DistilWord) {at, at + length};
		at += length + 1;
	}
	row->texts[0] = distil_text_get(PointerGetDatum(cstring_to_text_with_len(text.data, text.len)),
									distil_session_rules().on_error);
}

/* One for each of the row's words. */
static void
read_tags(Datum tags, DistilExample *row)
{
	int			n;
	char	  **tag = read_strings(tags, &n);

	if (row->n_words != n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a text of %d words has %d tags", row->n_words, n)));
	for (int i = 0; i < n; i++)
		tag[i] = pg_server_to_any(tag[i], strlen(tag[i]), PG_UTF8);
	distil_spans_of_tags((const char *const *) tag, row);
}

/* What is true of the row, which is not unlabelled. */
static void
read_truth(DistilExampleReader *r, Datum label, DistilExample *row)
{
	switch (r->kind)
	{
		case DISTIL_LABEL_ONE:
		case DISTIL_LABEL_REFERENCE:
			row->labels = palloc(sizeof(char *));
			row->labels[row->n_labels++] = read_label(r, label);
			break;
		case DISTIL_LABEL_MANY:
			read_labels(r, label, row);
			break;
		case DISTIL_LABEL_NUMBER:
		case DISTIL_LABEL_PAIR:
			row->number = r->labelled ? read_number(r, label) : NAN;
			break;
		case DISTIL_LABEL_SPANS:
			if (r->words)
				read_tags(label, row);
			else
				distil_spans_read(OutputFunctionCall(&r->output, label), row);
			break;
		case DISTIL_LABEL_NONE:
		case DISTIL_LABEL_QUESTION:
			break;
	}
}

DistilLack
distil_reader_read(DistilExampleReader *r, HeapTuple tuple, DistilExample *row)
{
	int			n = r->desc->natts;
	bool		null_text,
				null_label,
				null_pair = false;
	Datum		text = SPI_getbinval(tuple, r->desc, 1, &null_text);
	Datum		pair = r->pair ? SPI_getbinval(tuple, r->desc, 2, &null_pair) : (Datum) 0;
	Datum		label = SPI_getbinval(tuple, r->desc, n, &null_label);
	bool		unlabelled = r->kind == DISTIL_LABEL_QUESTION ||
		(r->kind == DISTIL_LABEL_REFERENCE && (null_label || !r->labelled)) ||
		(r->optional && (null_label || n == 1));

	if (null_text || null_pair)
		return DISTIL_LACKS_TEXT;
	if (null_label && !unlabelled)
		return DISTIL_LACKS_LABEL;
	*row = (DistilExample) {.pair = r->pair,.unlabelled = unlabelled};
	if (r->words)
		read_words(text, row);
	else
		row->texts[0] = read_text(r, 0, text);
	if (r->pair)
		row->texts[1] = read_text(r, 1, pair);
	if (!unlabelled)
		read_truth(r, label, row);
	return DISTIL_LACKS_NOTHING;
}
