/*
 * decoder.h -- a decoder at work: one token more for each of many hypotheses.
 *
 * Keys and values are remembered: those of the encoder's states once for each
 * sentence, those of a hypothesis' own tokens in a slot, step by step.  Nothing
 * is padded, and a hypothesis' logits have the same bits in any company.
 *
 * The letters are encoder.h's; R hypotheses of a step, P steps that a slot has
 * room for.
 */
#ifndef DBERT_NN_DECODER_H
#define DBERT_NN_DECODER_H

#include "nn/run.h"

typedef struct DbertDecoder
{
	DbertRun	run;			/* attention's and int8's scratch, poll, threads */
	const DbertAllocator *alloc;
	const int32_t *cu;			/* the sentences' states: rows cu[s] .. cu[s+1]-1 */
	size_t		n_tokens;		/* of all sentences: N */
	int			slots;
	int			capacity;		/* P */
	void	   *room;			/* of what follows */
	float	   *cross;			/* [layers, N, 2C] */
	float	   *x,				/* [R, C], */
			   *y,
			   *queries,		/* [R, 3C], */
			   *context,
			   *inner,			/* [R, F], rows of all padded to cache lines; */
			   *logits;			/* [R, V], not padded */
	void	   *memory_room;
	float	   *memory;			/* [slots, layers, P, 2C] */
} DbertDecoder;

/* A hypothesis of a step: its last token, its slot, its sentence. */
typedef struct DbertDecoderRow
{
	int32_t		id;
	int32_t		slot;
	int32_t		sentence;
} DbertDecoderRow;

/*
 * Bytes that a decoder takes at most for n_tokens of sentences, so many slots
 * and steps; false: more than a size_t.
 */
extern bool dbert_decoder_memory(const DbertConfig *config, size_t n_tokens, int slots, int steps,
								 int threads, size_t *bytes);

/*
 * Begin: hidden[cu[n], C] are the encoder's states of n sentences, which it
 * reads here alone; cu is kept.  Released by _end, even if this fails.
 */
extern DbertStatus dbert_decoder_begin(DbertDecoder *d, const DbertModel *model,
									   const int32_t *cu, int n, const float *hidden, int slots,
									   DbertThreads *pool, const DbertAllocator *alloc,
									   const DbertPoll *poll, DbertError *err);
extern void dbert_decoder_end(DbertDecoder *d);

/* d->logits[n, V] of what follows n rows, at most slots, whose step is that. */
extern DbertStatus dbert_decoder_step(DbertDecoder *d, const DbertDecoderRow *rows, int n,
									  int step);

/* The first steps of a slot to another one. */
extern void dbert_decoder_copy(DbertDecoder *d, int from, int to, int steps);

#endif
