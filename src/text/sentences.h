/*
 * sentences.h -- where sentences end.
 *
 * At a full stop of some script, a question or exclamation mark, quotes and
 * brackets behind it included, if white space follows and then no lower-case
 * letter ("e.g. this"); ideographic stops need no white space.
 */
#ifndef DBERT_TEXT_SENTENCES_H
#define DBERT_TEXT_SENTENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Quotes and brackets that may close a sentence, and that may open one. */
extern bool dbert_closes_sentence(uint32_t cp);
extern bool dbert_opens_sentence(uint32_t cp);

/* A lower-case letter: what stands before it has not ended. */
extern bool dbert_continues_sentence(uint32_t cp);

/* What the characters that were read of a text say of its sentences. */
typedef struct DbertSentenceEnd
{
	bool		stopped;		/* by a full stop, and what may stand behind one */
	bool		ideographic;	/* the stop needs no white space */
} DbertSentenceEnd;

/* Read a character that is no white space; space: there was some before it. */
extern void dbert_sentence_end_read(DbertSentenceEnd *end, uint32_t cp, bool space);

/* A sentence without the white space around it. */
typedef struct DbertSentenceBytes
{
	size_t		start;
	size_t		end;
} DbertSentenceBytes;

/*
 * The first sentence of text[len] from byte at on; the end of a line ends one,
 * too.  false: there is none.
 */
extern bool dbert_next_sentence(const char *text, size_t len, size_t at, DbertSentenceBytes *out);

#endif
