/*
 * dbert.h -- the core of distilbert as src/pg sees it.
 *
 * Life of a model: dbert_pack_begin / _write / _end turn files into an image
 * (model/pack.h), dbert_model_open opens an image that the caller has mapped.
 * Life of a query: a DbertBatch takes texts (dbert_batch_add tokenises), runs
 * them (dbert_batch_run), and answers per text; _reset makes it ready for the
 * next.  Texts of a batch may have any lengths: nothing is padded, and a
 * text's answer has the same bits in whatever company it is computed.
 *
 * No function here allocates but through the DbertAllocator it was given,
 * keeps state outside its arguments, or jumps.
 */
#ifndef DBERT_H
#define DBERT_H

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "kernel/kernel.h"
#include "model/config.h"
#include "model/pack.h"
#include "model/source.h"
#include "text/tokenizer.h"

typedef struct DbertBatch DbertBatch;

/* What dbert_batch_run is to compute; logits need a model with a head. */
#define DBERT_WANT_LOGITS	0x01
#define DBERT_WANT_EMBEDDING	0x02
#define DBERT_WANT_HIDDEN		0x04	/* of all tokens; no prompt is put before the text */

/* The embedding is to be that of a query, or of a passage, of the model's prompts. */
#define DBERT_WANT_QUERY		0x08
#define DBERT_WANT_PASSAGE		0x10
#define DBERT_WANT_END			0x20	/* one past all of them together */

extern DbertStatus dbert_batch_create(const DbertModel *model, int want,
									  const DbertAllocator *alloc,
									  DbertBatch **batch, DbertError *err);
extern void dbert_batch_free(DbertBatch *batch);

/*
 * Runs to come share the work with the pool's threads (NULL, as at first: the
 * caller's alone); no result depends on it.  The pool must outlive the runs.
 */
extern void dbert_batch_set_pool(DbertBatch *batch, DbertPool *pool);

/* Forget the texts, keep the memory. */
extern void dbert_batch_reset(DbertBatch *batch);

/*
 * Tokenise and append one text (and its pair, or NULL).  truncate: cut at
 * config.max_tokens; else a longer text is E_LIMIT, its sentence telling both
 * numbers.  On failure the batch is as it was.
 */
extern DbertStatus dbert_batch_add(DbertBatch *batch, const char *text, size_t len,
								   const char *pair, size_t pair_len, bool truncate,
								   const DbertPoll *poll, DbertError *err);

extern int	dbert_batch_count(const DbertBatch *batch);
extern size_t dbert_batch_tokens(const DbertBatch *batch);	/* of all texts */
extern bool dbert_batch_truncated(const DbertBatch *batch, int i);

/* The tokens of text i. */
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
 * Logits of text i: SEQUENCE [1, n_labels], TOKEN [T, n_labels], SPAN [T, 2]
 * (start, end), MASK [number of its mask tokens, V].  *rows tells how many.
 */
extern const float *dbert_batch_logits(const DbertBatch *batch, int i, int *rows);
extern const float *dbert_batch_embedding(const DbertBatch *batch, int i);	/* [E] */
extern const float *dbert_batch_hidden(const DbertBatch *batch, int i);	/* [T, C] */

/* What a batch that wants this puts before its texts; "" if nothing. */
extern const char *dbert_prompt(const DbertModel *model, int want);

/* Scale x[n] to length 1; zeros stay zeros, as in torch.nn.functional.normalize. */
extern void dbert_normalize(float *x, int n);

/* ---- from logits to answers (src/task) ---- */

/* scores[n_labels] by the model's problem; the rule of transformers' pipeline. */
extern void dbert_classify_scores(const DbertModel *model, const float *logits, float *scores);

/* Index of the best label. */
extern int	dbert_classify_best(const DbertModel *model, const float *logits);

/*
 * Sentiment: P(positive) - P(negative), -1 .. 1.  The labels may be
 * negative/positive with or without neutral (any case, also NEG/POS/NEU), or
 * "1 star" .. "5 stars" (score: the expected star, mapped to -1 .. 1).
 * dbert_model_has_sentiment tells whether the model's labels are such.
 */
extern bool dbert_model_has_sentiment(const DbertModel *model);
extern float dbert_sentiment(const DbertModel *model, const float *logits);

/* The same question while a model is being loaded. */
extern bool dbert_labels_have_sentiment(const char *const *labels, int n_labels);

typedef enum DbertAggregation
{
	DBERT_AGGREGATE_NONE,		/* every token that is not "O", as it is */
	DBERT_AGGREGATE_SIMPLE,
	DBERT_AGGREGATE_FIRST,
	DBERT_AGGREGATE_AVERAGE,
	DBERT_AGGREGATE_MAX
} DbertAggregation;

/* false: no such name */
extern bool dbert_aggregation_parse(const char *name, DbertAggregation *out);

typedef struct DbertEntity
{
	const char *label;			/* without its B-/I-/E-/S- prefix, except for NONE; label_len bytes */
	size_t		label_len;
	float		score;
	int32_t		start;			/* characters of the text, 0-based */
	int32_t		end;			/* exclusive */
} DbertEntity;

/*
 * The entities of text i, in order of appearance, as transformers'
 * TokenClassificationPipeline gives them.  *entities is allocated from the
 * batch's allocator, the caller frees it with dbert_free; labels point into
 * the model.
 */
extern DbertStatus dbert_batch_entities(const DbertBatch *batch, int i,
										DbertAggregation aggregation, float min_score,
										DbertEntity **entities, int *count, DbertError *err);

#endif
