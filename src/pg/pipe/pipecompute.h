/*
 * pipecompute.h -- what a model says of some texts: the rows of a target.
 *
 * Needs no transaction's snapshot and holds none.  The same texts give the same
 * bits as the SQL functions with the same options, alone or together.
 */
#ifndef DISTILBERT_PG_PIPECOMPUTE_H
#define DISTILBERT_PG_PIPECOMPUTE_H

#include "pg/pipe/pipetask.h"

/* Columns of an answer's rows, by the kind of the task. */
enum
{
	DISTIL_VALUE,
	DISTIL_VALUE_COLUMNS
};
enum
{
	DISTIL_CHUNK_SEQ,
	DISTIL_CHUNK_START,
	DISTIL_CHUNK_END,
	DISTIL_CHUNK_TEXT,
	DISTIL_CHUNK_EMBEDDING,
	DISTIL_CHUNK_COLUMNS
};
enum
{
	DISTIL_ENTITY_SEQ,
	DISTIL_ENTITY_TEXT,
	DISTIL_ENTITY_LABEL,
	DISTIL_ENTITY_SCORE,
	DISTIL_ENTITY_START,
	DISTIL_ENTITY_END,
	DISTIL_ENTITY_COLUMNS
};
#define DISTIL_MOST_COLUMNS DISTIL_ENTITY_COLUMNS

/* The types of the columns, [DISTIL_MOST_COLUMNS]; how many there are. */
extern int	distil_answer_types(const DistilPipeTask *task, Oid *types);

/*
 * What came of one text: n rows of one value each, of chunks, or of entities;
 * or an error.  palloc'd in the context that distil_pipe_compute was called in.
 */
typedef struct DistilAnswer
{
	ErrorData  *error;			/* NULL: there is none */
	int			n;
	NullableDatum (*rows)[DISTIL_MOST_COLUMNS]; /* [n] */
} DistilAnswer;

/*
 * Answers to texts [n].  No text is NULL.  What fails for a text is its error
 * and no other text's; what interrupts the work is raised.
 */
extern void distil_pipe_compute(const DistilPipeTask *task, DistilModel *model,
								const NullableDatum *options, const Datum *texts, int n,
								DistilAnswer *answers);

#endif
