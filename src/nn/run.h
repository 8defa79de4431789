/*
 * run.h -- what the parts of one run of a model share: scratch, blocks of rows,
 * loops over them, linear layers, the poll.
 *
 * Rows are taken in blocks, small enough for one product to take a few
 * milliseconds; between products the poll is asked.  Threads draw blocks of
 * rows, or heads of texts, in loops; each has scratch of its own for a block,
 * and what goes from one loop to the next lies in shared scratch, row by row.
 */
#ifndef DBERT_NN_RUN_H
#define DBERT_NN_RUN_H

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "model/family.h"
#include "model/pack.h"

/* No block has more rows, and no span unless it is a single text. */
#define DBERT_BLOCK_ROWS 120
#define DBERT_SPAN_ROWS 360

/* Parts of the workspace, each on a 64-byte boundary. */
typedef struct DbertScratch
{
	float	   *qkv;			/* [span, C + 2K] */
	float	   *context;		/* [span, C] */
	float	   *rotary;			/* sines and cosines (rotary.h), */
	size_t		rotary_floats;	/* of a table, */
	int			rotary_tables;	/* none, one, or one more for local layers */
	float	   *conv;			/* [span, C] (conv.h) */
	float	   *bias;			/* by distance (distancebias.h), */
	int			longest;		/* of texts of up to so many tokens */

	/* Of one worker, the next one's own_floats on (dbert_worker_run). */
	float	   *x;				/* [block, C or W] */
	float	   *y;				/* [block, C or W] */
	float	   *ffn;			/* [block, G], rows dbert_ffn_stride apart */
	float	   *attention;		/* dbert_attention_scratch */
	float	   *conv_in;		/* [block, K] */
	float	   *int8;			/* dbert_int8_scratch, for models of 8 bits */
	size_t		own_floats;
} DbertScratch;

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
 * The scratch inside a workspace for a batch of n_tokens tokens whose longest
 * text has max_len, with worker 0's own; workspace NULL: its sizes alone.
 * *floats = those of the workspace without other workers' own; false: more than
 * a size_t.
 */
extern bool dbert_scratch_place(const DbertConfig *config, size_t n_tokens, size_t max_len,
								float *workspace, DbertScratch *scratch, size_t *floats);

/*
 * The run's scratch inside a workspace of dbert_encoder_workspace's size.
 */
extern void dbert_run_scratch(DbertRun *run, size_t n_tokens, size_t max_len, float *workspace);

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

/* Multiply-adds of one product: a few milliseconds. */
extern size_t dbert_block_work(const DbertModel *model);

/* How many blocks of so many rows. */
extern int	dbert_blocks(int rows, int block);

/* How many of rising[n] are below end. */
extern int	dbert_count_below(const int32_t *rising, int n, int32_t end);

/*
 * What a half of a layer, attention or feed-forward, reads of a block's rows
 * x[m, C]: their norm where norms come first (in scratch.x, if the half has
 * one), or the rows themselves, as a product may read them.
 */
extern const float *dbert_half_input(const DbertRun *run, const DbertNorm *norm, const float *x,
									 int m);

/* x = norm(x + y) or, where norms come first, x + y; all [m, C]. */
extern void dbert_half_output(const DbertRun *run, const DbertNorm *norm, float *x, const float *y,
							  int m);

/* y[m, C] = norm(x), layer norm or RMS norm, as the family has; y may be x. */
extern void dbert_norm_rows(const DbertRun *run, const DbertNorm *norm, float *y, const float *x,
							int m);

/*
 * y[m, layer->n] = act(layer(x[m, layer->k])), rows ldy and ldx floats apart.
 */
extern void dbert_linear(const DbertRun *run, const DbertLinear *layer,
						 float *y, size_t ldy, const float *x, size_t ldx, int m, int act);

/*
 * The layer that gives columns first .. first+n-1 alone; first is a multiple of
 * dbert_panel of that layer.
 */
extern DbertLinear dbert_linear_columns(const DbertModel *model, const DbertLinear *layer,
										int first, int n);
extern int	dbert_panel(const DbertModel *model, const DbertLinear *layer);

/*
 * Rows whose distance is a multiple of 4096 bytes, as 3072 floats make it, fall
 * into the same sets of the cache; one more line moves them apart.
 */
static inline size_t
dbert_ffn_stride(const DbertConfig *config)
{
	return (size_t) dbert_ffn_rows(config) + 16;
}

/*
 * A word's row to row[W], of tables that are not of floats: in 16 or in 8 bits.
 */
extern void dbert_word_row(const DbertModel *model, int32_t id, float *row);

/* Columns of queries, keys and values. */
static inline size_t
dbert_qkv_columns(const DbertConfig *config)
{
	return (size_t) config->hidden + 2 * (size_t) dbert_key_columns(config);
}

#endif
