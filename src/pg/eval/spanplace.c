/*
 * spanplace.c -- see spanplace.h.
 *
 * Tags belong to whole words (spans.c).  An entity that begins or ends within a
 * word is learnt as the whole word, one that has no word is not learnt at all,
 * and one with blanks around it is another than distil_entities finds.  Each is
 * nearly always a mistake in the places, often of one.
 *
 * Characters that are in no token (accents by themselves, control characters)
 * may stand between a border of an entity and that of its word.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "pg/eval/spanplace.h"

/* Of a text an example shows so many characters. */
#define SHOWN 60

/* The word, or words, that a span lies in; characters. */
typedef struct Words
{
	int32		start;			/* -1: there is none */
	int32		end;
} Words;

static Words
words_of_span(const DbertToken *tokens, size_t n, const DistilSpan *span)
{
	Words		w = {-1, -1};
	int32		number = -1;	/* of the last word that the span touches */

	for (size_t i = 0, first = 0; i < n; i++)
	{
		const DbertToken *t = &tokens[i];

		if (t->special)
			continue;
		if (tokens[first].word != t->word)
			first = i;
		if (t->start < span->end && t->end > span->start)
		{
			number = t->word;
			if (w.start < 0)
				w.start = tokens[first].start;
		}
		if (w.start >= 0 && t->word == number)
			w.end = t->end;
	}
	return w;
}

/* Where a character of text stands; its end, if there are not so many. */
static const char *
char_at(const DistilText *text, int32 place)
{
	const char *s = text->data;
	const char *end = s + text->len;

	while (place-- > 0 && s < end)
		s += Min(pg_utf_mblen((const unsigned char *) s), end - s);
	return s;
}

/* Is there a blank among the characters from one place to another? */
static bool
has_blank(const DistilText *text, int32 from, int32 to)
{
	const char *s = char_at(text, from);
	const char *end = char_at(text, to);

	for (; s < end; s++)
	{
		if (strchr(" \t\n\r\v\f", *s) != NULL || (end - s >= 2 && memcmp(s, "\xc2\xa0", 2) == 0) ||
			(end - s >= 3 && memcmp(s, "\xe3\x80\x80", 3) == 0))
			return true;
	}
	return false;
}

static bool
is_astray(const DistilText *text, const DistilSpan *span, Words words)
{
	return words.start < 0 || span->start > words.start || span->end < words.end ||
		has_blank(text, span->start, words.start) || has_blank(text, words.end, span->end);
}

/* Characters of a text as the server has them, in quotes, not too many. */
static char *
quote(const DistilText *text, int32 from, int32 to)
{
	const char *s = char_at(text, from);
	int			len = (int) (char_at(text, Min(to, from + SHOWN)) - s);
	char	   *utf8 = pnstrdup(s, len);

	return psprintf("\"%s%s\"", pg_any_to_server(utf8, len, PG_UTF8),
					to > from + SHOWN ? "..." : "");
}

static char *
describe(const DistilText *text, const DistilSpan *span, Words words)
{
	int32		length = dbert_utf8_count(text->data, text->len);
	char *sentence = psprintf("For example, the entity %s, characters %d to %d (from 0, the end "
							  "exclusive) of %s, ",
							  quote(text, span->start, span->end), span->start, span->end,
							  quote(text, 0, length));

	if (words.start < 0)
		return psprintf("%sis not in any word.", sentence);
	return psprintf("%sbelongs to the words %s, characters %d to %d.", sentence,
					quote(text, words.start, words.end), words.start, words.end);
}

void
distil_span_places_look(DistilSpanPlaces *places, const DbertToken *tokens, size_t n, bool cut,
						const DistilExample *row)
{
	int32		end = 0;

	if (row->words != NULL)
		return;
	for (size_t i = 0; i < n; i++)
		end = tokens[i].special ? end : tokens[i].end;
	for (int i = 0; i < row->n_spans; i++)
	{
		const DistilSpan *span = &row->spans[i];
		Words		words;
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		if (cut && span->end > end)
			continue;
		places->spans++;
		words = words_of_span(tokens, n, span);
		if (!is_astray(&row->texts[0], span, words) || places->astray++ > 0)
			continue;
		old = MemoryContextSwitchTo(places->context);
		places->example = describe(&row->texts[0], span, words);
		MemoryContextSwitchTo(old);
	}
}

void
distil_span_places_report(const DistilSpanPlaces *places)
{
	if (places->astray == 0)
		return;
	ereport(
		NOTICE,
		(errmsg("%lld of %lld entities do not begin and end where words do",
				(long long) places->astray,
				(long long) places->spans),
		 errdetail_internal("%s", places->example),
		 errhint("A word is learnt as a whole, or not at all. Are places one off? With start and "
				 "end they are counted from 0, the end exclusive; with start_pos and end_pos from "
				 "1, the end included.")));
}
