/*
 * batch.h -- the inside of a DbertBatch (dbert.h), for src/nn and src/task.
 */
#ifndef DBERT_NN_BATCH_H
#define DBERT_NN_BATCH_H

#include "dbert.h"
#include "nn/window.h"

typedef struct DbertBatchText
{
	int32_t		first;			/* index of its first token */
	bool		truncated;
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
	size_t		floats_capacity;
	float	   *hidden;			/* [tokens of a group, C] */
	float	   *workspace;
	float	   *part;			/* a window's share in its text's result */
	float	   *pooled;			/* [C], of the text whose windows are being finished */
	float	   *embedding;		/* [B, E], rows embedding_stride floats apart */
	size_t		embedding_stride;
	float	   *states;			/* [tokens of all texts, C], if they are wanted */
	float	   *logits;			/* of text i from texts[i].logits on */
};

/* Tokens of text i. */
extern int	dbert_batch_text_count(const DbertBatch *batch, int i);

#endif
