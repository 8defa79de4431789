/*
 * stepwords.c -- pre-tokenizers that go by what a character is.
 *
 * Characters that are dropped leave their mark to the next one.
 */
#include "text/steps.h"

/* BertPreTokenizer: white space is dropped, punctuation stands by itself. */
static inline DbertNext
bert_words_one(DbertLink *l)
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

DBERT_STEP(dbert_step_bert_words, bert_words_one)

/* WhitespaceSplit: white space is dropped. */
static inline DbertNext
whitespace_one(DbertLink *l)
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

DBERT_STEP(dbert_step_whitespace, whitespace_one)

/* Punctuation, as its behavior says. */
static inline DbertNext
punctuation_one(DbertLink *l)
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

DBERT_STEP(dbert_step_punctuation, punctuation_one)
