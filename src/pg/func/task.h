/*
 * task.h -- tasks: functions whose answer to a text, or a pair, is one value.
 *
 * Each is described once, in the file that answers it, and listed once, in
 * tasks.h; the function on a text, the function on an array of texts and the
 * plan node that batches such calls use the same description.
 */
#ifndef DISTILBERT_PG_TASK_H
#define DISTILBERT_PG_TASK_H

#include "pg/func/tasks.h"
#include "pg/run/runtext.h"

/* A model's batch that has run, and the options of the call that asks. */
typedef struct DistilRun
{
	DistilModel *model;
	DbertBatch *batch;
	const NullableDatum *options;	/* [n_options of the task] */
} DistilRun;

/*
 * SQL functions of a task take its texts, then the model's name unless the
 * setting says it, then all options, and where a model is named, perhaps what
 * becomes of long texts and of errors:
 * f(text [, text] [, model] [, options] [, long_text, on_error]).
 */
typedef struct DistilTask
{
	const char *function;		/* SQL name, for messages */
	const char *setting;		/* task of its default model; NULL: calls must name one */
	int			want;			/* DBERT_WANT_ of its batch */
	Oid			type;			/* of the answer */
	bool		pair;			/* two texts, that go through the model as one */
	int			n_options;		/* 0 .. DISTIL_MAX_OPTIONS */

	/* Raise when the model or an option does not fit; NULL: any does. */
	void		(*check) (const struct DistilTask *task, const DistilModel *model,
						  const NullableDatum *options);

	/*
	 * *answer for the batch's text i, a pointer palloc'd; false: NULL.  texts
	 * are what was added to the batch, one or two.  Never raises: it may be
	 * called for rows that nobody reads.
	 */
	bool		(*answer) (const DistilRun *run, int i, const DistilText *texts, Datum *answer);

	/*
	 * Of answers that are not read off a batch: those to texts [n], all at
	 * once; then there is no answer above.  A text without one is NULL.  quiet:
	 * nothing is raised but the cancelling of the query.  Returns the tokens
	 * that went through the model.
	 */
	int64		(*answer_all) (const struct DistilTask *task, DistilModel *model,
							   const NullableDatum *options, const DistilText *const *texts,
							   int n, DistilTextRules rules, bool quiet, NullableDatum *answers);

	/*
	 * Of pairs whose model may be one of embeddings, too: the answer then, of
	 * the vectors [width] of both texts, the first read as a query and the
	 * second as a passage (compare.h).  NULL: it may not be.
	 */
	Datum		(*compare) (const float *query, const float *passage, int width);

	/*
	 * Of answers that are vectors, real[]: how many floats they all have, and
	 * the same answer put at *out.  An array of texts gets a matrix of them.
	 */
	int			(*width) (const DistilModel *model, const NullableDatum *options);
	void		(*put) (const DistilRun *run, int i, float4 *out);

	/*
	 * Of pairs with a form on arrays: raise, as the arrays' lengths differ.
	 */
	void		(*uneven) (int n_first, int n_second);
} DistilTask;

#define DISTIL_MAX_OPTIONS 8
#define DISTIL_MAX_ARGS (2 + 1 + DISTIL_MAX_OPTIONS + 2)

static inline int
distil_task_texts(const DistilTask *task)
{
	return task->pair ? 2 : 1;
}

/* Where a call with nargs arguments names its model; -1: it does not. */
static inline int
distil_task_model_arg(const DistilTask *task, int nargs)
{
	int			texts = distil_task_texts(task);

	return nargs > texts + task->n_options ? texts : -1;
}

#define DISTIL_DECLARE_TASK(name, array) extern const DistilTask distil_task_##name;
DISTIL_TASKS(DISTIL_DECLARE_TASK)
#undef DISTIL_DECLARE_TASK

/* The task whose function on a text has this C symbol; NULL: none has. */
extern const DistilTask *distil_task_of_symbol(const char *symbol);

/* Where a call with nargs arguments has its options. */
static inline int
distil_task_first_option(const DistilTask *task, int nargs)
{
	return distil_task_texts(task) + (distil_task_model_arg(task, nargs) >= 0);
}

static inline bool
distil_task_is_option(const DistilTask *task, int nargs, int arg)
{
	int			first = distil_task_first_option(task, nargs);

	return arg >= first && arg < first + task->n_options;
}

/* NULL among the arguments of a call that are no options? */
extern bool distil_task_asks_nothing(FunctionCallInfo fcinfo, const DistilTask *task);

/* Does the call come before its model in a dump?  Then it gives NULL. */
extern bool distil_task_is_early(FunctionCallInfo fcinfo, const DistilTask *task);

/*
 * The options of a call, [task->n_options], and its model, which with them fits
 * the task.
 */
extern void distil_task_options(FunctionCallInfo fcinfo, const DistilTask *task,
								NullableDatum *options);
extern DistilModel *distil_task_model(FunctionCallInfo fcinfo, const DistilTask *task,
									  const NullableDatum *options);

/* What becomes of long texts and of errors; no texts are looked at. */
extern DistilTextRules distil_task_rules(const DistilTask *task, const NullableDatum *args,
										 int nargs);

#endif
