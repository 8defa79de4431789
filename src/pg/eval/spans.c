/*
 * spans.c -- see spans.h.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "pg/eval/spans.h"

/* ---- from JSON ---- */

static void
raise_spans(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("entities of a text are not as they should be"),
			 errdetail_internal("%s", detail),
			 errhint("Give an array of objects with label, start and end (characters from 0, the "
					 "end exclusive) or start_pos and end_pos (from 1, the end included).")));
}

static bool
get_number(JsonbContainer *object, const char *key, int32 *out)
{
	JsonbValue	v;

	if (getKeyJsonValueFromContainer(object, key, strlen(key), &v) == NULL)
		return false;
	if (v.type != jbvNumeric)
		raise_spans(psprintf("\"%s\" is not a number.", key));
	*out = DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(v.val.numeric)));
	return true;
}

/*
 * A place as the core counts it, in characters, from one that distil_entities
 * gave: in a SQL_ASCII database that counts bytes, as the server does.
 */
static int32
place_of(const DistilText *text, int32 place)
{
	if (GetDatabaseEncoding() != PG_SQL_ASCII || place < 0)
		return place;
	return (size_t) place > text->len ? PG_INT32_MAX : dbert_utf8_count(text->data, place);
}

static DistilSpan
read_span(const DistilText *text, JsonbValue *element)
{
	DistilSpan	span = {0};
	JsonbContainer *object;
	JsonbValue	v;
	char	   *label;

	if (element->type != jbvBinary || !JsonContainerIsObject(element->val.binary.data))
		raise_spans("An element of the array is not an object.");
	object = element->val.binary.data;
	if (get_number(object, "start_pos", &span.start) && get_number(object, "end_pos", &span.end))
	{
		span.start = place_of(text, span.start < 1 ? -1 : span.start - 1);
		span.end = place_of(text, span.end);
	}
	else if (!get_number(object, "start", &span.start) || !get_number(object, "end", &span.end))
		raise_spans("An entity has no place.");
	if (getKeyJsonValueFromContainer(object, "label", strlen("label"), &v) == NULL ||
		v.type != jbvString || v.val.string.len == 0)
		raise_spans("An entity has no label.");
	label = pnstrdup(v.val.string.val, v.val.string.len);
	if (strcmp(label, "O") == 0)
		raise_spans("An entity has the label \"O\", which stands for none.");
	span.label = pg_server_to_any(label, strlen(label), PG_UTF8);
	return span;
}

void
distil_spans_read(const char *json, DistilExample *row)
{
	Jsonb	   *array = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
	int32		length = dbert_utf8_count(row->texts[0].data, row->texts[0].len);

	if (!JB_ROOT_IS_ARRAY(array) || JB_ROOT_IS_SCALAR(array))
		raise_spans("They are not a JSON array.");
	row->n_spans = JB_ROOT_COUNT(array);
	row->spans = palloc(sizeof(DistilSpan) * Max(row->n_spans, 1));
	for (int i = 0; i < row->n_spans; i++)
	{
		DistilSpan	span;

		CHECK_FOR_INTERRUPTS();
		span = read_span(&row->texts[0], getIthJsonbValueFromContainer(&array->root, i));

		if (span.start < 0 || span.end <= span.start || span.end > length)
			raise_spans(psprintf("An entity from %d to %d is not within a text of %d characters.",
								 span.start, span.end, length));
		row->spans[i] = span;
	}
}

/* ---- tags ---- */

/* The first span that a token begins in, or -1. */
static int
span_of_token(const DbertToken *token, const DistilSpan *spans, int n_spans)
{
	for (int i = 0; i < n_spans; i++)
	{
		if (token->start < spans[i].end && token->end > spans[i].start)
			return i;
	}
	return -1;
}

void
distil_spans_tag(const DbertToken *tokens, size_t n, const DistilSpan *spans, const int32 *types,
				 int n_spans, int32 *tags)
{
	int			before = -1;	/* span of the last word */
	int32		word = -1;

	for (size_t i = 0; i < n; i++)
	{
		int			span;

		CHECK_FOR_INTERRUPTS();
		tags[i] = DISTIL_TAG_NONE;
		if (tokens[i].special || tokens[i].word == word)
			continue;
		word = tokens[i].word;
		span = span_of_token(&tokens[i], spans, n_spans);
		if (span < 0)
			tags[i] = DISTIL_TAG_O;
		else
			tags[i] = span == before ? DISTIL_TAG_I(types[span]) : DISTIL_TAG_B(types[span]);
		before = span;
	}
}

/*
 * The letter before a tag's dash, if it is one of the schemes'; 'I' of a plain
 * type.
 */
static char
tag_part(const char *tag)
{
	return tag[0] != '\0' && strchr("BIESLU", tag[0]) != NULL && tag[1] == '-' ? tag[0] : 'I';
}

/* NULL: it is O */
static const char *
tag_type(const char *tag)
{
	if (strcmp(tag, "O") == 0)
		return NULL;
	return tag[0] == tag_part(tag) && tag[1] == '-' ? tag + 2 : tag;
}

int
distil_find_tag_runs(const char *const *tags, int n, DistilTagRun *runs)
{
	int			count = 0;
	bool		open = false;	/* may the last one go on? */

	for (int i = 0; i < n; i++)
	{
		const char *type = tag_type(tags[i]);
		char		part = tag_part(tags[i]);

		if (type != NULL && open && strchr("BSU", part) == NULL &&
			strcmp(runs[count - 1].type, type) == 0)
			runs[count - 1].last = i;
		else if (type != NULL)
			runs[count++] = (DistilTagRun) {i, i, type};
		open = type != NULL && strchr("ESLU", part) == NULL;
	}
	return count;
}

void
distil_spans_of_tags(const char *const *tags, DistilExample *row)
{
	DistilTagRun *runs = palloc(sizeof(DistilTagRun) * Max(row->n_words, 1));

	row->n_spans = distil_find_tag_runs(tags, row->n_words, runs);
	row->spans = palloc(sizeof(DistilSpan) * Max(row->n_spans, 1));
	for (int i = 0; i < row->n_spans; i++)
		row->spans[i] = (DistilSpan) {
			row->words[runs[i].first].start, row->words[runs[i].last].end, runs[i].type
		};
	pfree(runs);
}

/* ---- comparing ---- */

/* The entities in the tags of the tokens that count, in order. */
static int
runs_of(const char *const *labels, const int32 *truth, const int32 *tags, int n, DistilTagRun *runs)
{
	const char **names = palloc(sizeof(char *) * Max(n, 1));
	int			count = 0;

	for (int i = 0; i < n; i++)
	{
		if (truth[i] != DISTIL_TAG_NONE)
			names[count++] = labels[tags[i]];
	}
	count = distil_find_tag_runs(names, count, runs);
	pfree(names);
	return count;
}

void
distil_count_entities(const char *const *labels, const int32 *truth, const int32 *said, int n,
					  DistilClassCount *count)
{
	DistilTagRun *a = palloc(sizeof(DistilTagRun) * Max(n, 1)),
			   *b = palloc(sizeof(DistilTagRun) * Max(n, 1));
	int			na = runs_of(labels, truth, truth, n, a),
				nb = runs_of(labels, truth, said, n, b);

	count->support += na;
	count->said += nb;
	for (int i = 0, j = 0; i < na && j < nb;)
	{
		if (a[i].first == b[j].first)
			count->hits += a[i].last == b[j].last && strcmp(a[i].type, b[j].type) == 0;
		if (a[i].first <= b[j].first)
			i++;
		else
			j++;
	}
	pfree(a);
	pfree(b);
}
