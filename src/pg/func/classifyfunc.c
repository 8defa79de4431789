/*
 * classifyfunc.c -- the best label of a text, and its sentiment.
 *
 *	   distil_sentiment(text [, model])			real, -1 .. 1
 *	   distil_sentiment_label(text [, model])	text
 *	   distil_classify(text, model)				text
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/func/task.h"

/* So many labels are listed in a message. */
#define LABELS_SHOWN 20

PG_FUNCTION_INFO_V1(distil_sentiment);
PG_FUNCTION_INFO_V1(distil_sentiment_label);
PG_FUNCTION_INFO_V1(distil_classify);

/* ---- the tasks ---- */

const char *
distil_label_list(const char *const *labels, int n)
{
	StringInfoData s;
	int			shown = Min(n, LABELS_SHOWN);

	initStringInfo(&s);
	for (int i = 0; i < shown; i++)
	{
		const char *label = labels[i];
		text	   *t = distil_text_from_utf8(label, strlen(label));

		appendStringInfo(&s, "%s\"%s\"", i > 0 ? ", " : "", text_to_cstring(t));
	}
	if (shown < n)
		appendStringInfoString(&s, ", ...");
	return s.data;
}

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

static void
check_classify(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	distil_require_head(model, DBERT_HEAD_SEQUENCE, task->function);
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
answer_label(const DistilRun *run, int i, const DistilText *texts, Datum *answer)
{
	const DbertModel *core = run->model->core;
	int			rows;
	const char *label =
		core->labels[dbert_classify_best(core, dbert_batch_logits(run->batch, i, &rows))];

	*answer = PointerGetDatum(distil_text_from_utf8(label, strlen(label)));
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
	.answer = answer_label
};

const DistilTask distil_task_classify = {
	.function = "distil_classify",
	.want = DBERT_WANT_LOGITS,
	.type = TEXTOID,
	.check = check_classify,
	.answer = answer_label
};

/* ---- their functions ---- */

Datum
distil_sentiment(PG_FUNCTION_ARGS)
{
	return distil_task_evaluate(fcinfo, &distil_task_sentiment);
}

Datum
distil_sentiment_label(PG_FUNCTION_ARGS)
{
	return distil_task_evaluate(fcinfo, &distil_task_sentiment_label);
}

Datum
distil_classify(PG_FUNCTION_ARGS)
{
	return distil_task_evaluate(fcinfo, &distil_task_classify);
}
