/*
 * head.h -- what stands on top of an encoder: one table with a row for each
 * head.
 *
 * A head makes logits from some rows of the last hidden states.  Whoever asks
 * "which rows, how many columns, what do they mean" reads the table; only code
 * that is one head's own, as the decoding of entities, names the head.
 */
#ifndef DBERT_MODEL_HEAD_H
#define DBERT_MODEL_HEAD_H

#include "base/status.h"

#include <stdbool.h>

typedef enum DbertHead
{
	DBERT_HEAD_NONE,			/* hidden states, pooled: embeddings */
	DBERT_HEAD_SEQUENCE,		/* one row of logits per text */
	DBERT_HEAD_TOKEN,			/* one row of logits per token */
	DBERT_HEAD_SPAN,			/* start and end logit per token (question answering) */
	DBERT_HEAD_MASK,			/* logits over the vocabulary at [MASK] positions */
	DBERT_HEAD_TRANSLATE		/* logits of a decoder's next token (nn/decoder.h) */
} DbertHead;

#define DBERT_HEADS (DBERT_HEAD_TRANSLATE + 1)

/* In place of a head: the one that the model's files name. */
#define DBERT_HEAD_AUTO (-1)

/* Which tokens get a row of logits. */
typedef enum DbertHeadRows
{
	DBERT_ROWS_NONE,
	DBERT_ROWS_FIRST,			/* the first one, [CLS] */
	DBERT_ROWS_ALL,
	DBERT_ROWS_MASKED			/* those that are [MASK] */
} DbertHeadRows;

/* What the columns of a row are. */
typedef enum DbertHeadColumns
{
	DBERT_COLUMNS_NONE,
	DBERT_COLUMNS_LABELS,		/* classes, with names of the model's own */
	DBERT_COLUMNS_TWO,			/* whether an answer starts and whether it ends here */
	DBERT_COLUMNS_VOCAB			/* tokens */
} DbertHeadColumns;

typedef struct DbertHeadTraits
{
	const char *task;			/* as it is asked for by name: "classify" */
	const char *suffix;			/* of its models' architecture: "ForSequenceClassification" */
	DbertHeadRows rows;
	DbertHeadColumns columns;

	/* The labels may exclude each other or not, or be numbers: DbertProblem. */
	bool		has_problem;

	/*
	 * Of a text in windows each window keeps the rows of all its tokens.  Pairs
	 * are a question and its context, which is cut as transformers'
	 * question-answering pipeline cuts it.
	 */
	bool		windows_apart;

	/* A text's logits are a few numbers: worth keeping for the next time. */
	bool		cacheable;
} DbertHeadTraits;

/* head: one of DbertHead, not AUTO */
extern const DbertHeadTraits *dbert_head_traits(int head);

/*
 * The head of a task's name; NULL: AUTO; E_INVALID, naming those that are
 * known, for any other.
 */
extern DbertStatus dbert_head_parse(const char *task, int *head, DbertError *err);

/* Does it give a row of logits for each token? */
static inline bool
dbert_head_of_tokens(int head)
{
	return dbert_head_traits(head)->rows == DBERT_ROWS_ALL;
}

/* Has each column a name, be it a class or what is told by it? */
static inline bool
dbert_head_names_columns(int head)
{
	DbertHeadColumns columns = dbert_head_traits(head)->columns;

	return columns == DBERT_COLUMNS_LABELS || columns == DBERT_COLUMNS_TWO;
}

/* Are they classes? */
static inline bool
dbert_head_has_labels(int head)
{
	return dbert_head_traits(head)->columns == DBERT_COLUMNS_LABELS;
}

#endif
