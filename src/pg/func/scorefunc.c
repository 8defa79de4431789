/*
 * scorefunc.c -- the scores of a text's labels, or of a pair's.
 *
 *	   distil_score(text, model, label)		real
 *	   distil_scores(text, model), distil_pair_scores(a, b, model)
 *			label, score: all labels, best first
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"

#include "pg/bridge/compat.h"
#include "pg/func/labels.h"
#include "pg/func/ranking.h"
#include "pg/func/task.h"

PG_FUNCTION_INFO_V1(distil_scores);
PG_FUNCTION_INFO_V1(distil_pair_scores);

/* ---- of one label ---- */

static int
label_option(const DistilModel *model, const NullableDatum *option)
{
	text	   *label = DatumGetTextPP(option->value);

	return distil_label_number(model, VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label));
}

static void
check_score(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	distil_require_head(model, DBERT_HEAD_SEQUENCE, task->function);
	(void) label_option(model, &options[0]);
}

static bool
answer_score(const DistilRun *run, int i, const DistilText *texts, Datum *answer)
{
	int			label = label_option(run->model, &run->options[0]);

	*answer = Float4GetDatum(distil_label_score(run->model, run->batch, i, label));
	return true;
}

const DistilTask distil_task_score = {
	.function = "distil_score",
	.want = DBERT_WANT_LOGITS,
	.type = FLOAT4OID,
	.n_options = 1,
	.check = check_score,
	.answer = answer_score
};

/* ---- of all labels ---- */

/* A text or a pair, then the model. */
static Datum
scores(FunctionCallInfo fcinfo, bool pair, const char *function)
{
	int			n_texts = pair ? 2 : 1;
	DistilModel *model = distil_call_model(fcinfo, n_texts, NULL);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DistilText	texts[2];
	DbertBatch *batch;
	DistilRanked *ranked;

	distil_require_head(model, DBERT_HEAD_SEQUENCE, function);
	for (int i = 0; i < n_texts; i++)
		texts[i] = distil_text_get(PG_GETARG_DATUM(i));
	InitMaterializedSRF(fcinfo, 0);
	batch = distil_run_text(model, DBERT_WANT_LOGITS, texts, pair);
	for (int i = 0; i < n_texts; i++)
		distil_text_free(&texts[i]);
	if (batch == NULL)
		return (Datum) 0;
	ranked = distil_rank(distil_label_scores(model, batch, 0), model->core->config.n_labels);
	for (int i = 0; i < model->core->config.n_labels; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false};

		values[0] = PointerGetDatum(distil_label_text(model->core->labels[ranked[i].number]));
		values[1] = Float4GetDatum(ranked[i].score);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		pfree(DatumGetPointer(values[0]));
	}
	pfree(ranked);
	return (Datum) 0;
}

Datum
distil_scores(PG_FUNCTION_ARGS)
{
	return scores(fcinfo, false, "distil_scores");
}

Datum
distil_pair_scores(PG_FUNCTION_ARGS)
{
	return scores(fcinfo, true, "distil_pair_scores");
}
