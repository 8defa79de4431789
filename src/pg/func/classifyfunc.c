/*
 * classifyfunc.c -- the best label of a text.
 *
 *	   distil_classify(text, model)				text
 *	   distil_classify(text, model, min_score)	text, NULL below min_score
 *
 * Scores are those of distil_scores.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "pg/bridge/compat.h"
#include "pg/func/labels.h"
#include "pg/func/options.h"
#include "pg/func/task.h"

static void
check_classify(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	distil_require_head(model, DBERT_HEAD_SEQUENCE, task->function);
}

static bool
answer_label(const DistilRun *run, int i, const DistilText *texts, Datum *answer)
{
	int			best = distil_top_label(run->model, run->batch, i);

	*answer = PointerGetDatum(distil_label_text(run->model->core->labels[best]));
	return true;
}

const DistilTask distil_task_classify = {
	.function = "distil_classify",
	.want = DBERT_WANT_LOGITS,
	.type = TEXTOID,
	.check = check_classify,
	.answer = answer_label
};

/* ---- with a threshold ---- */

static void
check_above(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	distil_require_head(model, DBERT_HEAD_SEQUENCE, task->function);
	distil_check_score("min_score", DatumGetFloat4(options[0].value));
}

static bool
answer_above(const DistilRun *run, int i, const DistilText *texts, Datum *answer)
{
	int			best = distil_top_label(run->model, run->batch, i);

	return distil_label_score(run->model, run->batch, i, best) >=
		DatumGetFloat4(run->options[0].value) &&
		answer_label(run, i, texts, answer);
}

const DistilTask distil_task_classify_above = {
	.function = "distil_classify",
	.want = DBERT_WANT_LOGITS,
	.type = TEXTOID,
	.n_options = 1,
	.check = check_above,
	.answer = answer_above
};
