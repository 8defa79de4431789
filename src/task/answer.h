/*
 * answer.h -- the parts of a context that answer a question.
 */
#ifndef DBERT_TASK_ANSWER_H
#define DBERT_TASK_ANSWER_H

#include "nn/batch.h"

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

#endif
