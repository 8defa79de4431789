/*
 * stepregex.c -- the regular expressions that byte-level BPE cuts words by.
 *
 * They are one family.  GPT-2's, whose alternatives are tried in this order:
 *
 *     's 't 're 've 'm 'll 'd
 *     one space or none, then letters
 *     one space or none, then numbers
 *     one space or none, then what is neither, nor white space
 *     white space that no other character follows, so without its last one
 *     white space
 *
 * and those of later models, which differ in what the step's mode says.  They
 * are matched by a machine that knows which alternative it is in and looks two
 * characters ahead; only white space is looked through to its end.
 *
 * Source: Radford et al. 2019 (GPT-2), encoder.py; OpenAI's tiktoken.
 */
#include "text/steps.h"

/* Where the machine is; 0: a match begins. */
typedef enum MatchState
{
	MATCH_NONE,
	MATCH_LETTERS,
	MATCH_NUMBERS,
	MATCH_OTHERS,
	MATCH_LINES					/* ends of lines behind others */
} MatchState;

#define STATE(l) ((l)->state[0])
#define NUMBERS(l) ((l)->state[1])	/* of the match */

bool
dbert_step_regex_valid(const DbertImageStep *step, const void *data)
{
	(void) data;
	return step->mode >= 0 && step->mode < 2 * DBERT_REGEX_NUMBERS * DBERT_REGEX_NUMBERS;
}

static bool
ends_line(uint32_t cp)
{
	return cp == '\r' || cp == '\n';
}

/* The character i ahead if it is of the same piece; CHAR, END or FAILED. */
static DbertNext
peek_inside(DbertLink *l, size_t i, DbertChar *ch)
{
	DbertNext	next = dbert_step_peek(l, i, ch);

	return next == DBERT_NEXT_CHAR && i > 0 && ch->begins ? DBERT_NEXT_END : next;
}

/* Put n characters that were peeked; the first one begins a match. */
static DbertNext
put_match(DbertLink *l, size_t n)
{
	DbertNext	next = DBERT_NEXT_CHAR;
	DbertChar	ch;

	for (size_t i = 0; i < n && next == DBERT_NEXT_CHAR; i++)
	{
		next = dbert_step_peek(l, i, &ch);
		ch.begins |= i == 0;
		if (next == DBERT_NEXT_CHAR)
			next = dbert_step_put(l, ch);
	}
	dbert_step_take(l, n);
	return next;
}

/* Lower case of what contractions are written in; 0: another character. */
static uint32_t
contraction_letter(uint32_t cp, int mode)
{
	if (mode & DBERT_REGEX_CASELESS)
	{
		if (cp >= 'A' && cp <= 'Z')
			cp |= 0x20;
		else if (cp == 0x17f)	/* the long s */
			cp = 's';
	}
	return cp < 0x80 ? cp : 0;
}

/* *n: characters of the contraction behind an apostrophe, 0: none. */
static DbertNext
match_contraction(DbertLink *l, size_t *n)
{
	DbertChar	ch;
	DbertNext	next = peek_inside(l, 1, &ch);
	uint32_t	a,
				b;

	*n = 0;
	if (next != DBERT_NEXT_CHAR)
		return next;
	a = contraction_letter(ch.cp, l->step->mode);
	if (a == 's' || a == 't' || a == 'm' || a == 'd')
	{
		*n = 2;
		return next;
	}
	if (a != 'r' && a != 'v' && a != 'l')
		return next;
	next = peek_inside(l, 2, &ch);
	if (next != DBERT_NEXT_CHAR)
		return next;
	b = contraction_letter(ch.cp, l->step->mode);
	if (b == (a == 'l' ? 'l' : 'e'))
		*n = 3;
	return next;
}

/*
 * Characters of the white space that begins here, of which one match takes
 * *n; *last: it is a single character, which what follows may take along.
 */
static DbertNext
match_spaces(DbertLink *l, size_t *n, bool *last)
{
	size_t		length = 0,
				lines = 0;
	DbertChar	ch;
	DbertNext	next;

	while ((next = peek_inside(l, length, &ch)) == DBERT_NEXT_CHAR &&
		   dbert_char_class(ch.cp) == DBERT_CLASS_SPACE)
	{
		length++;
		if ((l->step->mode & DBERT_REGEX_LINES) && ends_line(ch.cp))
			lines = length;
	}
	*last = lines == 0 && length == 1 && next == DBERT_NEXT_CHAR;
	if (lines > 0)
		*n = lines;
	else
		*n = next == DBERT_NEXT_CHAR && length > 1 ? length - 1 : length;
	return next == DBERT_NEXT_FAILED ? next : DBERT_NEXT_CHAR;
}

/* May the character be taken along by what follows?  state: what that is. */
static bool
goes_along(int mode, uint32_t cp, DbertCharClass following, MatchState *state)
{
	*state = MATCH_NONE;
	if (following == DBERT_CLASS_LETTER &&
		(mode & DBERT_REGEX_ANY_BEFORE ? !ends_line(cp) : cp == ' '))
		*state = MATCH_LETTERS;
	else if (following == DBERT_CLASS_NUMBER && cp == ' ' && (mode & DBERT_REGEX_SPACE_NUMBER))
		*state = MATCH_NUMBERS;
	else if (following == DBERT_CLASS_OTHER && cp == ' ')
		*state = MATCH_OTHERS;
	return *state != MATCH_NONE;
}

/* Begin a match with a character that is no letter or number. */
static DbertNext
begin_with_other(DbertLink *l, DbertChar ch, DbertCharClass class)
{
	uint32_t	first = ch.cp;
	size_t		n = 0;
	bool		last = true;
	MatchState	state;
	DbertNext	next;

	if (ch.cp == '\'' && match_contraction(l, &n) == DBERT_NEXT_FAILED)
		return DBERT_NEXT_FAILED;
	if (class == DBERT_CLASS_SPACE && match_spaces(l, &n, &last) == DBERT_NEXT_FAILED)
		return DBERT_NEXT_FAILED;
	if (n > 0 && !(class == DBERT_CLASS_SPACE && last))
		return put_match(l, n);
	next = peek_inside(l, 1, &ch);
	if (next == DBERT_NEXT_FAILED)
		return next;
	if (next == DBERT_NEXT_CHAR &&
		goes_along(l->step->mode, first, dbert_char_class(ch.cp), &state))
	{
		STATE(l) = state;
		NUMBERS(l) = 1;
		return put_match(l, 2);
	}
	STATE(l) = class == DBERT_CLASS_SPACE ? MATCH_NONE : MATCH_OTHERS;
	return put_match(l, 1);
}

/* Does the match go on with this character? */
static bool
goes_on(DbertLink *l, uint32_t cp, DbertCharClass class)
{
	int			most = l->step->mode / DBERT_REGEX_NUMBERS;

	switch ((MatchState) STATE(l))
	{
		case MATCH_LETTERS:
			return class == DBERT_CLASS_LETTER;
		case MATCH_NUMBERS:
			return class == DBERT_CLASS_NUMBER && (most == 0 || NUMBERS(l)++ < most);
		case MATCH_OTHERS:
			if (class == DBERT_CLASS_OTHER)
				return true;
			/* fall through */
		case MATCH_LINES:
			STATE(l) = MATCH_LINES;
			return (l->step->mode & DBERT_REGEX_LINES) && ends_line(cp);
		default:
			return false;
	}
}

static inline DbertNext
regex_one(DbertLink *l)
{
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);
	DbertCharClass class;

	if (next != DBERT_NEXT_CHAR)
		return next;
	class = dbert_char_class(ch.cp);
	if (ch.begins)
		STATE(l) = MATCH_NONE;
	if (goes_on(l, ch.cp, class))
	{
		dbert_step_take(l, 1);
		return dbert_step_put(l, ch);
	}
	STATE(l) = MATCH_NONE;
	if (class == DBERT_CLASS_LETTER || class == DBERT_CLASS_NUMBER)
	{
		STATE(l) = class == DBERT_CLASS_LETTER ? MATCH_LETTERS : MATCH_NUMBERS;
		NUMBERS(l) = 1;
		return put_match(l, 1);
	}
	return begin_with_other(l, ch, class);
}

DBERT_STEP(dbert_step_regex, regex_one)

/* ByteLevel's add_prefix_space: before pieces that do not begin with one. */
static inline DbertNext
space_before_one(DbertLink *l)
{
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);

	if (next != DBERT_NEXT_CHAR)
		return next;
	dbert_step_take(l, 1);
	if (ch.begins && ch.cp != ' ')
	{
		DbertChar	space = ch;

		space.cp = ' ';
		ch.begins = false;
		if (dbert_step_put(l, space) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
	}
	return dbert_step_put(l, ch);
}

DBERT_STEP(dbert_step_space_before, space_before_one)
