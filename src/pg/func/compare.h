/*
 * compare.h -- pairs of texts by the vectors of both, where a task's model is
 * one of embeddings.
 *
 * The first text is read as a query, the second one as a passage, with the
 * prompts that the model's files name.
 */
#ifndef DISTILBERT_PG_COMPARE_H
#define DISTILBERT_PG_COMPARE_H

#include "pg/func/task.h"

/* Does the model answer the task so? */
static inline bool
distil_compares(const DistilTask *task, const DistilModel *model)
{
	return task->compare != NULL && model->core->config.head == DBERT_HEAD_NONE;
}

/*
 * The text's vector, read as what says (DBERT_WANT_QUERY, _PASSAGE or 0); from
 * context, NULL as of distil_run_text.
 */
extern float *distil_text_vector(DistilModel *model, int what, const DistilText *text,
								 DistilTextRules rules, MemoryContext context);

/* *answer of a pair; false: NULL, as of distil_run_text. */
extern bool distil_compare_pair(const DistilTask *task, DistilModel *model,
								const DistilText *texts, DistilTextRules rules, Datum *answer);

/*
 * The answers [n] of many pairs, each two texts; one with a text that has no
 * vector is NULL.  Nothing is raised but the cancelling of the query.  Returns
 * the tokens that went through the model.
 */
extern int64 distil_compare_pairs(const DistilTask *task, DistilModel *model,
								  const DistilText *const *pairs, int n, DistilTextRules rules,
								  NullableDatum *answers);

#endif
