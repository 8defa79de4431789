/*
 * many.c -- see many.h.
 *
 * No other file fills batches until they are full.  So what all of them have to
 * keep to (the memory limit, the result cache, distilbert.on_error) stands here
 * once.
 *
 * A batch is full when it has distilbert.batch_tokens, or fewer where more
 * would not fit into distilbert.max_memory (modelmemory.h).
 */
#include "postgres.h"

#include "miscadmin.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/errors.h"
#include "pg/run/many.h"
#include "pg/run/modelmemory.h"
#include "pg/run/resultcache.h"

#define FIRST_CAPACITY 64

/* An item whose texts are in the batch. */
typedef struct DistilInBatch
{
	int			number;
	int			place;			/* of its first text */
	DistilText	texts[2];
	DistilResultKey key;		/* if results are cached */
} DistilInBatch;

void
distil_many_begin(DistilMany *many)
{
	many->batch = distil_model_batch(many->model, many->want);
	many->full = distil_batch_tokens(many->model, many->want);
	many->cached = many->cached && distil_cache_holds(many->model, many->want);
	many->capacity = FIRST_CAPACITY;
	many->items = palloc_array(DistilInBatch, many->capacity);
	many->n = 0;
	many->tokens = 0;
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
	release(many, e);
}

static void
give_up(const DistilMany *many, DistilInBatch *e)
{
	if (many->none != NULL)
		many->none(many->ctx, e->number);
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

		if (!done)
		{
			give_up(many, e);
			continue;
		}
		if (many->cached)
			distil_cache_keep(many->model, many->want, &e->key, many->batch, e->place);
		take(many, e, many->batch, e->place);
	}
	many->n = 0;
	dbert_batch_reset(many->batch);
}

/* A batch with the item's result from the cache; NULL: it is not there. */
static DbertBatch *
recall(const DistilMany *many, DistilInBatch *e)
{
	if (!many->cached)
		return NULL;
	e->key = distil_cache_key(many->model, many->want, e->texts, many->item == DISTIL_ITEM_PAIR);
	return distil_cache_find(many->model, many->want, &e->key);
}

static bool
add_one(const DistilMany *many, const DistilText *texts)
{
	bool		pair = many->item == DISTIL_ITEM_PAIR;
	DbertError	err;

	if (!many->quiet)
		return many->cut_first ? distil_batch_add_first_cut(many->batch, texts)
							   : distil_batch_add(many->batch, texts, pair);
	if (distil_batch_try_add(many->batch, texts, pair, &err) == DBERT_OK)
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

/* For one item more. */
static void
make_room(DistilMany *many)
{
	if (many->n < many->capacity)
		return;
	many->capacity *= 2;
	many->items = repalloc_huge(many->items, (Size) many->capacity * sizeof(DistilInBatch));
}

void
distil_many_add(DistilMany *many, int number, const DistilText *texts)
{
	DistilInBatch e = {.number = number,.place = dbert_batch_count(many->batch)};
	DbertBatch *found;

	CHECK_FOR_INTERRUPTS();
	memcpy(e.texts, texts, count_texts(many) * sizeof(DistilText));
	found = recall(many, &e);
	if (found != NULL)
	{
		take(many, &e, found, 0);
		return;
	}
	make_room(many);
	if (add_texts(many, &e))
		many->items[many->n++] = e;
	else
		give_up(many, &e);
	if (dbert_batch_tokens(many->batch) >= many->full)
		run_batch(many);
}

void
distil_many_end(DistilMany *many)
{
	if (dbert_batch_count(many->batch) > 0)
		run_batch(many);
	pfree(many->items);
}
