/*
 * normalize.h -- BertNormalizer as a stream: one normalised character at a
 * time, with the place in the original text that it comes from.
 *
 * The steps and their order are those of Hugging Face's BertNormalizer:
 * clean text, spaces around CJK characters, NFD and removal of nonspacing
 * marks, lower case.  Memory is constant: no step keeps more than a few
 * characters, however long a run of combining marks is.
 */
#ifndef DBERT_TEXT_NORMALIZE_H
#define DBERT_TEXT_NORMALIZE_H

#include "base/memory.h"
#include "base/status.h"
#include "text/chartype.h"

typedef struct DbertNormRules
{
	bool		clean_text;
	bool		split_cjk;
	bool		strip_accents;
	bool		lowercase;
} DbertNormRules;

/*
 * A character; start and end count characters of the original text.  All parts
 * are equally wide: reading as a whole what was just written in parts is slow.
 */
typedef struct DbertChar
{
	uint32_t	cp;
	int32_t		start,
				end;
	uint32_t	begins;			/* 1: a pre-tokenizer begins a word with it */
} DbertChar;

/* What a stream's functions return. */
typedef enum DbertNext
{
	DBERT_NEXT_END,				/* the piece is over */
	DBERT_NEXT_CHAR,
	DBERT_NEXT_ADDED,			/* an added token (added.h) */
	DBERT_NEXT_FAILED			/* the error is set */
} DbertNext;

/* A place in the original text. */
typedef struct DbertCursor
{
	const uint8_t *pos;
	int32_t		index;			/* characters before pos */
} DbertCursor;

/* Output of the first two steps. */
typedef struct DbertCleaned
{
	DbertCursor in;
	DbertChar	cjk;			/* the character being set apart */
	int			pending;		/* 2: it is due, 1: the space after it is due */
} DbertCleaned;

/* Output of canonical decomposition before reordering. */
typedef struct DbertDecomposed
{
	DbertCleaned in;
	DbertChar	source;			/* the character that parts[] is the decomposition of */
	uint32_t	parts[DBERT_MAX_DECOMPOSED];
	int			n,
				next;			/* parts[next] is due */
} DbertDecomposed;

/*
 * A run of characters with combining classes some of which survive: see
 * normalize.c.
 */
typedef struct DbertMarkRun
{
	DbertDecomposed first,		/* at its beginning */
				walk;			/* where the walk through one class is */
	DbertCleaned source;		/* source characters not yet given to a mark */
	bool		source_is_first;	/* first.source is still to be given */
	DbertChar	align;			/* the source character given last */
	int64_t		length,
				walked;
	int			class;			/* being walked; 0: no run */
	bool		classes[256];
} DbertMarkRun;

typedef struct DbertNormalizer
{
	DbertNormRules rules;
	DbertDecomposed at;
	DbertMarkRun run;
	bool		lower_pending;	/* second half of a lower-cased U+0130 */
	DbertChar	lower;

	/*
	 * The piece to normalise ends at fence when closed; otherwise extend moves
	 * fence on, or closes the piece, or fails.
	 */
	const uint8_t *end;			/* of the whole text */
	const uint8_t *fence;
	bool		closed;
	DbertNext	(*extend) (void *ctx);
	void	   *ctx;

	const DbertPoll *poll;
	int32_t		until_poll;		/* characters */
	DbertError *err;
	DbertStatus status;			/* of a failure */
} DbertNormalizer;

/*
 * A piece that begins at the given place; the fields from end to err are the
 * caller's.
 */
extern void dbert_norm_begin(DbertNormalizer *n, DbertCursor at);

extern DbertNext dbert_norm_next(DbertNormalizer *n, DbertChar *out);

/* Records a failure; DBERT_NEXT_FAILED. */
extern DbertNext dbert_norm_fail(DbertNormalizer *n, DbertStatus status, const char *msg);

/* To be called after every few thousand characters of work. */
extern DbertNext dbert_norm_poll(DbertNormalizer *n);

#endif
