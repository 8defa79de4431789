/*
 * stepspaces.c -- steps about spaces and other short texts: Replace, Strip,
 * Prepend, and the pre-tokenizer Metaspace.
 *
 * What a text is replaced with has the place of the last character replaced.
 * What is put before a text has the place of its first character.
 */
#include "text/steps.h"

#include "text/utf8.h"

#include <string.h>

#define METASPACE 0x2581		/* U+2581, which stands for a space */

/* Put the characters of a text, all at one place. */
static DbertNext
put_text(DbertLink *l, const uint8_t *text, size_t len, DbertChar place)
{
	const uint8_t *end = text + len;
	uint32_t	cp;

	for (int n; text < end; text += n)
	{
		n = dbert_utf8_decode(text, end, &cp);
		if (n == 0)
			return dbert_norm_fail(l->chain->norm, DBERT_E_CORRUPT, "a step's text is not UTF-8");
		place.cp = cp;
		if (dbert_step_put(l, place) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
	}
	return DBERT_NEXT_CHAR;
}

/* A text of more for each character of the step's text. */
static bool
each_valid(const DbertImageStep *step, const void *data)
{
	const uint8_t *text = dbert_step_text(step, data),
			   *more = dbert_step_more(step, data);
	uint32_t	ends = 0;

	for (uint32_t i = 0; i < step->more_len; i++)
		ends += more[i] == '\0';
	for (uint32_t i = 0; i < step->len; i++)
		if (text[i] == '\0' || text[i] >= 0x80)
			return false;
	return ends == step->len && (ends == 0 || more[step->more_len - 1] == '\0');
}

bool
dbert_step_text_valid(const DbertImageStep *step, const void *data)
{
	if (step->kind == DBERT_STEP_REPLACE && step->mode == DBERT_REPLACE_EACH)
		return each_valid(step, data);
	if (step->kind == DBERT_STEP_REPLACE && step->mode == DBERT_REPLACE_TEXT && step->len == 0)
		return false;
	return step->len <= DBERT_STEP_TEXT_MAX && step->more_len <= DBERT_STEP_TEXT_MAX;
}

/* ---- Replace ---- */

/* Does the step's text come next?  *n: its characters, *last: the last one. */
static DbertNext
match_text(DbertLink *l, size_t *n, DbertChar *last)
{
	const uint8_t *p = dbert_step_text(l->step, l->chain->data),
			   *end = p + l->step->len;
	size_t		i = 0;

	*n = 0;
	/* nearly always the first character tells */
	if (*p < 0x80 && last->cp != *p)
		return DBERT_NEXT_CHAR;
	if (*p < 0x80 && l->step->len == 1)
	{
		*n = 1;
		return DBERT_NEXT_CHAR;
	}
	for (; p < end; i++)
	{
		DbertNext	next = dbert_step_peek(l, i, last);
		uint32_t	cp;
		int			len = dbert_utf8_decode(p, end, &cp);

		if (next == DBERT_NEXT_FAILED)
			return next;
		if (next == DBERT_NEXT_END || len == 0 || last->cp != cp)
			return DBERT_NEXT_CHAR;
		p += len;
	}
	*n = i;
	return DBERT_NEXT_CHAR;
}

static DbertNext
replace_text(DbertLink *l, DbertChar first)
{
	DbertChar	last = first;
	size_t		n;

	if (match_text(l, &n, &last) == DBERT_NEXT_FAILED)
		return DBERT_NEXT_FAILED;
	if (n == 0)
	{
		dbert_step_take(l, 1);
		return dbert_step_put(l, first);
	}
	dbert_step_take(l, n);
	return put_text(l, dbert_step_more(l->step, l->chain->data), l->step->more_len, last);
}

/* Each character of the step's text by a text of its own. */
static DbertNext
replace_each(DbertLink *l, DbertChar ch)
{
	const uint8_t *text = dbert_step_text(l->step, l->chain->data),
			   *more = dbert_step_more(l->step, l->chain->data),
			   *found = NULL;

	/* letters are the rule */
	if (ch.cp < 0x80 && !(ch.cp >= 'a' && ch.cp <= 'z'))
		found = memchr(text, (int) ch.cp, l->step->len);
	dbert_step_take(l, 1);
	if (found == NULL)
		return dbert_step_put(l, ch);
	for (; text < found; text++)
		more += strlen((const char *) more) + 1;
	return put_text(l, more, strlen((const char *) more), ch);
}

static inline bool
is_of_run(const DbertLink *l, DbertChar ch)
{
	return l->step->mode == DBERT_REPLACE_SPACES ? ch.cp == ' ' : dbert_char_is_space(ch.cp);
}

/*
 * A run of two spaces or more, or of one (DBERT_REPLACE_WHITE_RUN).  It is
 * taken one by one: the last one's place is kept in state[1], state[2].
 */
static DbertNext
replace_run(DbertLink *l, DbertNext next, DbertChar first)
{
	enum { IN_RUN, START, END };
	DbertChar	second = {0};

	if (next == DBERT_NEXT_CHAR && is_of_run(l, first))
	{
		if (!l->state[IN_RUN])
		{
			next = dbert_step_peek(l, 1, &second);
			if (next == DBERT_NEXT_FAILED)
				return next;
			l->state[IN_RUN] = l->step->mode == DBERT_REPLACE_WHITE_RUN ||
				(next == DBERT_NEXT_CHAR && is_of_run(l, second));
			/* \n, \r and \t are replaced even when alone */
			if (l->step->mode == DBERT_REPLACE_WHITE &&
				(first.cp == '\n' || first.cp == '\r' || first.cp == '\t'))
				l->state[IN_RUN] = true;
		}
		dbert_step_take(l, 1);
		l->state[START] = first.start;
		l->state[END] = first.end;
		return l->state[IN_RUN] ? DBERT_NEXT_CHAR : dbert_step_put(l, first);
	}
	if (l->state[IN_RUN])
	{
		l->state[IN_RUN] = false;
		first.start = (int32_t) l->state[START];
		first.end = (int32_t) l->state[END];
		first.begins = false;
		return put_text(l, dbert_step_more(l->step, l->chain->data), l->step->more_len, first);
	}
	if (next != DBERT_NEXT_CHAR)
		return next;
	dbert_step_take(l, 1);
	return dbert_step_put(l, first);
}

static inline DbertNext
replace_one(DbertLink *l)
{
	DbertChar	first = {0};
	DbertNext	next = dbert_step_peek(l, 0, &first);

	if (next == DBERT_NEXT_FAILED)
		return next;
	if (l->step->mode != DBERT_REPLACE_TEXT && l->step->mode != DBERT_REPLACE_EACH)
		return replace_run(l, next, first);
	if (next != DBERT_NEXT_CHAR)
		return next;
	return l->step->mode == DBERT_REPLACE_TEXT ? replace_text(l, first) : replace_each(l, first);
}

DBERT_STEP(dbert_step_replace, replace_one)

/* ---- Strip ---- */

/*
 * White space at the ends is removed.  state: behind the beginning; characters
 * of white space that come next and are known not to be at the end.
 */
static inline DbertNext
strip_one(DbertLink *l)
{
	enum { STARTED, INSIDE };
	DbertChar	ch,
				later;
	DbertNext	next = dbert_step_peek(l, 0, &ch);
	size_t		n = 1;

	if (next != DBERT_NEXT_CHAR)
		return next;
	if (!dbert_char_is_space(ch.cp))
		l->state[STARTED] = true;
	else if ((l->step->mode & DBERT_STRIP_LEFT) && !l->state[STARTED])
	{
		dbert_step_take(l, 1);
		return DBERT_NEXT_CHAR;
	}
	else if (l->state[INSIDE] > 0)
		l->state[INSIDE]--;
	else if (l->step->mode & DBERT_STRIP_RIGHT)
	{
		while ((next = dbert_step_peek(l, n, &later)) == DBERT_NEXT_CHAR &&
			   dbert_char_is_space(later.cp))
			n++;
		if (next == DBERT_NEXT_FAILED)
			return next;
		if (next == DBERT_NEXT_END)
		{
			dbert_step_take(l, n);
			return DBERT_NEXT_CHAR;
		}
		l->state[INSIDE] = (int64_t) n - 1;
	}
	dbert_step_take(l, 1);
	return dbert_step_put(l, ch);
}

DBERT_STEP(dbert_step_strip, strip_one)

/* ---- Prepend ---- */

DbertNext
dbert_step_prepend(DbertLink *l)
{
	enum { STARTED };
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);

	if (next != DBERT_NEXT_CHAR)
		return next;
	if (!l->state[STARTED] &&
		put_text(l, dbert_step_text(l->step, l->chain->data), l->step->len, ch) ==
			DBERT_NEXT_FAILED)
		return DBERT_NEXT_FAILED;
	l->state[STARTED] = true;
	return dbert_step_pass(l);
}

/* ---- Metaspace ---- */

/*
 * U+2581 for every space, and before every piece that does not begin with one
 * (or the text's first, or none); with a split, a word begins at each.
 */
static inline DbertNext
metaspace_one(DbertLink *l)
{
	enum { STARTED };
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);
	int			scheme = l->step->mode & DBERT_METASPACE_SCHEME;
	bool		first;

	if (next != DBERT_NEXT_CHAR)
		return next;
	/*
	 * a piece that was not split begins where the text does, whatever was
	 * removed there
	 */
	first = ch.start == 0 || (l[-1].step == NULL && !l->state[STARTED] && !l->chain->later);
	l->state[STARTED] = true;
	if (ch.cp == ' ')
		ch.cp = METASPACE;
	if (ch.cp == METASPACE && (l->step->mode & DBERT_METASPACE_SPLIT))
		ch.begins = true;
	if (ch.begins && ch.cp != METASPACE &&
		(scheme == DBERT_METASPACE_ALWAYS || (scheme == DBERT_METASPACE_FIRST && first)))
	{
		DbertChar	space = ch;

		space.cp = METASPACE;
		ch.begins = false;
		if (dbert_step_put(l, space) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
	}
	dbert_step_take(l, 1);
	return dbert_step_put(l, ch);
}

DBERT_STEP(dbert_step_metaspace, metaspace_one)
