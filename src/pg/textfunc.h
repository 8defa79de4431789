/*
 * textfunc.h -- tasks whose answer to a text is one value.
 *
 * Each is described once; the function on a text, the function on an array of
 * texts and whatever else evaluates such calls use the same description.
 */
#ifndef DISTILBERT_PG_TEXTFUNC_H
#define DISTILBERT_PG_TEXTFUNC_H

#include "pg/textarg.h"

typedef struct DistilTask
{
	const char *function;		/* SQL name, for messages */
	const char *setting;		/* task of its default model; NULL: calls must name one */
	int			want;			/* DBERT_WANT_ of its batch */
	Oid			type;			/* of the answer */

	/* raise when the model does not fit; NULL: any does */
	void		(*check) (const DistilModel *model, const char *function);

	/* of text i, after dbert_batch_run; a pointer is palloc'd */
	Datum		(*answer) (const DistilModel *model, const DbertBatch *batch, int i);
} DistilTask;

extern const DistilTask distil_task_sentiment;
extern const DistilTask distil_task_sentiment_label;
extern const DistilTask distil_task_classify;
extern const DistilTask distil_task_embed;

/* The model of a call whose second argument, if there is one, names it; fits the task. */
extern DistilModel *distil_task_model(FunctionCallInfo fcinfo, const DistilTask *task);

/* Number of tokens of a text, [CLS] and [SEP] included; raises. */
extern int32 distil_count_tokens(const DistilModel *model, Datum value);

#endif
