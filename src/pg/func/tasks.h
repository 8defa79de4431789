/*
 * tasks.h -- the list of the functions whose answer to a text, or to a pair of
 * texts, is one value.
 *
 * A line makes all that such a function needs beside its own file:
 *		the declaration of its task, distil_task_<name> (task.h)
 *		the C function distil_<name>(text [, text] [, model] [, options])
 *		with ARRAY, too: distil_<name>_array(text[] [, text[]] ...)
 *		its place among the functions whose calls a plan node batches
 * so that none of these can be forgotten: what is not in the list cannot be
 * called.
 */
#ifndef DISTILBERT_PG_TASKS_H
#define DISTILBERT_PG_TASKS_H

#define DISTIL_TASKS(X) \
	X(sentiment, ARRAY) \
	X(sentiment_label, ARRAY) \
	X(classify, ARRAY) \
	X(score, ARRAY) \
	X(uncertainty, ARRAY) \
	X(mask, ARRAY) \
	X(embed, ARRAY) \
	X(embed_query, ARRAY) \
	X(embed_passage, ARRAY) \
	X(answer_text, ARRAY) \
	X(rerank_distance, NO_ARRAY) \
	X(translate, ARRAY)

#endif
