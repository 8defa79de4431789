/*
 * sentimentfunc.c -- the sentiment of a text.
 *
 *	   distil_sentiment(text [, model])			real, -1 .. 1
 *	   distil_sentiment_label(text [, model])	text
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "pg/bridge/compat.h"
#include "pg/func/labels.h"
#include "pg/func/task.h"

static void
check_sentiment(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	distil_require_head(model, DBERT_HEAD_SEQUENCE, task->function);
	if (dbert_model_has_sentiment(model->core))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("labels of model \"%s\" do not tell a sentiment", model->name),
			 errdetail("Its labels are %s.",
					   distil_label_list(model->core->labels, model->core->config.n_labels)),
			 errhint("This model can be used with distil_classify or distil_scores.")));
}

static bool
answer_sentiment(const DistilRun *run, int i, const DistilText *texts, Datum *answer)
{
	int			rows;

	*answer =
		Float4GetDatum(dbert_sentiment(run->model->core, dbert_batch_logits(run->batch, i, &rows)));
	return true;
}

static bool
answer_sentiment_label(const DistilRun *run, int i, const DistilText *texts, Datum *answer)
{
	int			best = distil_top_label(run->model, run->batch, i);

	*answer = PointerGetDatum(distil_label_text(run->model->core->labels[best]));
	return true;
}

const DistilTask distil_task_sentiment = {
	.function = "distil_sentiment",
	.setting = "sentiment",
	.want = DBERT_WANT_LOGITS,
	.type = FLOAT4OID,
	.check = check_sentiment,
	.answer = answer_sentiment
};

const DistilTask distil_task_sentiment_label = {
	.function = "distil_sentiment_label",
	.setting = "sentiment",
	.want = DBERT_WANT_LOGITS,
	.type = TEXTOID,
	.check = check_sentiment,
	.answer = answer_sentiment_label
};
