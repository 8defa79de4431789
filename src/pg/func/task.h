/*
 * task.h -- tasks whose answer to a text is one value.
 *
 * Each is described once; the function on a text, the function on an array of
 * texts and whatever else evaluates such calls use the same description.
 */
#ifndef DISTILBERT_PG_TASK_H
#define DISTILBERT_PG_TASK_H

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
 * setting says it, then all options: f(text [, text] [, model] [, options]).
 */
typedef struct DistilTask
{
	const char *function;		/* SQL name, for messages */
	const char *setting;		/* task of its default model; NULL: calls must name one */
	int			want;			/* DBERT_WANT_ of its batch */
	Oid			type;			/* of the answer */
	bool		pair;			/* two texts, that go through the model as one */
	int			n_options;		/* 0 .. DISTIL_MAX_OPTIONS */

	/* raise when the model or an option does not fit; NULL: any does */
	void		(*check) (const struct DistilTask *task, const DistilModel *model,
						  const NullableDatum *options);

	/*
	 * *answer for the batch's text i, a pointer palloc'd; false: NULL.  texts
	 * are what was added to the batch, one or two.  It raises for no text: rows
	 * that are never asked for have their answers made, too.
	 */
	bool		(*answer) (const DistilRun *run, int i, const DistilText *texts, Datum *answer);
} DistilTask;

#define DISTIL_MAX_OPTIONS 8
#define DISTIL_MAX_ARGS (2 + 1 + DISTIL_MAX_OPTIONS)

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

extern const DistilTask distil_task_sentiment;
extern const DistilTask distil_task_sentiment_label;
extern const DistilTask distil_task_classify_above;
extern const DistilTask distil_task_score;
extern const DistilTask distil_task_mask;
extern const DistilTask distil_task_classify;
extern const DistilTask distil_task_embed;
extern const DistilTask distil_task_embed_query;
extern const DistilTask distil_task_embed_passage;

extern const DistilTask distil_task_answer_text;
extern const DistilTask distil_task_rerank_distance;

/* Labels [n], or the first of many, for a message. */
extern const char *distil_label_list(const char *const *labels, int n);

/* NULL among the texts and the model of a call? */
extern bool distil_task_asks_nothing(FunctionCallInfo fcinfo, const DistilTask *task);

/*
 * The options of a call, [task->n_options], and its model, which with them fits
 * the task.
 */
extern void distil_task_options(FunctionCallInfo fcinfo, const DistilTask *task,
								NullableDatum *options);
extern DistilModel *distil_task_model(FunctionCallInfo fcinfo, const DistilTask *task,
									  const NullableDatum *options);

/*
 * The answer to a call on a text or a pair; a NULL among texts and model makes
 * it NULL.
 */
extern Datum distil_task_evaluate(FunctionCallInfo fcinfo, const DistilTask *task);

/*
 * Floats of an embedding, and the embedding of the batch's text i, as the
 * options say.
 */
extern int	distil_embedding_width(const DistilModel *model, const NullableDatum *options);
extern void distil_embedding_put(const DistilRun *run, int i, float4 *out);

/* The cosine of two vectors [n], -1 .. 1; 0 if one of them has no length. */
extern float4 distil_vector_cosine(const float4 *a, const float4 *b, int n);

/*
 * Number of tokens of a text, [CLS] and [SEP] included; false: NULL, as
 * distilbert.on_error says.
 */
extern bool distil_count_tokens(const DistilModel *model, Datum value, int32 *tokens);

#endif
