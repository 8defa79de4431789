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

#include "base/bytes.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "kernel/kernel.h"
#include "model/config.h"
#include "model/family.h"
#include "model/pack.h"
#include "model/source.h"
#include "text/chunk.h"
#include "text/tokenizer.h"
#include "train/random.h"
#include "train/train.h"

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

/* What a batch that wants this puts before its texts; "" if nothing. */
extern const char *dbert_prompt(const DbertModel *model, int want);

/*
 * Scale x[n] to length 1; zeros stay zeros, as in
 * torch.nn.functional.normalize.
 */
extern void dbert_normalize(float *x, int n);

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

/* ---- from logits to answers (src/task) ---- */

/*
 * scores[n_labels] by the model's problem; the rule of transformers' pipeline.
 */
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
	const char *label; /* without its B-/I-/E-/S- prefix, except for NONE; label_len bytes */
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

/* ---- pairs of texts ---- */

/*
 * The label that says that the first text entails the second; -1: the model has
 * none.
 */
extern int	dbert_entailment_label(const DbertModel *model);

/*
 * scores[n] of n hypotheses about one text, from the logits[n, n_labels] of the
 * pairs; the model has an entailment label.  They sum up to 1, unless
 * multi_label (or n = 1): then each is a probability by itself.
 */
extern void dbert_zero_shot_scores(const DbertModel *model, const float *logits, int n,
								   bool multi_label, float *scores);

/*
 * How well a document fits a query, by a model with one label; and 1 - score.
 */
extern float dbert_rerank_score(const DbertModel *model, const float *logits);
extern float dbert_rerank_distance(const DbertModel *model, const float *logits);

/* ---- masked tokens ---- */

typedef struct DbertFill
{
	int32_t		id;
	float		score;
} DbertFill;

/*
 * The best tokens for a mask (0 .. rows of the text's logits - 1), best first:
 * *count = min(top_k, candidates) of them.  targets: the candidates, without
 * repetition, or NULL for the whole vocabulary.  *fills is allocated from the
 * batch's allocator, the caller frees it with dbert_free.
 */
extern DbertStatus dbert_batch_fills(const DbertBatch *batch, int i, int mask, int top_k,
									 const int32_t *targets, int n_targets,
									 DbertFill **fills, int *count, DbertError *err);

/*
 * Text i, decoded from its tokens, with one mask filled; other special tokens
 * are left out if it was the only mask.  *text is allocated as *fills is, not
 * terminated.
 */
extern DbertStatus dbert_batch_filled(const DbertBatch *batch, int i, int mask, int32_t id,
									  char **text, size_t *len, DbertError *err);

/* ---- answers to questions ---- */

typedef struct DbertAnswerOptions
{
	int			top_k;			/* answers at most, 1 or more */
	bool		no_answer;		/* that there is none is one of the answers */
	int			max_tokens;		/* of an answer, 1 or more */
} DbertAnswerOptions;

typedef struct DbertAnswer
{
	float		score;
	int32_t		start;			/* characters of the context, 0-based; -1: no answer */
	int32_t		end;			/* exclusive */
} DbertAnswer;

/*
 * The best answers, best first, to the question of pair i, whose second text is
 * context.  None if the context has no tokens (unless no_answer).  *answers is
 * allocated from the batch's allocator, the caller frees it with dbert_free.
 */
extern DbertStatus dbert_batch_answers(const DbertBatch *batch, int i, const char *context,
									   size_t len, const DbertAnswerOptions *options,
									   const DbertPoll *poll, DbertAnswer **answers, int *count,
									   DbertError *err);

/* ---- teaching ---- */

/*
 * What a model says of tokens that another one learns from: its answers, and
 * its hidden states after some of its layers.  All memory is allocated once.
 */
typedef struct DbertTeacher DbertTeacher;

typedef struct DbertTeacherOptions
{
	int			max_texts;		/* of a batch */
	int			max_tokens;
	int			max_text_tokens;
	int			threads;		/* of the pool that runs will have */
	int			n_states;		/* 0 .. L; evenly, the last layer's among them */
	bool		attention;		/* of these layers queries and keys, too */
	int			top;			/* of MASK: 1 .. V */
	float		temperature;	/* of MASK */
} DbertTeacherOptions;

/* false: more than a size_t */
extern bool dbert_teacher_bytes(const DbertModel *model, const DbertTeacherOptions *options,
								size_t *bytes);
extern DbertStatus dbert_teacher_create(const DbertModel *model, const DbertTeacherOptions *options,
										const DbertAllocator *alloc, DbertTeacher **teacher,
										DbertError *err);
extern void dbert_teacher_free(DbertTeacher *teacher);

/*
 * Of batch the tokens are read and which are masked, not what is to be learnt.
 * E_LIMIT for one larger than promised.
 */
extern DbertStatus dbert_teacher_run(DbertTeacher *teacher, const DbertTrainBatch *batch,
									 DbertThreads *pool, const DbertPoll *poll, DbertError *err);

/*
 * After a run, until the next: logits [B, n_labels] (SEQUENCE) or [N, n_labels]
 * (TOKEN), embeddings [B, E] of a model without a head; MASK: [n_masked, top +
 * 1] log q at the temperature of the likeliest tokens, these first, and of all
 * others.
 */
extern const float *dbert_teacher_outputs(const DbertTeacher *teacher);

/* MASK: these tokens [n_masked, top]. */
extern const int32_t *dbert_teacher_ids(const DbertTeacher *teacher);

/* States [N, C] number i of n_states. */
extern const float *dbert_teacher_states(const DbertTeacher *teacher, int i);

/* Queries and keys [N, 2C] of the layer after which states i are. */
extern const float *dbert_teacher_queries_keys(const DbertTeacher *teacher, int i);

/* Bytes of the combining marks (category Mn) with which a text begins. */
extern size_t dbert_leading_marks(const char *text, size_t len);

#endif
