/*
 * tokenvectors.h -- what an embedding model says of single tokens.
 */
#ifndef DBERT_NN_TOKENVECTORS_H
#define DBERT_NN_TOKENVECTORS_H

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "model/pack.h"

/*
 * out[count, dimensions] = the vectors of the tokens from first on, each as a
 * text of its own, between the tokens that the template puts around a text, and
 * not scaled to length 1.  The model has no head and is no static one.
 */
extern DbertStatus dbert_token_vectors(const DbertModel *model, int32_t first, int32_t count,
									   DbertThreads *pool, const DbertAllocator *alloc,
									   const DbertPoll *poll, float *out, DbertError *err);

#endif
