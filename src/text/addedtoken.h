/*
 * addedtoken.h -- finding added tokens ("[MASK]") in a text.
 *
 * Two kinds, as in Hugging Face's AddedVocabulary.  Most are found in the raw
 * text: they cut it into pieces, each normalised by itself.  The others
 * ("normalized") are found in the normalised text of a piece, by their own
 * normalised form.  Either way the match is leftmost-longest; a token that must
 * be a single word and is none here is passed over, together with its text.
 *
 * A DbertTextStream yields both and the characters between them in one
 * sequence.  The text is searched only a few kilobytes ahead.
 */
#ifndef DBERT_TEXT_ADDEDTOKEN_H
#define DBERT_TEXT_ADDEDTOKEN_H

#include "text/chain.h"

typedef struct DbertAddedHit
{
	int32_t		id;
	int32_t		start,
				end;
	int32_t		spaces_before,	/* white space at its ends, characters */
				spaces_after;
} DbertAddedHit;

typedef struct DbertTextStream
{
	const DbertTokImage *image;
	const DbertAllocator *alloc;
	const uint8_t *text,
			   *end;
	DbertNormalizer norm;
	DbertChain	steps;			/* the normalizers behind it */

	/* search in the raw text */
	const uint8_t *searched;	/* no match begins before, save the one found */
	const uint8_t *piece;		/* where the piece begins */
	const uint8_t *spaces_from; /* white space that ends at searched */
	const uint8_t *spaces_to;	/* end of the last white space that an rstrip took */
	const DbertImageAdded *found;	/* the token that follows the piece, or NULL */
	const uint8_t *found_start,
			   *found_end;

	/* search in the normalised text: characters read ahead */
	DbertChar  *window;
	size_t		first,
				count,
				capacity;
	size_t		exempt;			/* characters at which no match may begin */
	uint32_t	before;			/* the character before the window, 0: none */
	bool		in_spaces;		/* white space before the window, from spaces_start */
	int32_t		spaces_start,
				n_spaces;
} DbertTextStream;

/* Start reading text; err receives a failure.  Release with _close. */
extern void dbert_text_open(DbertTextStream *s, const DbertTokImage *image,
							const char *text, size_t len, const DbertAllocator *alloc,
							const DbertPoll *poll, DbertError *err);

/*
 * A normalised character (*ch), an added token (*hit), the END of the text, or
 * FAILED: then s->norm.status is set.
 */
extern DbertNext dbert_text_next(DbertTextStream *s, DbertChar *ch, DbertAddedHit *hit);

extern void dbert_text_close(DbertTextStream *s);

#endif
