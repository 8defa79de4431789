/*
 * resultcache.h -- results of texts that were computed before.
 *
 * What answers are made from is kept, not answers: logits of a sequence head,
 * embeddings.  So one entry serves all tasks and their options, and a hit has
 * the bits of the computation.  Results of other heads, which grow with the
 * text, are not kept.
 */
#ifndef DISTILBERT_PG_RESULTCACHE_H
#define DISTILBERT_PG_RESULTCACHE_H

#include "pg/bridge/textvalue.h"
#include "pg/run/openmodel.h"
#include "pg/run/resultkey.h"

/* Is there a cache, and can it hold what a batch computing want gives? */
extern bool distil_cache_holds(const DistilModel *model, int want);

/*
 * Of a text or of a pair (texts[0] and texts[1]), with the prompt that want
 * says.
 */
extern DistilResultKey distil_cache_key(const DistilModel *model, int want, const DistilText *texts,
										bool pair);

/*
 * A batch whose text 0 has the results, to be read at once like that of
 * distil_model_batch; NULL if they are not there.
 */
extern DbertBatch *distil_cache_find(DistilModel *model, int want, const DistilResultKey *key);

/* Keep the results of a batch's text i, after it has run. */
extern void distil_cache_keep(const DistilModel *model, int want, const DistilResultKey *key,
							  const DbertBatch *batch, int i);

/* Called once by _PG_init. */
extern void distil_resultcache_init(void);

#endif
