/*
 * translate.h -- sentences through encoder and decoder: ids in, ids out.
 */
#ifndef DBERT_NN_TRANSLATE_H
#define DBERT_NN_TRANSLATE_H

#include "base/parallel.h"
#include "model/pack.h"

/* A sentence, its end included, at most config.positions tokens. */
typedef struct DbertSentenceIds
{
	const int32_t *ids;
	int32_t		count;
} DbertSentenceIds;

/* What it became. */
typedef struct DbertTranslated
{
	int32_t    *ids;			/* of the translation, without start and end */
	int32_t		count;
	bool		ended;			/* by itself, not by the limit of its length */
	bool		finite;			/* the weights gave numbers; else there are no ids */
} DbertTranslated;

/* Hypotheses that go through the decoder together, if memory allows it. */
#define DBERT_TRANSLATE_ROWS 128

/*
 * how: the model's, perhaps with another number of beams or another length, of
 * positions at most.  out[n] has ids in *room, which is allocated from alloc
 * and the caller's to free.  rows: hypotheses that go together, or those of one
 * sentence.  A sentence's ids are the same in any company and
 * by any number of threads.
 */
extern DbertStatus dbert_translate(const DbertModel *model, const DbertGeneration *how,
								   const DbertSentenceIds *sentences, int n, int rows,
								   DbertThreads *pool, const DbertAllocator *alloc,
								   const DbertPoll *poll,
								   DbertTranslated *out, int32_t **room, DbertError *err);

/*
 * Bytes that this takes at its peak if no sentence ends before its limit, the
 * translations included; false: more than a size_t.
 */
extern bool dbert_translate_memory(const DbertModel *model, const DbertGeneration *how,
								   const DbertSentenceIds *sentences, int n, int rows,
								   int threads, size_t *bytes);

#endif
