/*
 * chain.h -- the steps that a text goes through, one after another.
 *
 * Normalizers and pre-tokenizers (all but BERT's, which normalize.c and
 * tokenizing.c have built in) are links of a chain.  A link takes characters
 * from the one before it, as far ahead as it must see, and puts characters into
 * its own queue; so what is kept is what the steps look ahead, not the text.
 * Characters know where they came from.  Pre-tokenizers mark the character
 * that a word begins with, and reset themselves where one before them did.
 */
#ifndef DBERT_TEXT_CHAIN_H
#define DBERT_TEXT_CHAIN_H

#include "text/tokimage.h"

typedef struct DbertChain DbertChain;

typedef struct DbertLink
{
	DbertChain *chain;
	const DbertImageStep *step; /* NULL: the source */

	/*
	 * Put at least one character or take at least one, CHAR; or END when all
	 * are put; or FAILED.
	 */
	DbertNext	(*fill) (struct DbertLink *l);

	DbertChar  *queue;			/* put, and not yet taken by the link behind */
	size_t		first,
				count,
				capacity;
	bool		ended;			/* all are put */

	bool		mark;			/* the next one put begins a word */
	int64_t		state[8];		/* the step's own, 0 when a piece begins */
	void	   *room;			/* the step's own, kept from piece to piece */
	size_t		room_capacity;
} DbertLink;

struct DbertChain
{
	const DbertImageStep *steps;
	int			n;				/* steps, 0: the chain is not to be used */
	const void *data;			/* of the steps */
	const DbertAllocator *alloc;
	DbertNormalizer *norm;		/* for polls and failures */
	DbertNext	(*source) (void *ctx, DbertChar *out);
	void	   *ctx;
	bool		later;			/* the piece is not the text's first */
	DbertLink  *links;			/* [n + 1], NULL before the first character */
};

/* What a step is. */
typedef struct DbertStepRules
{
	DbertNext	(*fill) (DbertLink *l);
	bool		(*valid) (const DbertImageStep *step, const void *data);	/* NULL: any is */
} DbertStepRules;

extern bool dbert_step_valid(const DbertImageStep *step, const void *data);

/* A new piece begins; the fields before links are the caller's. */
extern void dbert_chain_begin(DbertChain *chain);

/* A character, END of the piece, or FAILED: then norm->status is set. */
extern DbertNext dbert_chain_next(DbertChain *chain, DbertChar *out);

extern void dbert_chain_close(DbertChain *chain);

/* ---- for steps ---- */

/* Character i of those that are not taken yet; END, FAILED. */
static inline DbertNext
dbert_step_peek(DbertLink *l, size_t i, DbertChar *out)
{
	DbertLink  *in = l - 1;

	while (in->count <= i)
	{
		DbertNext	next;

		if (in->ended)
			return DBERT_NEXT_END;
		next = in->fill(in);
		if (next == DBERT_NEXT_FAILED)
			return next;
		in->ended = (next == DBERT_NEXT_END);
	}
	*out = in->queue[in->first + i];
	return DBERT_NEXT_CHAR;
}

static inline void
dbert_step_take(DbertLink *l, size_t n)
{
	DbertLink  *in = l - 1;

	in->count -= n;
	in->first = in->count > 0 ? in->first + n : 0;
}

/* Make room for one more character to be put; CHAR or FAILED. */
extern DbertNext dbert_step_make_room(DbertLink *l);

/* Put ch, with the mark that is due.  CHAR or FAILED. */
static inline DbertNext
dbert_step_put(DbertLink *l, DbertChar ch)
{
	if (l->first + l->count == l->capacity && dbert_step_make_room(l) == DBERT_NEXT_FAILED)
		return DBERT_NEXT_FAILED;
	ch.begins |= l->mark;
	l->mark = false;
	l->queue[l->first + l->count++] = ch;
	return DBERT_NEXT_CHAR;
}

/* Take all that wait, and put them as they are.  CHAR or FAILED. */
extern DbertNext dbert_step_pass(DbertLink *l);

/* Characters that a link puts at a time, perhaps in vain. */
#define DBERT_LINK_CHARS 64

/*
 * A step does its work for one character; while this is true it may go on with
 * the next: some wait, and there are not too many put.
 */
static inline bool
dbert_step_goes_on(const DbertLink *l)
{
	return l[-1].count > 2 && l->count < DBERT_LINK_CHARS;
}

/* Defines a step by what it does for one character. */
#define DBERT_STEP(name, one) \
	DbertNext \
	name(DbertLink *l) \
	{ \
		DbertNext	next; \
		do \
			next = one(l); \
		while (next == DBERT_NEXT_CHAR && dbert_step_goes_on(l)); \
		return next; \
	}

/* The step's texts: see DbertStepSpec. */
static inline const uint8_t *
dbert_step_text(const DbertImageStep *step, const void *data)
{
	return (const uint8_t *) data + step->text_at;
}

static inline const uint8_t *
dbert_step_more(const DbertImageStep *step, const void *data)
{
	return (const uint8_t *) data + step->more_at;
}

#endif
