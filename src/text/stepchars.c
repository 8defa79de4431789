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
