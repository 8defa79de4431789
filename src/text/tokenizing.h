/*
 * tokenizing.h -- one text on its way to tokens.
 *
 * The stream of addedtoken.h is cut into words, by BERT's rule or by the
 * pre-tokenizers of the image, and a word is given to the image's kind.
 * Reading stops when there are more tokens than asked for, and can go on from
 * there.
 */
#ifndef DBERT_TEXT_TOKENIZING_H
#define DBERT_TEXT_TOKENIZING_H

#include "text/addedtoken.h"

typedef struct DbertTokenizing
{
	DbertTextStream text;
	const DbertTokImage *image;
	const struct DbertTokenKind *kind;
	const DbertAllocator *alloc;
	const DbertPoll *poll;
	DbertError *err;

	DbertTokenList *list;		/* NULL: count only */
	int64_t		keep;			/* tokens to store at most */
	uint8_t		number;			/* 0: the text, 1: the pair */
	uint8_t		type;			/* of its tokens */

	int64_t		count;			/* tokens made */
	bool		done;			/* the text is read */
	int32_t		words;

	DbertChar  *word;			/* the word being read, without what exceeds max_word_chars */
	size_t		word_kept,
				word_capacity;
	size_t		block;			/* characters of it at which to ask the kind for some tokens */
	int64_t		word_chars;
	int32_t		word_end;
	void	   *state;			/* the kind's own */

	/* pre-tokenizers */
	DbertChain	splitters;
	DbertAddedHit hit;			/* what ended their piece, */
	DbertNext	after;			/* if this is ADDED */
	bool		piece_begins;
} DbertTokenizing;

extern void dbert_tokenizing_open(DbertTokenizing *t, const DbertTokImage *image,
								  const char *text, size_t len, const DbertAllocator *alloc,
								  const DbertPoll *poll, DbertError *err);

extern void dbert_tokenizing_close(DbertTokenizing *t);

/* Read on until more than limit tokens are sure, or the text is over. */
extern DbertStatus dbert_tokenizing_read(DbertTokenizing *t, int64_t limit);

/* Tokens that the text read so far has for certain. */
static inline int64_t
dbert_tokenizing_sure(const DbertTokenizing *t)
{
	return t->count + (t->word_chars > 0 && !t->image->may_vanish);
}

extern DbertStatus dbert_token_push(DbertTokenList *list, const DbertAllocator *alloc,
									DbertToken token, DbertError *err);

/* For kinds: the next token of the word, from character start to end. */
static inline DbertStatus
dbert_emit(DbertTokenizing *t, int32_t id, int32_t start, int32_t end)
{
	DbertToken	token = {.id = id, .start = start, .end = end, .word = t->words,
	.type = t->type, .text = t->number};

	if (t->count++ >= t->keep || t->list == NULL)
		return DBERT_OK;
	if (t->list->count == t->list->capacity)
		return dbert_token_push(t->list, t->alloc, token, t->err);
	t->list->items[t->list->count++] = token;
	return DBERT_OK;
}

/*
 * The same for tokens whose text has that many characters of white space at its
 * ends, which is no part of them where offsets are trimmed.
 */
extern DbertStatus dbert_emit_trimmed(DbertTokenizing *t, int32_t id, int32_t start, int32_t end,
									  int32_t before, int32_t after);

/*
 * For cut_some: the word's first n characters have their tokens and are left
 * out.  If most are kept, it is called again when the word is twice as long.
 */
extern void dbert_word_begins_at(DbertTokenizing *t, size_t n);

#endif
