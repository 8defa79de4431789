/*
 * decoder.h -- a decoder at work: one token more for each of many hypotheses.
 *
 * Keys and values are remembered: those of the encoder's states once for each
 * sentence, those of each row of a step on a tape.  A row knows the row it goes
 * on from, so nothing is copied where hypotheses fork.  Nothing is padded, and
 * a hypothesis' logits have the same bits in any company.
 *
 * The letters are encoder.h's; R rows of a step at most.
 */
#ifndef DBERT_NN_DECODER_H
#define DBERT_NN_DECODER_H

#include "nn/run.h"

/* What a decoder will be asked for, at most. */
typedef struct DbertDecoderSize
{
	size_t		tokens;			/* of all sentences: N */
	size_t		longest;		/* of a sentence */
	int			rows;			/* of a step: R */
	int			steps;
	size_t		all_rows;		/* of all steps */
} DbertDecoderSize;

typedef struct DbertDecoder
{
	DbertRun	run;			/* attention's and int8's scratch, poll, threads */
	const DbertAllocator *alloc;
	const int32_t *cu;			/* the sentences' states: rows cu[s] .. cu[s+1]-1 */
	DbertDecoderSize size;
	void	   *room;			/* of what follows */
	float	   *cross;			/* [layers, N, 2C] */
	float	   *x,				/* [R, C], */
			   *y,
			   *queries,		/* [R, 3C], */
			   *context,
			   *inner,			/* [R, F], rows of all padded to cache lines; */
			   *logits;			/* [R, V], not padded */
	int32_t    *before;			/* [all_rows] which each goes on from, -1: none */
	void	  **pieces;			/* of the tape, as they were allocated, */
	float	  **tape;			/* and where each begins: [layers, rows, 2C] */
	size_t		n_pieces;
	size_t		n_rows;			/* on the tape */
} DbertDecoder;

/*
 * A row of a step: its last token, its sentence, and which row of the tape it
 * goes on from, -1 in the first step.
 */
typedef struct DbertDecoderRow
{
	int32_t		id;
	int32_t		sentence;
	int32_t		before;
} DbertDecoderRow;

/*
 * Bytes that a decoder takes from its begin on, and those of its tape, which
 * grows to so many; false: more than a size_t.
 */
extern bool dbert_decoder_memory(const DbertConfig *config, const DbertDecoderSize *size,
								 int threads, size_t *room, size_t *tape);

/*
 * Begin: hidden[cu[n], C] are the encoder's states of n sentences, which it
 * reads here alone; cu is kept.  Released by _end, even if this fails.
 */
extern DbertStatus dbert_decoder_begin(DbertDecoder *d, const DbertModel *model,
									   const int32_t *cu, const DbertDecoderSize *size,
									   const float *hidden, DbertThreads *pool,
									   const DbertAllocator *alloc, const DbertPoll *poll,
									   DbertError *err);
extern void dbert_decoder_end(DbertDecoder *d);

/*
 * d->logits[n, V] of what follows n rows, as the step of that number; they are
 * the next n rows of the tape.
 */
extern DbertStatus dbert_decoder_step(DbertDecoder *d, const DbertDecoderRow *rows, int n,
									  int number);

#endif
