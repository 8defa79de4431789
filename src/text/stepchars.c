/*
 * stepchars.c -- steps that look at one character at a time.
 */
#include "text/steps.h"

/* Lowercase: full mapping, without context. */
static inline DbertNext
lowercase_one(DbertLink *l)
{
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);
	uint32_t	lower[2];
	int			n;

	if (next != DBERT_NEXT_CHAR)
		return next;
	dbert_step_take(l, 1);
	n = dbert_char_lower(ch.cp, lower);
	for (int i = 0; i < n && next == DBERT_NEXT_CHAR; i++)
	{
		ch.cp = lower[i];
		next = dbert_step_put(l, ch);
	}
	return next;
}

DBERT_STEP(dbert_step_lowercase, lowercase_one)

/* Nmt: these controls are dropped, */
static bool
is_dropped_by_nmt(uint32_t cp)
{
	return (cp >= 0x1 && cp <= 0x8) || cp == 0xb || (cp >= 0xe && cp <= 0x1f) || cp == 0x7f ||
		cp == 0x8f || cp == 0x9f;
}

/* and these characters become spaces. */
static bool
is_space_to_nmt(uint32_t cp)
{
	return cp == '\t' || cp == '\n' || cp == '\f' || cp == '\r' || cp == 0x1680 ||
		(cp >= 0x200b && cp <= 0x200f) || cp == 0x2028 || cp == 0x2029 || cp == 0x2581 ||
		cp == 0xfeff || cp == 0xfffd;
}

static inline DbertNext
nmt_one(DbertLink *l)
{
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);

	if (next != DBERT_NEXT_CHAR)
		return next;
	dbert_step_take(l, 1);
	if (is_dropped_by_nmt(ch.cp))
		return DBERT_NEXT_CHAR;
	if (is_space_to_nmt(ch.cp))
		ch.cp = ' ';
	return dbert_step_put(l, ch);
}

DBERT_STEP(dbert_step_nmt, nmt_one)
