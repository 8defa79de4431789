/*
 * batch.h -- texts of any lengths, run together, and what the model says of
 * them.
 *
 * A DbertBatch takes texts (dbert_batch_add tokenises), runs them
 * (dbert_batch_run) and hands out results per text; _reset makes it ready for
 * the next.  Nothing is padded, and a text's results have the same bits in
 * whatever company it is run.
 */
#ifndef DBERT_NN_BATCH_H
#define DBERT_NN_BATCH_H

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "model/pack.h"
#include "text/tokenizer.h"

typedef struct DbertBatch DbertBatch;

/* What dbert_batch_run is to compute; logits need a model with a head. */
#define DBERT_WANT_LOGITS	0x01
#define DBERT_WANT_EMBEDDING	0x02
#define DBERT_WANT_HIDDEN		0x04	/* of all tokens; no prompt is put before the text */

/*
 * The embedding is to be that of a query, or of a passage, of the model's
 * prompts.
 */
#define DBERT_WANT_QUERY		0x08
#define DBERT_WANT_PASSAGE		0x10
#define DBERT_WANT_END			0x20	/* one past all of them together */

extern DbertStatus dbert_batch_create(const DbertModel *model, int want,
									  const DbertAllocator *alloc,
									  DbertBatch **batch, DbertError *err);
extern void dbert_batch_free(DbertBatch *batch);

/* A pointer that the batch keeps for its creator; NULL at first. */
extern void dbert_batch_set_owner(DbertBatch *batch, void *owner);
extern void *dbert_batch_owner(const DbertBatch *batch);

/*
 * About how many bytes a batch of so many tokens takes, its longest text having
 * longest, run by so many threads; false: more than a size_t.  Short texts and
 * long ones are allowed for, several mask tokens in a text are not.
 */
extern bool dbert_batch_memory(const DbertModel *model, int want, size_t tokens, size_t longest,
							   int threads, size_t *bytes);

/*
 * Runs to come share the work with the pool's threads (NULL, as at first: the
 * caller's alone); no result depends on it.  The pool must outlive the runs.
 */
extern void dbert_batch_set_threads(DbertBatch *batch, DbertThreads *pool);

/* Forget the texts, keep the memory. */
extern void dbert_batch_reset(DbertBatch *batch);

/* What becomes of a text of more tokens than the model takes. */
typedef enum DbertLongText
{
	DBERT_LONG_ERROR,
	DBERT_LONG_TRUNCATE,		/* only its beginning is read */
	/* the same; of a pair the first text alone gives way, as "only_first" */
	DBERT_LONG_TRUNCATE_FIRST,
	DBERT_LONG_WINDOW			/* it is read in overlapping windows */
} DbertLongText;

/* No text may have more tokens, unless the rest is cut off. */
#define DBERT_MAX_TEXT_TOKENS (1 << 20)

/*
 * Tokenise and append one text (and its pair, or NULL).  It is truncated as by
 * dbert_tokenize.  Windows have at most config.max_tokens tokens; those of a
 * pair for a SPAN head (question, context) at most 384, slices of the context
 * that overlap by 128, as in transformers' question-answering pipeline; of
 * other pairs the longer text is sliced.  E_TOO_LONG: for ERROR, the sentence
 * telling both numbers; or more than DBERT_MAX_TEXT_TOKENS.  E_LIMIT: a pair
 * whose other text leaves no room (in windows, or for TRUNCATE_FIRST).  On
 * failure the batch is as it was.
 */
extern DbertStatus dbert_batch_add(DbertBatch *batch, const char *text, size_t len,
								   const char *pair, size_t pair_len, DbertLongText long_text,
								   const DbertPoll *poll, DbertError *err);

extern int	dbert_batch_count(const DbertBatch *batch);
extern size_t dbert_batch_tokens(const DbertBatch *batch);	/* of all texts, as they are encoded */
extern bool dbert_batch_truncated(const DbertBatch *batch, int i);

/* The tokens of text i, windows or not: each once. */
extern const DbertToken *dbert_batch_text_tokens(const DbertBatch *batch, int i, int *count);

extern DbertStatus dbert_batch_run(DbertBatch *batch, const DbertPoll *poll, DbertError *err);

/*
 * Instead of adding and running: the batch has one text, whose results the
 * caller knows and fills in, logits [n_labels] (of a SEQUENCE head) and
 * embedding [E] as the batch wants them, else NULL.  It has no tokens.
 */
extern DbertStatus dbert_batch_recall(DbertBatch *batch, float **logits, float **embedding,
									  DbertError *err);

/*
 * After dbert_batch_run, valid until the next add, reset or free.
 *
 * Logits of text i, which has T tokens: SEQUENCE [1, n_labels], TOKEN
 * [T, n_labels], MASK [number of its mask tokens, V], SPAN those of all its
 * windows.  *rows tells how many.  In windows, the logits of SEQUENCE and the
 * embedding are means by tokens.
 */
extern const float *dbert_batch_logits(const DbertBatch *batch, int i, int *rows);
extern const float *dbert_batch_embedding(const DbertBatch *batch, int i);	/* [E] */
extern const float *dbert_batch_hidden(const DbertBatch *batch, int i);	/* [T, C] */

/*
 * Are the results of text i finite, and all that they were made of?  Otherwise
 * the weights are too large for some step, and there is no answer: what comes
 * behind it may look like one, for not every step passes NaN on.
 */
extern bool dbert_batch_finite(const DbertBatch *batch, int i);

/* What a batch that wants this puts before its texts; "" if nothing. */
extern const char *dbert_prompt(const DbertModel *model, int want);

/* A sequence that the encoder read; most texts are one. */
typedef struct DbertWindow
{
	const DbertToken *tokens;	/* the slice of the text that is its own: [count] */
	int			first;			/* where the slice stands in the sequence */
	int			count;
	int			length;			/* of the sequence */
	const float *logits; /* [length, 2] (start, end) of a SPAN head, after a run; else NULL */
} DbertWindow;

/*
 * The windows of text i, in order; of a pair for a SPAN head, slices of the
 * second text.
 */
extern int	dbert_batch_windows(const DbertBatch *batch, int i);
extern DbertWindow dbert_batch_window(const DbertBatch *batch, int i, int number);

#endif
