/*
 * resultcache.h -- results of texts that were computed before.
 *
 * What is kept is what answers are made from: the logits of a sequence head,
 * and embeddings.  So one entry serves all tasks with all their options, and an
 * answer from it has the same bits.  Results of other heads grow with the text
 * and are not kept.
 */
#ifndef DISTILBERT_PG_RESULTCACHE_H
#define DISTILBERT_PG_RESULTCACHE_H

#include "pg/bridge/textvalue.h"
#include "pg/run/openmodel.h"
#include "pg/run/resultkey.h"

/* Is there a cache, and can it hold what a batch computing want gives? */
extern bool distil_cache_holds(const DistilModel *model, int want);

/*
 * The key of a text, or of a pair (texts[0] and texts[1]), with the prompt that
 * want puts before it.
 */
extern DistilResultKey distil_cache_key(const DistilModel *model, int want, const DistilText *texts,
										bool pair);

/*
 * A batch whose text 0 has the results; to be read at once, as the batch of
 * distil_model_batch.  NULL if they are not there.
 */
extern DbertBatch *distil_cache_find(DistilModel *model, int want, const DistilResultKey *key);

/* Keep the results of a batch's text i, after it has run. */
extern void distil_cache_keep(const DistilModel *model, int want, const DistilResultKey *key,
							  const DbertBatch *batch, int i);

/* Called once by _PG_init. */
extern void distil_resultcache_init(void);

#endif
