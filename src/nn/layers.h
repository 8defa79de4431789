/*
 * layers.h -- the encoder's parts, as encoder.c, attention.c, ffn.c and head.c
 * share them.
 *
 * Every part works on one text: x is its [T, C] rows of the hidden states,
 * updated in place.  The rows are taken in blocks counted from the text's
 * first row, small enough for one product to take a few milliseconds; between
 * products the poll is asked.  Since blocks and buffers depend on the model
 * and the text alone, so does every bit of the result.
 */
#ifndef DBERT_NN_LAYERS_H
#define DBERT_NN_LAYERS_H

#include "base/memory.h"
#include "base/status.h"
#include "model/pack.h"

/* No block has more rows. */
#define DBERT_BLOCK_ROWS 64

/*
 * Parts of the workspace, each on a 64-byte boundary.  A block's input rows
 * are copied into x: rows of the batch may start anywhere (C is not always a
 * multiple of 16), and OpenBLAS promises nothing about alignment and bits.
 */
typedef struct DbertScratch
{
	float	   *x;				/* [block, C] */
	float	   *y;				/* [block, C] */
	float	   *ffn;			/* [block, F] */
	float	   *qkv;			/* [T, 3C] */
	float	   *context;		/* [T, C] */
	float	   *scores;			/* [block, T] */
} DbertScratch;

/* What the parts of one run need. */
typedef struct DbertRun
{
	const DbertModel *model;
	DbertScratch scratch;
	const DbertPoll *poll;
	DbertError *err;
} DbertRun;

/* The scratch inside a workspace of dbert_encoder_workspace's size. */
extern void dbert_scratch_place(const DbertConfig *config, size_t max_len,
								float *workspace, DbertScratch *scratch);

/* E_CANCELLED when the poll says so. */
extern DbertStatus dbert_run_poll(const DbertRun *run);

/* Rows of a block in products with a weight of [n, k]: 1 .. DBERT_BLOCK_ROWS. */
extern int	dbert_block_rows(const DbertKernels *kernels, int n, int k);

/* y[m, layer->n] = layer(x[m, layer->k]), both without gaps between rows. */
extern void dbert_linear(const DbertKernels *kernels, const DbertLinear *layer,
						 float *y, const float *x, int m);

/* x[t, C] = norm(x + out(softmax(Q K' / sqrt(D)) V)), heads apart. */
extern DbertStatus dbert_attention(const DbertRun *run, const DbertLayer *layer, float *x, int t);

/* x[t, C] = norm(x + out(act(in(x)))). */
extern DbertStatus dbert_feed_forward(const DbertRun *run, const DbertLayer *layer, float *x, int t);

#endif
