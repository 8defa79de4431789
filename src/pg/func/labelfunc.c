/*
 * labelfunc.c -- one label of a text: its score, and the best one if it is
 * sure.
 *
 * 	   distil_score(text, model, label)			real
 * 	   distil_classify(text, model, min_score)	text, NULL below min_score
 *
 * Scores are those of distil_scores.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/func/entitylist.h"
#include "pg/func/task.h"

PG_FUNCTION_INFO_V1(distil_score);
PG_FUNCTION_INFO_V1(distil_classify_above);

int
distil_label_number(const DistilModel *model, const char *label, size_t len)
{
	const DbertModel *core = model->core;

	for (int i = 0; i < core->config.n_labels; i++)
	{
		if (distil_same_label(core->labels[i], label, len))
			return i;
	}
	distil_raise_no_label(model, label, len);
}

float
distil_label_score(const DistilModel *model, const DbertBatch *batch, int i, int label)
{
	float	   *scores = palloc(model->core->config.n_labels * sizeof(float));
	int			rows;
	float		score;

	dbert_classify_scores(model->core, dbert_batch_logits(batch, i, &rows), scores);
	score = scores[label];
	pfree(scores);
	return score;
}

/* ---- distil_score ---- */

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

Datum
distil_score(PG_FUNCTION_ARGS)
{
	return distil_task_evaluate(fcinfo, &distil_task_score);
}

/* ---- distil_classify with a threshold ---- */

static void
check_above(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	float		min_score = DatumGetFloat4(options[0].value);

	distil_require_head(model, DBERT_HEAD_SEQUENCE, "distil_classify");
	if (!(min_score >= 0 && min_score <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("min_score must be between 0 and 1")));
}

static bool
answer_above(const DistilRun *run, int i, const DistilText *texts, Datum *answer)
{
	const DbertModel *core = run->model->core;
	int			rows;
	int			best = dbert_classify_best(core, dbert_batch_logits(run->batch, i, &rows));

	if (distil_label_score(run->model, run->batch, i, best) < DatumGetFloat4(run->options[0].value))
		return false;
	*answer =
		PointerGetDatum(distil_text_from_utf8(core->labels[best], strlen(core->labels[best])));
	return true;
}

/* Named as its C function is. */
const DistilTask distil_task_classify_above = {
	.function = "distil_classify_above",
	.want = DBERT_WANT_LOGITS,
	.type = TEXTOID,
	.n_options = 1,
	.check = check_above,
	.answer = answer_above
};

Datum
distil_classify_above(PG_FUNCTION_ARGS)
{
	return distil_task_evaluate(fcinfo, &distil_task_classify_above);
}
