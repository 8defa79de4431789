/* sentences.c -- see sentences.h. */
#include "text/sentences.h"

#include "text/chartype.h"
#include "text/utf8.h"

#include <utf8proc.h>

static bool
is_one_of(uint32_t cp, const uint32_t *list)
{
	for (; *list != 0; list++)
		if (*list == cp)
			return true;
	return false;
}

static bool
ends_sentence(uint32_t cp)
{
	/* and: ellipsis, interrobang, Arabic question mark and full stop, danda */
	static const uint32_t stops[] = {'.', '!', '?', 0x2026, 0x203d, 0x61f, 0x6d4, 0x964, 0};

	return is_one_of(cp, stops);
}

static bool
is_ideographic_stop(uint32_t cp)
{
	static const uint32_t stops[] = {0x3002, 0xff01, 0xff0e, 0xff1f, 0xff61, 0};

	return is_one_of(cp, stops);
}

bool
dbert_closes_sentence(uint32_t cp)
{
	static const uint32_t closers[] = { '"',    '\'',   ')',    ']',    '}',
										0xbb,   0x2019, 0x201d, 0x203a, 0x3009,
										0x300b, 0x300d, 0x300f, 0xff09, 0 };

	return is_one_of(cp, closers);
}

bool
dbert_opens_sentence(uint32_t cp)
{
	utf8proc_category_t category = utf8proc_category((utf8proc_int32_t) cp);

	return category == UTF8PROC_CATEGORY_PS || category == UTF8PROC_CATEGORY_PI;
}

bool
dbert_continues_sentence(uint32_t cp)
{
	return utf8proc_category((utf8proc_int32_t) cp) == UTF8PROC_CATEGORY_LL;
}

void
dbert_sentence_end_read(DbertSentenceEnd *end, uint32_t cp, bool space)
{
	bool		closes = dbert_closes_sentence(cp);

	if (!closes)
		end->ideographic = is_ideographic_stop(cp);
	end->stopped = ends_sentence(cp) || end->ideographic ||
		(closes && end->stopped && !space);
}

/* ---- one after the other ---- */

/* What was read of a sentence. */
typedef struct Reading
{
	const uint8_t *end;			/* behind the last character that is no white space */
	DbertSentenceEnd last;
	bool		space;			/* white space since then */
} Reading;

/* Does a sentence end before the character cp? */
static bool
ends_before(const Reading *r, uint32_t cp)
{
	if (!r->last.stopped)
		return false;
	return r->space ? !dbert_continues_sentence(cp)
					: r->last.ideographic && !dbert_closes_sentence(cp);
}

bool
dbert_next_sentence(const char *text, size_t len, size_t at, DbertSentenceBytes *out)
{
	const uint8_t *start = (const uint8_t *) text,
			   *p = start + at,
			   *end = start + len;
	Reading		r = {.end = NULL};
	uint32_t	cp;
	int			n;

	for (; p < end; p += n)
	{
		n = dbert_utf8_decode(p, end, &cp);
		if (n == 0)
			n = 1, cp = 0xfffd; /* the tokenizer will refuse it */
		if (dbert_char_is_space(cp))
		{
			r.space = r.end != NULL;
			if (r.end != NULL && (cp == '\n' || cp == '\r' || cp == 0x2028 || cp == 0x2029))
				break;
			continue;
		}
		if (r.end == NULL)
			out->start = (size_t) (p - start);
		else if (ends_before(&r, cp))
			break;
		dbert_sentence_end_read(&r.last, cp, r.space);
		r.space = false;
		r.end = p + n;
	}
	if (r.end == NULL)
		return false;
	out->end = (size_t) (r.end - start);
	return true;
}
