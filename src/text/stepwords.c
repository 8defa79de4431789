/*
 * stepwords.c -- pre-tokenizers that go by what a character is.
 *
 * Characters that are dropped leave their mark to the next one.
 */
#include "text/steps.h"

/* BertPreTokenizer: white space is dropped, punctuation stands by itself. */
DbertNext
dbert_step_bert_words(DbertLink *l)
{
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);

	if (next != DBERT_NEXT_CHAR)
		return next;
	dbert_step_take(l, 1);
	if (dbert_char_is_space(ch.cp))
	{
		l->mark = true;
		return DBERT_NEXT_CHAR;
	}
	ch.begins |= dbert_char_is_punct(ch.cp);
	next = dbert_step_put(l, ch);
	l->mark = dbert_char_is_punct(ch.cp);
	return next;
}

/* WhitespaceSplit: white space is dropped. */
DbertNext
dbert_step_whitespace(DbertLink *l)
{
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);

	if (next != DBERT_NEXT_CHAR)
		return next;
	dbert_step_take(l, 1);
	if (!dbert_char_is_space(ch.cp))
		return dbert_step_put(l, ch);
	l->mark = true;
	return DBERT_NEXT_CHAR;
}

/* Punctuation, as its behavior says. */
DbertNext
dbert_step_punctuation(DbertLink *l)
{
	enum { WAS_PUNCTUATION };
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);
	bool		is,
				was;

	if (next != DBERT_NEXT_CHAR)
		return next;
	dbert_step_take(l, 1);
	is = dbert_char_is_punct(ch.cp);
	was = l->state[WAS_PUNCTUATION] && !ch.begins;
	l->state[WAS_PUNCTUATION] = is;
	switch (l->step->mode)
	{
		case DBERT_SPLIT_REMOVED:
			if (!is)
				break;
			l->mark = true;
			return DBERT_NEXT_CHAR;
		case DBERT_SPLIT_CONTIGUOUS:
			ch.begins |= is != was;
			break;
		case DBERT_SPLIT_WITH_PREVIOUS:
			ch.begins |= was;
			break;
		case DBERT_SPLIT_WITH_NEXT:
			ch.begins |= is;
			break;
		default:
			ch.begins |= is || was;
			break;
	}
	return dbert_step_put(l, ch);
}
