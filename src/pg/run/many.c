/*
 * many.c -- see many.h.
 *
 * No other file fills batches until they are full.  So what all of them have to
 * keep to (the memory limit, the result cache, on_error) stands here
 * once.
 *
 * A batch is full when it has distilbert.batch_tokens, or fewer where more
 * would not fit into distilbert.max_memory (modelmemory.h).  It runs when a
 * text comes that is not in it yet.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/growing.h"
#include "pg/run/many.h"
#include "pg/run/modelmemory.h"
#include "pg/run/resultcache.h"

#define FIRST_CAPACITY 64

/* So many items with equal texts wait for a batch at most. */
#define MOST_FOLLOWERS 65536

/* An item whose texts are in the batch. */
typedef struct DistilInBatch
{
	int			number;
	int			place;			/* of its first text */
	DistilText	texts[2];
	DistilResultKey key;		/* unless nobody asks for it */
	int			follower;		/* the last one; -1: there is none */
} DistilInBatch;

/* An item whose texts are equal to those of one in the batch. */
typedef struct DistilFollower
{
	int			number;
	int			next;			/* of the same item; -1: none */
} DistilFollower;

typedef struct SeenItem
{
	DistilResultKey key;
	char		status;
	int			item;			/* among the batch's */
} SeenItem;

static inline uint32
hash_key(DistilResultKey key)
{
	uint32		h;

	memcpy(&h, key.sha256, sizeof(h));
	return h;
}

#define SH_PREFIX seen
#define SH_ELEMENT_TYPE SeenItem
#define SH_KEY_TYPE DistilResultKey
#define SH_KEY key
#define SH_HASH_KEY(tb, key) hash_key(key)
#define SH_EQUAL(tb, a, b) (memcmp(&(a), &(b), sizeof(DistilResultKey)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

void
distil_many_begin(DistilMany *many)
{
	many->batch = distil_model_batch(many->model, many->want);
	many->full = distil_batch_tokens(many->model, many->want);
	many->cached = many->cached && distil_cache_holds(many->model, many->want);
	many->context = CurrentMemoryContext;
	many->capacity = FIRST_CAPACITY;
	many->items = palloc_array(DistilInBatch, many->capacity);
	many->n = 0;
	many->tokens = 0;
	many->seen = many->distinct ? NULL : seen_create(many->context, FIRST_CAPACITY, NULL);
	many->followers = NULL;
	many->n_followers = 0;
	many->follower_capacity = 0;
}

static int
count_texts(const DistilMany *many)
{
	return many->item == DISTIL_ITEM_TEXT ? 1 : 2;
}

/* ---- what becomes of an item ---- */

static void
release(const DistilMany *many, DistilInBatch *e)
{
	for (int i = 0; many->free_texts && i < count_texts(many); i++)
		distil_text_free(&e->texts[i]);
}

static void
take(const DistilMany *many, DistilInBatch *e, DbertBatch *batch, int i)
{
	many->take(many->ctx, e->number, batch, i, e->texts);
	for (int f = e->follower; f >= 0; f = many->followers[f].next)
		many->take(many->ctx, many->followers[f].number, batch, i, e->texts);
	release(many, e);
}

static void
give_up(const DistilMany *many, DistilInBatch *e)
{
	if (many->none != NULL)
		many->none(many->ctx, e->number);
	for (int f = e->follower; f >= 0 && many->none != NULL; f = many->followers[f].next)
		many->none(many->ctx, many->followers[f].number);
	release(many, e);
}

/* A quiet failure: nothing but a cancelled query is an error. */
static void
overlook(const DbertError *err)
{
	if (err->code == DBERT_E_CANCELLED)
		distil_raise(err, NULL);
}

/* ---- batches ---- */

static bool
run(const DistilMany *many)
{
	DbertError	err;

	if (!many->quiet)
		distil_batch_run(many->batch);
	else if (distil_batch_try_run(many->batch, &err) != DBERT_OK)
	{
		overlook(&err);
		return false;
	}
	return true;
}

/* All of its texts have one? */
static bool
has_answer(const DistilMany *many, const DistilInBatch *e)
{
	int			n = many->item == DISTIL_ITEM_TWO_TEXTS ? 2 : 1;

	for (int i = e->place; i < e->place + n; i++)
	{
		if (many->quiet ? !dbert_batch_finite(many->batch, i)
			: !distil_batch_has_answer(many->batch, i, many->rules))
			return false;
	}
	return true;
}

/* Run the batch, hand out what came of it, and empty it. */
static void
run_batch(DistilMany *many)
{
	bool		done = run(many);

	if (done)
		many->tokens += dbert_batch_tokens(many->batch);
	for (int i = 0; i < many->n; i++)
	{
		DistilInBatch *e = &many->items[i];

		if (!done || !has_answer(many, e))
		{
			give_up(many, e);
			continue;
		}
		if (many->cached)
			distil_cache_keep(many->model, many->want, &e->key, many->batch, e->place);
		take(many, e, many->batch, e->place);
	}
	many->n = many->n_followers = 0;
	if (many->seen != NULL)
		seen_reset(many->seen);
	dbert_batch_reset(many->batch);
}

/* A batch with the item's result from the cache; NULL: it is not there. */
static DbertBatch *
recall(const DistilMany *many, DistilInBatch *e)
{
	if (!many->cached)
		return NULL;
	return distil_cache_find(many->model, many->want, &e->key);
}

static bool
add_one(const DistilMany *many, const DistilText *texts)
{
	bool		pair = many->item == DISTIL_ITEM_PAIR;
	DbertError	err;

	if (!many->quiet)
		return many->cut_first ? distil_batch_add_first_cut(many->batch, texts, many->rules)
							   : distil_batch_add(many->batch, texts, pair, many->rules);
	if (distil_batch_try_add(many->batch, texts, pair, many->rules, &err) == DBERT_OK)
		return true;
	overlook(&err);
	return false;
}

/* All of the item's texts into the batch; false: one of them failed. */
static bool
add_texts(const DistilMany *many, const DistilInBatch *e)
{
	return add_one(many, &e->texts[0]) &&
		(many->item != DISTIL_ITEM_TWO_TEXTS || add_one(many, &e->texts[1]));
}

/* Over all that its results depend on. */
static void
find_key(const DistilMany *many, DistilInBatch *e)
{
	if (many->cached || many->seen != NULL)
		e->key = distil_cache_key(many->model, many->want, e->texts,
								  many->item != DISTIL_ITEM_TEXT, many->rules.long_text);
}

static void
add_follower(DistilMany *many, DistilInBatch *leader, int number)
{
	many->followers = distil_grown(many->context, many->followers, many->n_followers,
								   &many->follower_capacity, sizeof(DistilFollower));
	many->followers[many->n_followers] = (DistilFollower) {number, leader->follower};
	leader->follower = many->n_followers++;
}

/* With an item of the batch that has equal texts; false: there is none. */
static bool
follow(DistilMany *many, DistilInBatch *e)
{
	SeenItem   *seen = many->seen == NULL ? NULL : seen_lookup(many->seen, e->key);

	if (seen == NULL)
		return false;
	add_follower(many, &many->items[seen->item], e->number);
	release(many, e);
	return true;
}

/* An item whose texts are in the batch. */
static void
keep_item(DistilMany *many, const DistilInBatch *e)
{
	bool		found;

	if (many->seen != NULL)
		seen_insert(many->seen, e->key, &found)->item = many->n;
	many->items[many->n++] = *e;
}

void
distil_many_add(DistilMany *many, int number, const DistilText *texts)
{
	DistilInBatch e = {.number = number,.follower = -1};
	DbertBatch *found;

	CHECK_FOR_INTERRUPTS();
	memcpy(e.texts, texts, count_texts(many) * sizeof(DistilText));
	find_key(many, &e);
	found = recall(many, &e);
	if (found != NULL)
	{
		take(many, &e, found, 0);
		return;
	}
	if (!follow(many, &e))
	{
		if (dbert_batch_tokens(many->batch) >= many->full)
			run_batch(many);
		e.place = dbert_batch_count(many->batch);
		many->items = distil_grown(many->context, many->items, many->n, &many->capacity,
								   sizeof(DistilInBatch));
		if (add_texts(many, &e))
			keep_item(many, &e);
		else
			give_up(many, &e);
	}
	if (many->n_followers >= MOST_FOLLOWERS)
		run_batch(many);
}

void
distil_many_end(DistilMany *many)
{
	if (dbert_batch_count(many->batch) > 0)
		run_batch(many);
	pfree(many->items);
	if (many->followers != NULL)
		pfree(many->followers);
	if (many->seen != NULL)
		seen_destroy(many->seen);
}
