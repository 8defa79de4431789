/*
 * modelmemory.c -- what open models may take of a process's own memory.
 *
 * Memory beyond distilbert.max_memory is refused before it is allocated; the
 * core then fails with E_NOMEM and is as it was.  To stay below the limit,
 * callers ask how many tokens a batch may have.
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/memorylimit.h"
#include "pg/bridge/threads.h"
#include "pg/run/modelmemory.h"

/* A context that is counted; lives in it. */
typedef struct Counted
{
	dlist_node	node;
	MemoryContext context;
	MemoryContextCallback callback;
} Counted;

int			distil_guc_batch_tokens;

static dlist_head counted = DLIST_STATIC_INIT(counted);

/* ---- counting ---- */

static void
forget(void *arg)
{
	dlist_delete(&((Counted *) arg)->node);
}

void
distil_model_memory_count(MemoryContext context)
{
	Counted    *c = MemoryContextAlloc(context, sizeof(Counted));

	c->context = context;
	c->callback.func = forget;
	c->callback.arg = c;
	MemoryContextRegisterResetCallback(context, &c->callback);
	dlist_push_head(&counted, &c->node);
}

Size
distil_models_allocated(void)
{
	Size		sum = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &counted)
		sum += MemoryContextMemAllocated(dlist_container(Counted, node, iter.cur)->context, true);
	return sum;
}

/* To add it up costs time, and is needed only where there is a limit. */
static void *
limited_alloc(void *ctx, size_t size)
{
	DbertAllocator unlimited = distil_allocator(ctx);
	Size		taken = distil_memory_limit() > 0 ? distil_models_allocated() : 0;

	return distil_memory_allows(taken, size) ? dbert_alloc(&unlimited, size) : NULL;
}

DbertAllocator
distil_model_allocator(MemoryContext context)
{
	DbertAllocator allocator = distil_allocator(context);

	allocator.alloc = limited_alloc;
	return allocator;
}

/* ---- the size of batches ---- */

/* Does a full batch fit that gets one more text, as long as texts may be? */
static bool
fits(const DistilModel *model, int want, size_t tokens, Size room)
{
	size_t		longest = model->core->config.max_tokens;
	size_t		bytes;

	return dbert_batch_memory(model->core, want, tokens + longest, longest,
							  dbert_threads_count(distil_threads()), &bytes) && bytes <= room;
}

size_t
distil_batch_tokens(const DistilModel *model, int want)
{
	size_t		tokens = distil_guc_batch_tokens;
	Size		limit = distil_memory_limit();
	Size		taken;

	if (limit == 0)
		return tokens;
	taken = distil_models_allocated();
	while (tokens > 1 && !fits(model, want, tokens, taken < limit ? limit - taken : 0))
		tokens /= 2;
	return tokens;
}

int
distil_translate_rows(DbertTranslation *translation, int beams)
{
	int			rows = DBERT_TRANSLATE_ROWS;
	Size		limit = distil_memory_limit();
	Size		taken;
	size_t		bytes;

	if (limit == 0)
		return rows;
	taken = distil_models_allocated();
	while (rows > beams &&
		   !(dbert_translation_memory(translation, rows, dbert_threads_count(distil_threads()),
									  &bytes) &&
			 bytes <= (taken < limit ? limit - taken : 0)))
		rows /= 2;
	return rows;
}

void
distil_modelmemory_init(void)
{
	DefineCustomIntVariable("distilbert.batch_tokens",
							"Number of tokens that go through a model at a time.",
							NULL, &distil_guc_batch_tokens, 4096, 1, 1024 * 1024,
							PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
}
