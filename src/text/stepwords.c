/*
 * stepwords.c -- pre-tokenizers that go by what a character is.
 *
 * Characters that are dropped leave their mark to the next one.
 */
#include "text/steps.h"

#include "text/utf8.h"

/*
 * The next character is taken; false: there is none, or it is white space,
 * which is dropped.
 */
static inline bool
take_no_space(DbertLink *l, DbertChar *ch, DbertNext *next)
{
	*next = dbert_step_peek(l, 0, ch);
	if (*next != DBERT_NEXT_CHAR)
		return false;
	dbert_step_take(l, 1);
	if (dbert_char_is_space(ch->cp))
		l->mark = true;
	return !dbert_char_is_space(ch->cp);
}

/* BertPreTokenizer: white space is dropped, punctuation stands by itself. */
static inline DbertNext
bert_words_one(DbertLink *l)
{
	DbertChar	ch;
	DbertNext	next;

	if (!take_no_space(l, &ch, &next))
		return next;
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
	DbertNext	next;

	return take_no_space(l, &ch, &next) ? dbert_step_put(l, ch) : next;
}

DBERT_STEP(dbert_step_whitespace, whitespace_one)

/* The character that a step splits at; its text is not empty. */
static inline uint32_t
split_character(const DbertLink *l)
{
	const uint8_t *text = dbert_step_text(l->step, l->chain->data);
	uint32_t	cp = 0;

	(void) dbert_utf8_decode(text, text + l->step->len, &cp);
	return cp;
}

static inline bool
is_split_at(const DbertLink *l, uint32_t cp)
{
	if (l->step->kind == DBERT_STEP_DIGITS)
		return dbert_char_is_number(cp);
	return l->step->len > 0 ? cp == split_character(l) : dbert_char_is_punct(cp);
}

/* Split at a character, at punctuation or digits, as the behavior says. */
static inline DbertNext
split_at_one(DbertLink *l)
{
	enum { WAS_ONE };
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);
	bool		is,
				was;

	if (next != DBERT_NEXT_CHAR)
		return next;
	dbert_step_take(l, 1);
	is = is_split_at(l, ch.cp);
	was = l->state[WAS_ONE] && !ch.begins;
	l->state[WAS_ONE] = is;
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

DBERT_STEP(dbert_step_split_at, split_at_one)

/* \w, of one of two engines. */
static inline bool
is_of_word(uint32_t cp, bool of_split)
{
	if (!of_split)
		return dbert_char_is_word(cp);
	if (cp == 0xb2 || cp == 0xb3 || cp == 0xb9 || (cp >= 0xbc && cp <= 0xbe))
		return true;
	return cp != 0x200c && cp != 0x200d && dbert_char_is_word(cp);
}

/* Whitespace: \w+|[^\w\s]+, and white space is dropped. */
static inline DbertNext
words_one(DbertLink *l)
{
	enum { OF_WORD };			/* 0: none, 1: other characters, 2: a word */
	DbertChar	ch;
	DbertNext	next;
	int64_t		is;

	if (!take_no_space(l, &ch, &next))
		return next;
	is = 1 + is_of_word(ch.cp, l->step->mode != 0);
	ch.begins |= is != l->state[OF_WORD];
	l->state[OF_WORD] = is;
	return dbert_step_put(l, ch);
}

DBERT_STEP(dbert_step_words, words_one)

/* Python's \S+\n?, whose white space has four controls more. */
static inline DbertNext
line_words_one(DbertLink *l)
{
	enum { IN_WORD };
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);
	bool		in_word;

	if (next != DBERT_NEXT_CHAR)
		return next;
	dbert_step_take(l, 1);
	in_word = l->state[IN_WORD] && !ch.begins;
	l->state[IN_WORD] = !dbert_char_is_space(ch.cp) && !(ch.cp >= 0x1c && ch.cp <= 0x1f);
	if (l->state[IN_WORD])
		return dbert_step_put(l, ch);
	if (in_word && ch.cp == '\n')
		next = dbert_step_put(l, ch);
	l->mark = true;
	return next;
}

DBERT_STEP(dbert_step_line_words, line_words_one)
