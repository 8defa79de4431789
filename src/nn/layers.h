/*
 * layers.h -- the encoder's parts, as encoder.c, attention.c, ffn.c and head.c
 * share them.
 *
 * Every part works on a span: a few whole texts, one after another, whose rows
 * of the hidden states are updated in place; in the last layer the rows that
 * somebody will read move together, and the others stop at their keys and
 * values.  With kernels whose rows matter
 * to each other a span is one text, so that blocks and buffers, and with them
 * every bit of the result, depend on the model and the text alone; otherwise a
 * span has rows enough for the products to run at full speed.  The rows are
 * taken in blocks, small enough for one product to take a few milliseconds;
 * between products the poll is asked.
 *
 * Threads share a span: blocks of rows, or heads of texts, are drawn by the
 * workers of the run's pool.  Each has scratch of its own for a block; what
 * goes from one loop to the next lies in shared scratch, row by row.
 */
#ifndef DBERT_NN_LAYERS_H
#define DBERT_NN_LAYERS_H

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "model/pack.h"

/* No block has more rows, and no span unless it is a single text. */
#define DBERT_BLOCK_ROWS 120
#define DBERT_SPAN_ROWS 360

/* Parts of the workspace, each on a 64-byte boundary. */
typedef struct DbertScratch
{
	float	   *qkv;			/* [span, 3C] */
	float	   *context;		/* [span, C] */

	/* Of one worker, the next one's own_floats on (dbert_worker_run). */
	float	   *x;				/* [block, C] */
	float	   *y;				/* [block, C] */
	float	   *ffn;			/* [block, F], rows dbert_ffn_stride apart */
	float	   *attention;		/* dbert_attention_scratch */
	float	   *int8;			/* dbert_int8_scratch, for models of 8 bits */
	size_t		own_floats;
} DbertScratch;

/* Texts that go through a layer together. */
typedef struct DbertSpan
{
	float	   *x;				/* [cu[n_texts] - cu[0], C] */
	const int32_t *cu;			/* [n_texts + 1], as in DbertRagged */
	int			n_texts;

	/* The rows that go on, counted as cu does; NULL: all, and out is x. */
	const int32_t *wanted;
	int			n_wanted;
	float	   *out;			/* [n_wanted, C], may overlap x up to the first wanted row */
} DbertSpan;

/* What the parts of one run need. */
typedef struct DbertRun
{
	const DbertModel *model;
	DbertScratch scratch;
	DbertThreads  *pool;			/* NULL if the kernels' rows matter */
	const DbertPoll *poll;
	DbertError *err;
} DbertRun;

/*
 * The scratch inside a workspace of dbert_encoder_workspace's size, with worker
 * 0's own.
 */
extern void dbert_scratch_place(const DbertConfig *config, size_t n_tokens, size_t max_len,
								float *workspace, DbertScratch *scratch);

/*
 * dbert_parallel_for over parts 0 .. n-1 of at most so many multiply-adds each.
 * With a pool it goes in rounds of some ten milliseconds, before each of which
 * the poll is asked: it may end the process, and must not while workers run.
 */
extern DbertStatus dbert_run_loop(const DbertRun *run, int n, size_t madds, DbertWork work,
								  void *ctx);

/*
 * The run as a part of a loop sees it: scratch of its own, no poll if there is
 * a pool.
 */
extern DbertRun dbert_worker_run(const DbertRun *run, int worker);

/* E_CANCELLED when the poll says so. */
extern DbertStatus dbert_run_poll(const DbertRun *run);

/*
 * Rows of a block when m rows meet weights of [n, k]: 1 .. DBERT_BLOCK_ROWS,
 * such that all blocks but the last are equal and that one is not small; for
 * several threads as many blocks as give each the same number, unless they
 * would be too small.
 */
extern int	dbert_block_rows(const DbertModel *model, int threads, int m, int n, int k);

/* How many blocks of so many rows. */
extern int	dbert_blocks(int rows, int block);

/* How many of rising[n] are below end. */
extern int	dbert_count_below(const int32_t *rising, int n, int32_t end);

/*
 * A block's rows x[m, C] as a product may read them.  Rows of the batch may
 * start anywhere (C is not always a multiple of 16): kernels whose rows matter
 * promise nothing about alignment and bits, for them the rows are copied.
 */
extern const float *dbert_block_input(const DbertRun *run, const float *x, int m);

/*
 * y[m, layer->n] = act(layer(x[m, layer->k])), rows ldy and ldx floats apart.
 */
extern void dbert_linear(const DbertRun *run, const DbertLinear *layer,
						 float *y, size_t ldy, const float *x, size_t ldx, int m, int act);

/*
 * The layer that gives columns first .. first+n-1 alone; first is a multiple of
 * dbert_panel of that layer.
 */
extern DbertLinear dbert_linear_columns(const DbertKernels *kernels, const DbertLinear *layer,
										int first, int n);
extern int	dbert_panel(const DbertKernels *kernels, const DbertLinear *layer);

/*
 * out = norm(x + out(softmax(Q K' / sqrt(D)) V)), heads and texts apart; x is
 * lost.
 */
extern DbertStatus dbert_attention(const DbertRun *run, const DbertLayer *layer,
								   const DbertSpan *span);

/* x[rows, C] = norm(x + out(act(in(x)))). */
extern DbertStatus dbert_feed_forward(const DbertRun *run, const DbertLayer *layer, float *x,
									  int rows);

/*
 * Rows whose distance is a multiple of 4096 bytes, as 3072 floats make it, fall
 * into the same sets of the cache; one more line moves them apart.
 */
static inline size_t
dbert_ffn_stride(const DbertConfig *config)
{
	return (size_t) config->ffn + 16;
}

static inline int
dbert_span_rows(const DbertSpan *span)
{
	return span->cu[span->n_texts] - span->cu[0];
}

#endif
