/*
 * batch_inside.h -- the inside of a DbertBatch, for its own files (batch.c,
 * batch_add.c, batch_group.c, batch_run.c) and src/task.
 */
#ifndef DBERT_NN_BATCH_INSIDE_H
#define DBERT_NN_BATCH_INSIDE_H

#include "base/layout.h"
#include "nn/batch.h"
#include "nn/window.h"

typedef struct DbertBatchText
{
	int32_t		first;			/* index of its first token */
	bool		truncated;
	bool		finite;			/* after a run: no NaN, no infinity */
	DbertWindowCut cut;
	int32_t		first_window;
	int32_t		n_windows;
	int			rows;			/* of logits, after a run */
	size_t		logits;			/* where they start */
} DbertBatchText;

struct DbertBatch
{
	const DbertModel *model;
	const DbertAllocator *alloc;
	void	   *owner;			/* the caller's, not looked at */
	int			want;
	DbertThreads  *pool;			/* of the caller's, or NULL */
	bool		has_run;		/* the results below are those of these texts */

	/* The texts; arrays keep their memory when the batch is reset. */
	DbertTokenList tokens;		/* of all texts */
	DbertBatchText *texts;
	size_t		n_texts,
				texts_capacity;

	/* Their windows, those of text i from texts[i].first_window on. */
	DbertBatchWindow *windows;
	size_t		n_windows,
				windows_capacity;
	size_t		n_encoded;		/* tokens of all windows */
	char	   *joined;			/* prompt and text */
	size_t		joined_capacity;

	/* What the encoder takes of a group of windows. */
	int32_t    *cu;
	int32_t    *ids;
	uint8_t    *types;
	int32_t    *wanted;			/* rows of the last layer that head and pooling read, */
	size_t		n_wanted;		/* fewer than tokens or not used */
	size_t		cu_capacity,
				ids_capacity,
				types_capacity,
				wanted_capacity;

	/* One piece of memory for all floats of a run, and its parts. */
	void	   *floats;
	size_t		floats_capacity;	/* bytes */
	float	   *hidden;			/* [tokens of a group, C] */
	float	   *workspace;
	float	   *part;			/* a window's share in its text's result */
	float	   *pooled;			/* [C], of the text whose windows are being finished */
	float	   *between;		/* dbert_steps_scratch */
	float	   *embedding;		/* [B, E], rows embedding_stride floats apart */
	size_t		embedding_stride;
	float	   *states;			/* [tokens of all texts, C], if they are wanted */
	float	   *logits;			/* of text i from texts[i].logits on */
};

/* Tokens of text i. */
extern int	dbert_batch_text_count(const DbertBatch *batch, int i);

/* Are hidden states pooled, for an embedding or by a head? */
static inline bool
dbert_batch_pools(const DbertBatch *batch)
{
	bool		logits = (batch->want & DBERT_WANT_LOGITS) && batch->model->config.pooled_head;

	return logits || (batch->want & DBERT_WANT_EMBEDDING);
}

static inline const DbertHeadTraits *
dbert_batch_traits(const DbertBatch *batch)
{
	return dbert_head_traits(batch->model->config.head);
}

/* ---- batch_run.c, batch_lookup.c ---- */

/*
 * Floats of the size that a first walk added up in l; l becomes the second's
 * beginning.
 */
extern bool dbert_batch_reserve(DbertBatch *batch, DbertLayout *l);

/* The embeddings of a model that has no layers. */
extern DbertStatus dbert_batch_look_up(DbertBatch *batch, const DbertPoll *poll,
									   DbertError *err);

/* ---- batch_group.c ---- */

/*
 * So many tokens are encoded together, or one window: enough for the kernels'
 * best speed and two or more threads, and for a text of any length the same
 * memory.
 */
#define DBERT_GROUP_TOKENS 8192

/*
 * Windows that are encoded together; each belongs to texts[text] or a later
 * one.
 */
typedef struct DbertBatchGroup
{
	int32_t		first,			/* windows of the batch */
				count;
	int32_t		text;			/* of the first */
	int32_t		tokens;
	int32_t		longest;
} DbertBatchGroup;

/* The group behind another one, {0} for the first; false: there is none. */
extern bool dbert_batch_next_group(const DbertBatch *batch, DbertBatchGroup *g);

/* Fill cu, ids, types and wanted for a group; they have room. */
extern void dbert_batch_lay_out_group(DbertBatch *batch, const DbertBatchGroup *g);

/* The text of a window at or behind text b. */
extern int32_t dbert_batch_text_of_window(const DbertBatch *batch, int32_t b, int32_t w);

/*
 * Index in its sequence of the first token that is the window's own, and their
 * number.
 */
extern int32_t dbert_batch_own_tokens(const DbertBatchText *text, const DbertBatchWindow *w,
									  int32_t *count);

/*
 * The part of a window's sequence that the head reads: where it begins, and its
 * length.
 */
extern int32_t dbert_batch_head_part(const DbertBatch *batch, const DbertBatchText *text,
									 const DbertBatchWindow *w, int32_t *count);

/* How many of the tokens that begin each sequence of a text are not pooled. */
extern int32_t dbert_batch_unpooled_tokens(const DbertBatch *batch, const DbertBatchText *text);

#endif
