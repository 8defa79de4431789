/*
 * chunk.h -- a long text in pieces that a model can take.
 */
#ifndef DBERT_TEXT_CHUNK_H
#define DBERT_TEXT_CHUNK_H

#include "text/tokenizer.h"

typedef struct DbertChunk
{
	int32_t		start;			/* characters of the text, 0-based */
	int32_t		end;			/* exclusive */
} DbertChunk;

#define DBERT_CHUNK_TEXT_TOKENS (1 << 24)

/*
 * Cut a text into chunks of at most max_tokens tokens, those of the template
 * included, as long as can be: each ends with the last sentence that ends in
 * its second half, else with the last word; a word that fits no chunk is cut
 * into parts. The next one begins with the first sentence, else the first word,
 * in the last overlap tokens of the one before, if its first new word has room
 * then; nothing but white space is left out between them.  A text without
 * tokens has none.
 *
 * max_tokens is more than the template has, overlap at most half of the room
 * that is left (E_INVALID).  *chunks is allocated from alloc, the caller frees
 * it with dbert_free; NULL if *count is 0.  E_LIMIT: one character has more
 * tokens than a chunk has room for; the sentence says what max_tokens it takes.
 * Other errors as those of dbert_tokenize.
 */
extern DbertStatus dbert_chunk(const DbertTokenizer *t, const char *text, size_t len,
							   int32_t max_tokens, int32_t overlap,
							   const DbertAllocator *alloc, const DbertPoll *poll,
							   DbertChunk **chunks, int *count, DbertError *err);

#endif
