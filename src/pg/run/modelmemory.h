/*
 * modelmemory.h -- what models may take of a process's own memory.
 *
 * Weights are mapped, shared, and not counted; batches and what the encoder
 * works in are.
 */
#ifndef DISTILBERT_PG_MODELMEMORY_H
#define DISTILBERT_PG_MODELMEMORY_H

#include "pg/run/modelcache.h"

/*
 * An allocator that fills a model's context, and gives NULL beyond
 * distilbert.max_memory.
 */
extern DbertAllocator distil_model_allocator(MemoryContext context);

/* After E_NOMEM: raise if it was the setting that refused. */
extern void distil_raise_memory_limit(void);

/*
 * Tokens after which a batch of this model is full: distilbert.batch_tokens, or
 * fewer where that would take more memory than is left.
 */
extern size_t distil_batch_tokens(const DistilModel *model, int want);

#endif
