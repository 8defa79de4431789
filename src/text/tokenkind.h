/*
 * tokenkind.h -- the kinds of tokenizers.
 *
 * A kind is how a word becomes tokens, a file of its own and a line in
 * tokenkind.c.  The vocabulary's texts and their trie are in every image; what
 * a kind has beside, it puts into its own block.
 */
#ifndef DBERT_TEXT_TOKENKIND_H
#define DBERT_TEXT_TOKENKIND_H

#include "text/tokcompile.h"
#include "text/tokenizing.h"

/* Text that decode.c is making. */
typedef struct DbertDecoding
{
	const DbertTokImage *image;
	char	   *text;			/* room for 4 times the tokens' texts and one more each */
	size_t		len;
	bool		first;			/* no token was put yet */
	bool		joins;			/* the next one follows without a space: codesbpe.c's */
	size_t		bytes;			/* of text, at its end: of tokens that are bytes */
} DbertDecoding;

typedef struct DbertTokenKind
{
	/* Check the spec, add to the header and make c->model; NULL: nothing. */
	DbertStatus (*compile) (DbertTokCompiler *c);

	/* Is every index in the header and the block inside?  NULL: it is. */
	bool		(*valid) (const DbertTokImage *image);

	/* Emit the tokens of t->word, which has one character at least. */
	DbertStatus (*cut) (DbertTokenizing *t);

	/*
	 * As far as is decided whatever follows: called for a word of many
	 * characters when it has so many more, which it takes.  NULL: all are
	 * kept.
	 */
	DbertStatus (*cut_some) (DbertTokenizing *t);

	/* Release t->state; NULL: there is none. */
	void		(*close) (DbertTokenizing *t);

	bool		maps_unknown;	/* pieces from n_known on are emitted as unk_id */

	/* What a token has first that goes on with a word, or begins one; NULL. */
	const char *continuing,
			   *beginning;

	/* What a token has last whose word goes on; NULL. */
	const char *unfinished;

	/* Append a token's text; added tells that it is an added token. */
	void		(*put) (DbertDecoding *d, const char *token, size_t len, bool added);

	/* Behind the last token; NULL: nothing is to be done. */
	void		(*end) (DbertDecoding *d);
} DbertTokenKind;

extern const DbertTokenKind *dbert_token_kind(int32_t kind);

/*
 * Are count things of size bytes inside the kind's block, behind its first head
 * bytes?
 */
static inline bool
dbert_block_has(const DbertTokImage *image, size_t head, uint64_t at, uint64_t count,
				uint64_t size)
{
	return at % 8 == 0 && at >= head && at <= image->model_size &&
		count <= (image->model_size - at) / size;
}

/* What stands at a place of the kind's block. */
static inline const void *
dbert_in_block(const void *block, uint64_t at)
{
	return (const char *) block + at;
}

/* wordpiece.c */
extern const DbertTokenKind dbert_kind_wordpiece;

/* bytebpe.c */
extern const DbertTokenKind dbert_kind_bytebpe;

/* charbpe.c */
extern const DbertTokenKind dbert_kind_charbpe;

/* codesbpe.c */
extern const DbertTokenKind dbert_kind_codesbpe;

/* unigram.c */
extern const DbertTokenKind dbert_kind_unigram;

/* ---- tokbytes.c: tokens that are bytes, "<0xE2>" ---- */

/* Have all of bytes[n] a token? */
static inline bool
dbert_tok_has_bytes(const int32_t ids[256], const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ids[bytes[i]] < 0)
			return false;
	return true;
}

/* The byte that a token is, -1: none. */
extern int	dbert_tok_byte_of(const char *token, size_t len);

/*
 * The bytes at the text's end are over: if they are no characters, each becomes
 * U+FFFD.
 */
extern void dbert_decode_bytes(DbertDecoding *d);

#endif
