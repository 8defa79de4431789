/*
 * modelmemory.c -- what models may take of a process's own memory.
 *
 * Memory beyond distilbert.max_memory is refused before it is allocated.  The
 * core then fails with E_NOMEM and is as it was; how much was refused is kept
 * for the message.  To come less far, batches are made smaller: those that run
 * many texts ask how many tokens they may have.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/guc.h"
#include "pg/run/modelmemory.h"
#include "pg/bridge/threads.h"

/* What was refused last, and what there was then; 0: nothing. */
static Size refused = 0;
static Size allocated = 0;

static Size
limit(void)
{
	return (Size) distil_guc_max_memory * 1024;
}

static void *
limited_alloc(void *ctx, size_t size)
{
	DbertAllocator unlimited = distil_allocator(ctx);

	refused = 0;
	if (limit() > 0)
	{
		allocated = distil_models_allocated();
		if (size > limit() || allocated > limit() - size)
		{
			refused = size;
			return NULL;
		}
	}
	return dbert_alloc(&unlimited, size);
}

DbertAllocator
distil_model_allocator(MemoryContext context)
{
	DbertAllocator allocator = distil_allocator(context);

	allocator.alloc = limited_alloc;
	return allocator;
}

void
distil_raise_memory_limit(void)
{
	Size		size = refused;

	refused = 0;
	if (size == 0)
		return;
	ereport(ERROR,
		(errcode(ERRCODE_OUT_OF_MEMORY),
		 errmsg("models need more memory than \"distilbert.max_memory\" allows"),
		 errdetail("They have %zu kB and need %zu kB more; the setting is %d kB.",
				   allocated / 1024,
				   (size + 1023) / 1024,
				   distil_guc_max_memory),
		 errhint("Raise the setting, or lower \"distilbert.threads\". Short texts need less.")));
}

/* Would a batch fit that was full and then got a text as long as there is? */
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
	Size		taken;

	if (limit() == 0)
		return tokens;
	taken = distil_models_allocated();
	while (tokens > 1 && !fits(model, want, tokens, taken < limit() ? limit() - taken : 0))
		tokens /= 2;
	return tokens;
}
