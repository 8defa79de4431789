/*
 * chunkwords.h -- the words of a text that is cut into chunks, each of which a
 * chunk has room for.
 */
#ifndef DBERT_TEXT_CHUNKWORDS_H
#define DBERT_TEXT_CHUNKWORDS_H

#include "text/tokenizer.h"
#include "text/utf8.h"

/* Tokens of the text itself, without those of the template. */
static inline int32_t
dbert_own_tokens(const DbertTokenizer *t, const DbertTokenList *list)
{
	return (int32_t) list->count - dbert_template_size(t->single);
}

/* Does token i share a character with the one before it? */
static inline bool
dbert_shares_character(const DbertToken *tokens, int32_t i)
{
	return tokens[i].start < tokens[i - 1].end;
}

/* The character that begins at at; 0 at the text's end. */
static inline uint32_t
dbert_char_at(const uint8_t *at, const uint8_t *end)
{
	uint32_t	cp = 0;

	if (at < end)
		(void) dbert_utf8_decode(at, end, &cp);
	return cp;
}

/*
 * Number the words of list, the text's tokens, and replace those that have more
 * than room tokens, in the text or by themselves, by words for their parts.
 * The list is unchanged, its words' numbers apart, if this fails.
 */
extern DbertStatus dbert_chunk_words(const DbertTokenizer *t, const char *text, size_t len,
									 int32_t room, const DbertAllocator *alloc,
									 const DbertPoll *poll, DbertTokenList *list, DbertError *err);

#endif
