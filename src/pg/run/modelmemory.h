/*
 * modelmemory.h -- what open models may take of a process's own memory.
 *
 * Weights are mapped, shared, and not counted; batches and what the encoder
 * works in are.
 */
#ifndef DISTILBERT_PG_MODELMEMORY_H
#define DISTILBERT_PG_MODELMEMORY_H

#include "pg/run/openmodel.h"

extern int	distil_guc_batch_tokens;	/* of one pass through a model */

/*
 * An allocator that fills a model's context, and gives NULL beyond
 * distilbert.max_memory.
 */
extern DbertAllocator distil_model_allocator(MemoryContext context);

/* Count what the context holds among models' memory, until it is deleted. */
extern void distil_model_memory_count(MemoryContext context);

/* Bytes that are counted now. */
extern Size distil_models_allocated(void);

/*
 * Tokens after which a batch of this model is full: distilbert.batch_tokens, or
 * fewer where that would take more memory than is left.
 */
extern size_t distil_batch_tokens(const DistilModel *model, int want);

/*
 * Hypotheses that go through the decoder at a time, fewer where that would take
 * more memory than is left; beams are those of a sentence.
 */
extern int	distil_translate_rows(DbertTranslation *translation, int beams);

/* Called once by _PG_init. */
extern void distil_modelmemory_init(void);

#endif
