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

/* ByteLevel's add_prefix_space: before pieces that do not begin with one. */
DbertNext
dbert_step_space_before(DbertLink *l)
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
