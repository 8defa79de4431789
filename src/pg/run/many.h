/*
 * many.h -- many texts through a model: collected until a batch is full, run,
 * handed out.
 *
 * Items are numbered by the caller.  Each has a text, a pair of texts that go
 * through the model as one, or two texts of their own; each gets the bits that
 * it would have got alone.  Of items with equal texts in a batch the first one
 * goes through the model, and the others get what it gets.
 *
 * Between begin and end nothing may run that could use a model, be it another
 * one: the batch is the backend's, and whoever asks for a batch may take the
 * memory of all others.
 */
#ifndef DISTILBERT_PG_MANY_H
#define DISTILBERT_PG_MANY_H

#include "pg/run/runtext.h"

/* What an item goes through the model as. */
typedef enum DistilItem
{
	DISTIL_ITEM_TEXT,
	DISTIL_ITEM_PAIR,
	DISTIL_ITEM_TWO_TEXTS		/* one after the other, in the same batch */
} DistilItem;

struct DistilInBatch;
struct DistilFollower;
struct seen_hash;

typedef struct DistilMany
{
	/* what the caller says */
	DistilModel *model;
	int			want;			/* DBERT_WANT_ */
	DistilItem	item;
	DistilTextRules rules;
	bool		cut_first;		/* of pairs: truncation cuts the first text alone */
	bool		cached;			/* results may come from the result cache, and go there */
	bool		distinct;		/* the caller sees to it that no two items are equal */
	bool		free_texts;		/* distil_text_free them when their item is done */

	/*
	 * No failure of a text or of a batch is raised, but the cancelling of the
	 * query.  Otherwise the rules say which ones are.
	 */
	bool		quiet;

	/*
	 * The item is text i of the batch, which has run; of two texts the first
	 * one is.  texts are those that were added, or equal ones.
	 */
	void		(*take) (void *ctx, int number, DbertBatch *batch, int i, const DistilText *texts);

	/* The item has no result.  NULL: nobody asks. */
	void		(*none) (void *ctx, int number);
	void	   *ctx;

	/* what the caller may read */
	int64		tokens;			/* that went through the model so far */

	/* private to many.c from here */
	MemoryContext context;		/* of all that follows */
	DbertBatch *batch;
	size_t		full;			/* tokens of a batch */
	struct DistilInBatch *items;	/* [n], whose texts are in the batch */
	int			n;
	Size		capacity;
	struct seen_hash *seen;		/* the items by their texts */
	struct DistilFollower *followers;	/* [n_followers], items with equal texts */
	int			n_followers;
	Size		follower_capacity;
} DistilMany;

extern void distil_many_begin(DistilMany *many);

/*
 * One item more.  Earlier ones, and this one, may be taken before it returns:
 * items from the cache at once, others when their batch has run, those with
 * equal texts right after the first of them.
 */
extern void distil_many_add(DistilMany *many, int number, const DistilText *texts);

/* All items are done when it returns. */
extern void distil_many_end(DistilMany *many);

#endif
